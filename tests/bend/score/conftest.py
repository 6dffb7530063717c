"""A run folder to score."""

import shutil
from pathlib import Path

import pytest

from tests.bend.runs import write_run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six snapshots, not scored."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def run_folder(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of it to write into, with its data set beside it."""
    shutil.copy(finished_run.parent / "rocks.zip", tmp_path)
    return Path(shutil.copytree(finished_run, tmp_path / finished_run.name))
