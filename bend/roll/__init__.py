"""Chance: random bends, those that are dead thrown away, the rest to pick from and to breed."""

from bend.roll.rolling import RollConfig, Rolled, roll

__all__ = ["RollConfig", "Rolled", "roll"]
