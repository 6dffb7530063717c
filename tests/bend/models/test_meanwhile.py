"""Commands that make a new network, `grow` and `mix`, where another process has taken the name meanwhile."""

from pathlib import Path
from typing import Any

import pytest

from bend.dial import mixed_network
from bend.models import growing
from stylegan.checkpoint import load_network
from tests.bend.conftest import Run


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (growing, ("models", "grow", "faces64", "--resolution", 128)),
        (mixed_network, ("models", "mix", "--from", "faces64", "--to", "faces64", "--amount", "0.5")),
    ],
)
def test_what_came_meanwhile_is_not_replaced(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, words: tuple[str | int, ...]
) -> None:
    output = tmp_path / "a.safetensors"

    def another_writes(*args: Any, **options: Any) -> Any:
        output.write_text("theirs")
        return load_network(*args, **options)

    monkeypatch.setattr(module, "load_network", another_writes)
    status, out, err = run(*words, "-o", output)
    assert (status, out) == (1, "")
    assert err == (
        f"Error: {output} was made by another process in the meantime; give another name, or --force to overwrite it\n"
    )
    assert output.read_text() == "theirs"
    assert run(*words, "-o", output, "--force")[0] == 0
    load_network(output)
