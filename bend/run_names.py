"""The names of the files in a run folder that come of its snapshots; `stylegan.run_names` has the others."""

__all__ = ["SCORE", "SCORE_PLOT", "TIMELINE"]

SCORE, SCORE_PLOT = "score.json", "score.png"
"""How far each snapshot has broken, and the same drawn."""
TIMELINE = "timeline.png"
"""Fixed seeds over the snapshots."""
