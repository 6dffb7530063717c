"""A command given addresses sees local paths, and its files and messages are those of the store, here one in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from bend.errors import StoreError
from bend.options.stored import StoreCommand
from bend.stores import outgoing
from bend.stores.store import _system


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    system = _system("memory")
    system.pipe({"/b/one.txt": b"one", "/b/two.txt": b"two"})
    yield system
    system.store.clear()


@click.command(
    cls=StoreCommand, roles={"sources": "input", "also": "input", "output": "output", "kept": "own"}
)
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@click.option("--also", multiple=True)
@click.option("-o", "--output", type=click.Path(path_type=Path))
@click.option("--kept")
@click.option("--plain", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True)
@click.option("--end", type=int)
@click.pass_context
def join(
    ctx: click.Context,
    sources: tuple[Path, ...],
    also: tuple[str, ...],
    output: Path | None,
    kept: str | None,
    plain: Path | None,
    force: bool,
    end: int | None,
) -> None:
    """Write the content of the sources, and one file beside it."""
    assert all(isinstance(path, Path) for path in sources)
    assert not isinstance(output, str)
    text = "+".join(Path(path).read_text() for path in (*sources, *also))
    if output is not None:
        assert not output.exists()
        output.write_text(text)
        output.with_name("beside.txt").write_text("beside")
    click.echo(f"{output}: {text} of {', '.join(map(str, sources))}; {kept}")
    if text == "one":
        raise StoreError(f"{sources[0]}: is one")
    if end is not None:
        ctx.exit(end)


def invoke(*words: object) -> Result:
    return CliRunner().invoke(join, [str(word) for word in words])


def test_inputs_are_here_and_outputs_there(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "three.txt").write_text("three")
    done = invoke(
        *("memory://b/two.txt", tmp_path / "three.txt", "--also", "memory://b/one.txt"),
        *("-o", "memory://b/out/all.txt", "--kept", "memory://b/not asked for"),
    )
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        f"memory://b/out/all.txt: two+three+one of memory://b/two.txt, {tmp_path / 'three.txt'}; "
        "memory://b/not asked for\n"
    )
    assert memory.cat_file("/b/out/all.txt") == b"two+three+one"
    assert memory.cat_file("/b/out/beside.txt") == b"beside"
    [slot] = (tmp_path / "cache" / "stores" / "outputs").iterdir()
    assert list(slot.iterdir()) == []


def test_what_is_there_stays_unless_forced(memory: Any) -> None:
    words = ("memory://b/two.txt", "-o", "memory://b/one.txt")
    refused = invoke(*words)
    assert str(refused.exception).startswith("memory://b/one.txt: exists already; pass --force")
    assert (refused.stdout, memory.cat_file("/b/one.txt")) == ("", b"one")
    assert invoke(*words, "--force").exit_code == 0
    assert memory.cat_file("/b/one.txt") == b"two"


def test_a_command_that_fails_sends_nothing_and_speaks_of_addresses(memory: Any) -> None:
    failed = invoke("memory://b/one.txt", "-o", "memory://b/out.txt")
    assert str(failed.exception) == "memory://b/one.txt: is one"
    assert failed.stdout.startswith("memory://b/out.txt: one of memory://b/one.txt")
    ended = invoke("memory://b/two.txt", "-o", "memory://b/out.txt", "--end", 3)
    assert ended.exit_code == 3
    assert not memory.exists("/b/out.txt")
    assert invoke("memory://b/two.txt", "-o", "memory://b/out.txt", "--end", 0).exit_code == 0
    assert memory.exists("/b/out.txt")


def test_a_summary_that_did_not_come_true_is_not_printed(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def put(address: Any, path: Path, *, replace: bool) -> None:
        sent.append(address.name)
        if len(sent) == 2:
            raise StoreError(f"{address}: no connection")

    monkeypatch.setattr(outgoing, "put", put)
    failed = invoke("memory://b/two.txt", "-o", "memory://b/out.txt")
    assert failed.stdout == ""
    assert sent == ["beside.txt", "out.txt"]  # what was asked for comes last
    text, _, kept = str(failed.exception).rpartition("; what was made is kept in ")
    assert text == "memory://b/out.txt: no connection"
    assert (Path(kept) / "out.txt").read_text() == "two"


def test_what_takes_no_address_says_so() -> None:
    refused = invoke("memory://b/two.txt", "--plain", "s3://b/x")
    assert refused.exit_code == 2
    assert "'--plain': s3://b/x: only a local file here; copy it first." in refused.output


def test_several_processes_do_not_write_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused = invoke("memory://b/two.txt", "-o", "memory://b/out.txt")
    assert "several processes can share only a local output" in str(refused.exception)
