"""Same command, same seed, same machine: same bytes, in another folder and with another number of workers."""

from pathlib import Path

import pytest

from tests.reliability.conftest import Bench
from tests.reliability.works import WORKS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["scrape", "package", "finetune", "frames", "film"])
def test_the_same_bytes_again(bench: Bench, tmp_path: Path, name: str) -> None:
    ended = bench.run(name, tmp_path / "elsewhere")
    assert ended.status == 0, ended
    assert WORKS[name].content(tmp_path / "elsewhere") == bench.expected(name)


@pytest.mark.parametrize(("name", "option"), [("package", "--workers"), ("finetune", "--workers")])
def test_however_many_workers(bench: Bench, tmp_path: Path, name: str, option: str) -> None:
    words = WORKS[name].first(bench.world)
    words[words.index(option) + 1] = "3"
    ended = bench.zygote.run(*words, folder=tmp_path, **bench.world.environ(tmp_path))
    assert ended.status == 0, ended
    assert WORKS[name].content(tmp_path) == bench.expected(name)
