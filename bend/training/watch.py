"""What happens at every snapshot of a training: its timeline is drawn, it is scored, perhaps stopped, and pruned.

`train_watched` hands a `RunWatch` to `stylegan.training.loop.train`, which calls it with every snapshot. Knee and
crossing are read from the averaged generator, which renders draw by default and whose curves are smoother; a collapse
of either generator counts. The moments are defined in `bend.score.moments`.
"""

import time
from pathlib import Path

from bend.errors import ScoreError
from bend.renders.timeline import RunTimeline
from bend.run_names import TIMELINE
from bend.score import KINDS, RunScorer, ScoreCard, read_card, seeds_for
from bend.training.pruning import choose_removals
from stylegan.checkpoint import list_snapshots
from stylegan.training.loop import OnSave, Reply, TrainSummary, train
from stylegan.training.session import Session

__all__ = ["RunWatch", "train_watched"]

_SHOWN = "ema"
_WORDS = {"raw": "raw generator", "ema": "averaged generator"}


def train_watched(session: Session, on_save: OnSave | None = None) -> TrainSummary:
    """Run a session under a `RunWatch`, which first makes up for a look that a kill ended.

    Args:
        session: opened or resumed.
        on_save: as `train` takes it.

    Raises:
        ScoreError: `until` is set, and there is no score to go by.
        StyleganError, OSError: as `train`.
    """
    watch = RunWatch(session) if session.plan.team.is_first else None
    reply = None if watch is None else watch.catch_up()
    return train(session, on_snapshot=watch, on_save=on_save, reply=reply)


class RunWatch:
    """Draws, scores and prunes the snapshots of one session.

    Args:
        session: opened or resumed; its configuration says whether to score, when to stop, and what to keep.
    """

    def __init__(self, session: Session) -> None:
        plan = session.plan
        self._run = session.run
        self._config = plan.config
        self._kimg = plan.state.cur_nimg / 1000  # when it was opened or resumed
        self._timeline = RunTimeline(str(plan.device), plan.config.bend)
        self._started = time.monotonic()
        self._alarmed = False
        self._scorer: RunScorer | None = None
        if not plan.config.no_score:
            card = read_card(session.run)
            num_seeds = seeds_for(plan.total_nimg, len(plan.moments_left()))
            self._scorer = RunScorer(
                session.run,
                plan.data,
                device=plan.device,
                bend=plan.config.bend,
                num_seeds=num_seeds if card is None else card.settings.num_seeds,
            )

    def catch_up(self) -> Reply:
        """Finish the look at the last snapshot of a resumed run, which a kill may have ended, and reply to it again."""
        seen = [(kimg, path) for kimg, path in list_snapshots(self._run) if kimg <= self._kimg]
        if not seen:
            return Reply()
        kimg, path = seen[-1]
        sheet = self._run / TIMELINE
        if not sheet.exists() or _written(sheet) < _written(path):
            return self(path, kimg)
        card = None if self._scorer is None else read_card(self._run)
        return Reply(stop=None if card is None else self._reason(card))

    def __call__(self, path: Path, kimg: float) -> Reply:
        """Score, judge, prune and draw after the snapshot at `path`."""
        reply = self._judge(path, kimg)
        # Last, since a sheet that is older than its snapshot tells `catch_up` of a look that was broken off.
        self._timeline(path, kimg)
        return reply

    def _judge(self, path: Path, kimg: float) -> Reply:
        if self._scorer is None:
            return Reply()
        try:
            card = self._scorer(path, kimg)
        except ScoreError as error:
            if self._config.until != "none":
                raise
            self._scorer = None
            return Reply(lines=(f"not scored: {error}",))
        lines = [self._score_line(card, kimg), *self._alarm(card)]
        stop = self._reason(card)
        lines += self._prune(self._scorer, card)
        return Reply(lines=tuple(lines), stop=stop)

    def _score_line(self, card: ScoreCard, kimg: float) -> str:
        """The row in words, and what scoring has cost so far."""
        parts = [
            f"{row.weights} d0 {row.d0:.3f} ± {row.d0_se:.3f}, d1 {row.d1:.3f} ± {row.d1_se:.3f}, diversity "
            f"{row.diversity:.3f} ± {row.diversity_se:.3f}"
            for row in card.rows
            if row.kimg == kimg
        ]
        assert self._scorer is not None
        share = self._scorer.seconds / max(time.monotonic() - self._started, 1e-9)
        return f"score {'; '.join(parts)}; scoring took {share:.1%} of the run so far"

    def _alarm(self, card: ScoreCard) -> list[str]:
        """The line that a network has collapsed; it is said once."""
        if self._alarmed or (collapsed := _collapsed(card)) is None:
            return []
        self._alarmed = True
        kind, kimg = collapsed
        last = card.moments(kind)["last"]
        good = "" if last is None else f"; the last good snapshot is {self._run}@{last.kimg:g}, and is kept"
        return [
            f"collapse: the {_WORDS[kind]} at {kimg:g} kimg has under a third of the base's diversity{good}"
        ]

    def _reason(self, card: ScoreCard) -> str | None:
        """Why to stop now; None while the moment of `--until` has not come."""
        until = self._config.until
        if until == "collapse":
            if (collapsed := _collapsed(card)) is None:
                return None
            kind, kimg = collapsed
            return f"collapse of the {_WORDS[kind]} at {kimg:g} kimg"
        moment = card.moments(_SHOWN).get(until)
        if moment is None:
            return None
        around = ", ".join(f"{self._run}@{kimg:g}" for kimg in _around(card, moment.kimg))
        return f"{until} of the {_WORDS[_SHOWN]} at {moment.kimg:g} kimg; look at {around}"

    def _prune(self, scorer: RunScorer, card: ScoreCard) -> list[str]:
        """Remove snapshots beyond `--keep`, and say which."""
        if self._config.keep is None:
            return []
        files = dict(list_snapshots(self._run))
        found = [card.moments(kind) for kind in KINDS]
        vital = {0.0} | {good.kimg for moments in found if (good := moments["last"]) is not None}
        named = [moment.kimg for moments in found for moment in moments.values() if moment is not None]
        spared = {kimg for moment in named for kimg in _around(card, moment)}
        gone = choose_removals(sorted(files), scorer.apart, self._config.keep, spared=spared, vital=vital)
        for kimg in gone:
            files[kimg].unlink(missing_ok=True)
        if not gone:
            return []
        return [
            f"removed the snapshots at {', '.join(f'{kimg:g}' for kimg in gone)} kimg, little different from others"
        ]


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


def _collapsed(card: ScoreCard) -> tuple[str, float] | None:
    """The kind of weights that collapsed first, and when."""
    found = [(kimg, kind) for kind in KINDS if (kimg := card.collapsed_at(kind)) is not None]
    return None if not found else (min(found)[1], min(found)[0])


def _around(card: ScoreCard, kimg: float) -> list[float]:
    """A moment and its neighbours."""
    moments = sorted({row.kimg for row in card.rows})
    place = moments.index(kimg)
    return moments[max(place - 1, 0) : place + 2]
