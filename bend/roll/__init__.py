"""Chance: random bends; the dead ones are thrown away, the others are there to pick from and to breed."""

from bend.roll.rolling import RollConfig, Rolled, look_of, roll

__all__ = ["RollConfig", "Rolled", "look_of", "roll"]
