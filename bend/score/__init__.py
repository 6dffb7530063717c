"""Measures how far a network has broken: scores over a run, the moments they suggest, and their plot."""

from bend.score.card import KINDS, Moment, ScoreCard, ScoreRow, read_card
from bend.score.scorer import RunScorer, score_run, seeds_for

__all__ = [
    "KINDS",
    "Moment",
    "RunScorer",
    "ScoreCard",
    "ScoreRow",
    "read_card",
    "score_run",
    "seeds_for",
]
