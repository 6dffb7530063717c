"""The lines of the page on object stores are run, one after another, against a local S3 server."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from bend.cli import bend
from tests.bend.stores.conftest import Bucket
from tests.shortened import shortened
from tests.typed_lines import typed

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_typed_lines_run(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.client.create_bucket(Bucket="art")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "datasets" / "sample", tmp_path / "photos")
    page = (ROOT / "docs" / "object-stores.md").read_text("utf-8")
    lines = list(shortened(typed(page)))
    assert len(lines) == 8
    for words in lines:
        result = CliRunner().invoke(bend, words, prog_name="bend")
        assert result.exit_code == 0, f"bend {' '.join(words)}\n{result.output}\n{result.exception!r}"
    made = {entry["Key"] for entry in bucket.client.list_objects_v2(Bucket="art")["Contents"]}
    assert {"rocks.zip", "walk.mp4", "timeline.png", "rocks.pkl"} <= made
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "cache"}
