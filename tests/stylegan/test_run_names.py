"""Names in a run folder: those that tools of others know, and what never changes."""

import pytest

from stylegan import run_names
from stylegan.run_names import LATEST, LOG, OPTIONS, REALS, SNAPSHOT, STATES, STATS, is_lasting, snapshot_name


def test_names_that_others_know() -> None:
    assert (OPTIONS, STATS, LOG, REALS) == ("training_options.json", "stats.jsonl", "log.txt", "reals.png")
    assert run_names.FAKES_INIT == "fakes_init.png"


@pytest.mark.parametrize("kimg", [0, 0.25, 4, 25_000])
def test_a_snapshot_says_its_moment(kimg: float) -> None:
    match = SNAPSHOT.fullmatch(snapshot_name(kimg))
    assert match is not None
    assert float(match[1]) == kimg


def test_what_never_changes_is_not_what_grows() -> None:
    assert all(map(is_lasting, (snapshot_name(1), run_names.fakes_name(1), REALS, run_names.FAKES_INIT)))
    assert not any(map(is_lasting, (*STATES, LATEST, OPTIONS, STATS, LOG, "timeline.png", "score.json")))
