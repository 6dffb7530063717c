"""The names of the files in a run folder that are made from its snapshots; `stylegan.run_names` has the others."""

__all__ = ["SCORE", "SCORE_PLOT", "TIMELINE"]

SCORE, SCORE_PLOT = "score.json", "score.png"
"""How far each snapshot has broken, and a plot of it."""
TIMELINE = "timeline.png"
"""Fixed seeds over the snapshots."""
