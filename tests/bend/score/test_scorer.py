"""Scoring a run folder: what the numbers do, what is left behind, and that a rerun gives the same."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bend.errors import ScoreError
from bend.run_names import SCORE, SCORE_PLOT
from bend.score import RunScorer, ScoreCard, read_card, score_run, seeds_for
from bend.score.metrics import Pictures
from stylegan import DatasetZip
from stylegan.checkpoint import list_snapshots
from stylegan.errors import TrainingError
from stylegan.run_names import snapshot_name
from tests.bend.runs import collapsed, save_snapshot
from tests.bend.tiny import tiny_generator


@pytest.fixture(scope="module")
def scored(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a score, to look at."""
    parent = tmp_path_factory.mktemp("scored")
    shutil.copy(finished_run.parent / "rocks.zip", parent)
    run = Path(shutil.copytree(finished_run, parent / finished_run.name))
    score_run(run, device="cpu")
    return run


def card_of(run: Path) -> ScoreCard:
    card = read_card(run)
    assert card is not None
    return card


def scorer_of(run: Path, **settings: object) -> RunScorer:
    return RunScorer(run, DatasetZip(run.parent / "rocks.zip"), **settings)


def test_home_is_left_and_the_pictures_come_near_beyond_error_bars(scored: Path) -> None:
    card = card_of(scored)
    for weights in ("raw", "ema"):
        rows = card.of(weights)
        assert [row.kimg for row in rows] == [0, 0.25, 0.5, 1, 2, 4]
        first, last = rows[0], rows[-1]
        assert (first.d0, first.d0_se) == (0, 0)
        assert all(after.d0 > before.d0 for before, after in itertools.pairwise(rows))
        assert last.d0 - 3 * last.d0_se > 0.1 * card.away
        assert last.d1 + 2 * last.d1_se < first.d1 - 2 * first.d1_se
    raw, ema = card.of("raw")[2], card.of("ema")[2]
    assert ema.d0 < raw.d0  # the average lags behind


def test_the_same_run_scored_anew_gives_the_same_bytes(scored: Path, run_folder: Path) -> None:
    card = score_run(run_folder, device="cpu")
    for name in (SCORE, SCORE_PLOT):
        assert (run_folder / name).read_bytes() == (scored / name).read_bytes()
    assert read_card(run_folder) == card


def test_score_json_says_it_all(scored: Path) -> None:
    facts = json.loads((scored / SCORE).read_text())
    assert facts["version"] == 1
    assert len(facts["snapshots"]) == 12
    wanted = {"kimg", "weights", "d0", "d0_se", "d1", "d1_se", "diversity", "diversity_se"}
    assert wanted == set(facts["snapshots"][0])
    assert facts["settings"]["num_pictures"] == 40
    assert set(facts["moments"]["ema"]) == {"knee", "crossing", "richest", "last", "collapsed_at"}


def test_every_moment_has_a_picture_of_its_seeds(scored: Path) -> None:
    card = card_of(scored)
    shown = 0
    for weights in ("raw", "ema"):
        for name, moment in card.moments(weights).items():
            path = scored / f"moment-{weights}-{name}.png"
            assert path.exists() == (moment is not None)
            if moment is not None:
                shown += 1
                assert path.name == moment.picture
                with Image.open(path) as image:
                    assert image.size == (4 * 64, 2 * 64)
                    assert np.asarray(image).std() > 5
    assert shown >= 2


def test_the_plot_has_both_kinds_of_weights(scored: Path) -> None:
    with Image.open(scored / SCORE_PLOT) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for half in (pixels[:320], pixels[320:]):
        for colour in ((255, 138, 92), (96, 176, 255), (142, 214, 132)):
            assert (np.abs(half - colour).max(axis=2) < 12).sum() > 100


def test_snapshots_are_scored_as_they_come_and_none_twice(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = scorer_of(run_folder)
    seen: list[float] = []
    score = scorer._score
    monkeypatch.setattr(
        scorer, "_score", lambda home, path, kimg: (seen.append(kimg), score(home, path, kimg))
    )
    scorer(run_folder / snapshot_name(0.5), 0.5)
    assert seen == [0, 0.25, 0.5]
    scorer(run_folder / snapshot_name(1), 1)
    assert seen == [0, 0.25, 0.5, 1]
    again = scorer_of(run_folder)
    monkeypatch.setattr(again, "_score", lambda home, path, kimg: pytest.fail("scored twice"))
    assert read_card(run_folder) is not None
    assert again._settle() is not None
    assert again.card == scorer.card


@pytest.mark.slow
def test_rows_of_a_removed_snapshot_stay(run_folder: Path) -> None:
    card = score_run(run_folder, device="cpu")
    (run_folder / snapshot_name(1)).unlink()
    assert score_run(run_folder, device="cpu") == card


@pytest.mark.slow
def test_rows_of_other_settings_do_not(run_folder: Path) -> None:
    first = scorer_of(run_folder, num_seeds=16).score_run()
    second = scorer_of(run_folder, num_seeds=32).score_run()
    assert first.settings.num_seeds == 16
    assert second.settings.num_seeds == 32
    assert all(row.d0_se != other.d0_se for row, other in zip(first.rows[2:], second.rows[2:], strict=True))


def test_a_collapse_is_seen_in_raw_weights_before_the_average(run_folder: Path) -> None:
    G = tiny_generator(seed=1)
    save_snapshot(run_folder, 8, collapsed(G), G)
    card = score_run(run_folder, device="cpu")
    assert card.collapsed_at("raw") == 8
    assert card.collapsed_at("ema") is None
    last = card.moments("raw")["last"]
    assert last is not None
    assert last.kimg == 4
    assert (run_folder / "moment-raw-last.png").exists()


def test_how_far_apart_two_snapshots_are(run_folder: Path) -> None:
    scorer = scorer_of(run_folder)
    scorer.score_run()
    assert scorer.apart(0, 0) == 0
    assert 0 < scorer.apart(0, 0.25) < scorer.apart(0, 1)
    fresh = scorer_of(run_folder)  # has scored nothing itself
    assert fresh.apart(0, 1) == pytest.approx(scorer.apart(0, 1), rel=1e-4)


def test_other_metrics_stand_in_every_row(run_folder: Path) -> None:
    class Brightness:
        name = "brightness"

        def __call__(self, images: Tensor) -> float:
            return float(images.mean())

    def find(base: Pictures, data: Pictures) -> list[Brightness]:
        assert torch.cat(list(base())).shape == (32, 3, 16, 16)
        assert torch.cat(list(data())).shape == (40, 3, 16, 16)
        return [Brightness()]

    card = scorer_of(run_folder, find_metrics=find).score_run()
    facts = json.loads((run_folder / SCORE).read_text())
    assert all("brightness" in row for row in facts["snapshots"])
    assert read_card(run_folder) == card


def test_refusals_are_one_line(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="8 or more"):
        scorer_of(run_folder, num_seeds=4)
    (run_folder / SCORE).write_text("{")
    with pytest.raises(ScoreError, match=r"score\.json: cannot be read"):
        score_run(run_folder, device="cpu")
    (run_folder / SCORE).unlink()
    list_snapshots(run_folder)[0][1].unlink()
    with pytest.raises(ScoreError, match="no snapshot at 0 kimg"):
        score_run(run_folder, device="cpu")
    (run_folder.parent / "rocks.zip").unlink()
    with pytest.raises((ScoreError, TrainingError)):
        score_run(tmp_path / "nowhere", device="cpu")


def test_more_training_between_snapshots_buys_more_seeds() -> None:
    assert seeds_for(6000, 10) == 32
    assert seeds_for(8000, 7) == 64
    assert seeds_for(60, 5) == 32
    assert seeds_for(10**6, 10) == 64
