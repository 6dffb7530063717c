"""Which of several processes does what, and which one speaks."""

import sys

import click
import pytest

from bend import ranks
from bend.launch import words_of


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the second of two."""
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))


def test_alone_one_does_everything() -> None:
    ranks.begin(["package"])
    assert ranks.is_first()
    ranks.leave_to_first()


@pytest.mark.usefixtures("second")
def test_what_is_not_shared_is_left_to_the_first() -> None:
    with pytest.raises(SystemExit) as end:
        ranks.begin(["package", "photos"])
    assert end.value.code == 0
    assert sys.stdout.name == sys.stderr.name == "/dev/null"
    sys.stdout.close()


@pytest.mark.usefixtures("second")
def test_the_second_of_a_shared_command_is_silent() -> None:
    ranks.begin(["render", "images"])
    assert not ranks.is_first()
    assert sys.stdout.name == "/dev/null"
    sys.stdout.close()


@pytest.mark.usefixtures("second")
def test_the_first_does_alone_what_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    out = sys.stdout
    ranks.begin(["run", "recipe.toml"])
    assert ranks.is_first()
    assert sys.stdout is out
    ranks.leave_to_first()


def test_a_command_line_is_typed_again_without_one_option() -> None:
    seen: list[list[str]] = []

    @click.command()
    @click.option("-o", "--out", default="runs")
    @click.option("--gpus", type=int)
    @click.option("--kimg", type=float)
    @click.option("--mirror", is_flag=True)
    @click.option("--bend", multiple=True)
    @click.option("--seed", type=int, default=0)
    @click.pass_context
    def command(ctx: click.Context, **options: object) -> None:
        seen.append(words_of(ctx, without="gpus"))

    typed = ["-o", "a b", "--gpus", "2", "--kimg", ".5", "--mirror", "--bend", "x:1@b4", "--bend", "y@b8"]
    command.main(typed, standalone_mode=False)
    command.main(seen[0], standalone_mode=False)
    assert seen[0] == seen[1]
    assert seen[0] == ["--out", "a b", "--kimg", "0.5", "--mirror", "--bend", "x:1@b4", "--bend", "y@b8"]
