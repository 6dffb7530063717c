"""Trainings of a few steps, as `bend finetune` runs them."""

from pathlib import Path
from typing import Any

from bend.training.session import Report, Request, run_finetune

__all__ = ["SMALL", "finetune"]

SMALL: dict[str, Any] = {
    "base": "none",
    "batch": 4,
    "kimg": 0.008,
    "channel_base": 256,
    "channel_max": 16,
    "w_dim": 16,
    "device": "cpu",
    "no_score": True,
}


def finetune(out: Path, *, resume: str | None = None, dry_run: bool = False, **options: Any) -> Report:
    """Train with the given options; `SMALL` makes it short."""
    return run_finetune(Request(out=out, resume=resume, dry_run=dry_run, options=options))
