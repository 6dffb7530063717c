"""A session of seconds instead of an hour: the script plays, none of its actions is refused, and nothing piles up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "studio_memory.py"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read as Linux tells it")
def test_a_short_session(tmp_path: Path) -> None:
    readings = tmp_path / "readings.jsonl"
    words = ["--minutes", "0.4", "--only", "drag,turn,rack,history,record,guests", "--json", str(readings)]
    ran = subprocess.run(
        [sys.executable, str(_SCRIPT), *words], capture_output=True, text=True, check=True, timeout=600
    )
    assert "refused 0," in ran.stdout
    rows = [json.loads(line) for line in readings.read_text().splitlines()]
    assert rows[-1]["frames"] > 50
    middle, last = rows[len(rows) // 2], rows[-1]
    assert last["own_mb"] - middle["own_mb"] < 100
    assert last["threads"] <= middle["threads"] + 4
    assert last["files"] <= middle["files"] + 4
