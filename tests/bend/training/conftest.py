"""The data set of the tests that train."""

from pathlib import Path

import pytest

from tests.stylegan.training.tiny import write_zip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures of 16 pixels."""
    return write_zip(tmp_path_factory.mktemp("data") / "rocks.zip")
