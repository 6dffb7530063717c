"""The command line's own promises: quick help, one line an error, and the exit statuses."""

import errno
import importlib
import io
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bend import __version__, cli
from bend.cli import bend
from bend.errors import PackageError
from tests.bend.conftest import Run
from tests.typed_lines import commands

Body = Callable[[], object]
Main = Callable[[Body], None]
Status = Callable[[Body], object]

NAMES = [name for name, _ in commands()]
HEAVY = ("torch", "av", "scipy", "imagehash", "tensorboard")

HELP = "import sys; from bend.cli import main; sys.argv[1:] = ['--help']; main()"
HELP_OF_EACH = """
import json, sys
from bend.cli import bend
loaded = {}
for name in json.loads(sys.argv[1]):
    try:
        bend([*name.split(), "--help"], prog_name="bend")
    except SystemExit as stopped:
        assert stopped.code == 0, name
    loaded[name] = [module for module in json.loads(sys.argv[2]) if module in sys.modules]
print(json.dumps(loaded), file=sys.stderr)
"""


fail = click.Command("fail")  # replaced by each test


@pytest.fixture
def main_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Main]:
    """Runs `bend fail` through `main`, with the given body as the command."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def run(body: Body) -> None:
        monkeypatch.setattr(sys.modules[__name__], "fail", click.command("fail")(body))
        monkeypatch.setattr(bend, "table", {"fail": (__name__, "fail", "Fails.")})
        monkeypatch.setattr(sys, "argv", ["bend", "fail"])
        cli.main()

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def status_of(main_with: Main) -> Status:
    """The exit status that `bend fail` ends with."""

    def run(body: Body) -> object:
        with pytest.raises(SystemExit) as stopped:
            main_with(body)
        return stopped.value.code

    return run


def raising(error: BaseException) -> Body:
    def body() -> object:
        raise error

    return body


def test_help_answers_within_three_tenths_of_a_second() -> None:
    def seconds() -> float:
        # Processor time: the wall clock also counts whatever else the machine is doing.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert any(seconds() < 0.3 for _ in range(5))


def test_no_help_loads_a_heavy_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_EACH, json.dumps(NAMES), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stderr) == {name: [] for name in NAMES}


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(bend, ["--help"])
    assert result.exit_code == 0
    for name, (_, _, summary) in bend.table.items():
        assert name in result.output
        assert summary.split()[0] in result.output


def test_version() -> None:
    assert CliRunner().invoke(bend, ["--version"]).output == f"bend, version {__version__}\n"


def test_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(bend, ["brake"])
    assert result.exit_code == 2
    assert "No such command 'brake'" in result.output


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("rendr", "No such command 'rendr'; did you mean render?"),
        ("render GIRD", "No such command 'GIRD'; did you mean grid?"),
        ("models x", "No such command 'x'; choose from list, "),
        ("render grid", "Missing option '-o' / '--output'; see `bend render grid --help`"),
        ("render grid -o a.png --weights x", "'ema', 'raw'; see `bend render grid --help`"),
        ("render grid -o a.png --seeds 5-2", "5-2 runs backwards; write 2-5\n"),
        ("package --check a.zip -o b.zip", "leave out -o\n"),
        ("finetune --data '' --kimg 1", "--data '': is empty; give a value, or leave it out"),
        ("finetune --data= --kimg 1", "'--data=': is empty"),
        ("render images -o ''", "-o '': is empty"),
        ("info ''", "'': is empty"),
        ("info a --foo", "No such option '--foo'"),
        ("render grid -o a.png --weights 'b\x1b[31m'", "b\\x1b[31m"),
    ],
)
def test_usage_errors_become_one_line_that_names_the_mend(run: Run, typed: str, line: str) -> None:
    status, out, err = run(*shlex.split(typed))
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert line in err
    assert "?)" not in err.rstrip("\n")[:-2]


@pytest.mark.parametrize("group", [(), ("render",), ("models",)])
def test_a_group_alone_shows_its_help(run: Run, group: tuple[str, ...]) -> None:
    status, out, err = run(*group)
    assert (status, out) == (2, "")
    assert "Commands:" in err


def test_every_command_refuses_an_unknown_option_with_status_2() -> None:
    for name in NAMES:
        result = CliRunner().invoke(bend, [*name.split(), "--no-such-option"])
        assert result.exit_code == 2, name


def test_our_errors_become_one_line(status_of: Status, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(raising(PackageError("x.zip: empty;\n   put pictures in it"))) == 1
    assert capsys.readouterr().err == "Error: x.zip: empty; put pictures in it\n"


def test_a_terminal_obeys_no_error(status_of: Status, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(raising(PackageError("\x1b[31mred.zip: is none"))) == 1
    assert capsys.readouterr().err == "Error: \\x1b[31mred.zip: is none\n"
    assert status_of(raising(FileNotFoundError(errno.ENOENT, "", "\x1b[31mred"))) == 1
    assert capsys.readouterr().err == "Error: \\x1b[31mred: No such file or directory\n"


@pytest.mark.parametrize("package", ["stylegan", "scrapers"])
def test_errors_of_the_layers_below_become_one_line(
    package: str, status_of: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = importlib.import_module(f"{package}.errors")
    base = next(vars(errors)[name] for name in ("StyleganError", "ScraperError") if hasattr(errors, name))
    assert status_of(raising(base("no such thing; make one"))) == 1
    assert capsys.readouterr().err == "Error: no such thing; make one\n"


def test_a_full_disk_is_one_line_with_its_mend(status_of: Status, capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.zip")
    assert status_of(raising(full)) == 1
    assert capsys.readouterr().err == (
        "Error: out.zip: No space left on device; free some space and run the same command again\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("a native operation ran out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 16 bytes"),
    ],
    ids=["Python", "native", "torch"],
)
def test_out_of_memory_says_what_to_lower(
    error: Exception, status_of: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(raising(error)) == 1
    assert "--batch, --scale or size" in capsys.readouterr().err


def test_an_installation_that_lacks_something_is_one_line(
    status_of: Status, main_with: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(raising(ModuleNotFoundError("No module named 'torch'", name="torch"))) == 1
    expected = "Error: No module named 'torch'; run `bend doctor` to see what is missing\n"
    assert capsys.readouterr().err == expected
    with pytest.raises(ImportError):
        main_with(raising(ImportError("cannot import name 'x' from 'bend.render'", name="bend.render")))


def test_ctrl_c_exits_130(status_of: Status, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_sigterm_runs_finally_blocks_and_exits_143(
    status_of: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = []

    def body() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            saved.append(True)

    assert status_of(body) == 143
    assert saved == [True]
    assert capsys.readouterr().err.strip() == "terminated"


@pytest.mark.parametrize(
    ("error", "status"), [(PackageError("rocks.zip: no pictures"), 1), (click.UsageError("no such seeds"), 2)]
)
def test_who_is_ended_while_saying_why_it_failed_says_it(
    error: Exception, status: int, status_of: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several processes, torchrun ends the others the moment that one is lost."""
    told, echo = [], click.echo

    def leave_word(line: str) -> None:
        told.append(line)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    def interrupted_echo(*args: object, **options: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        echo(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(cli.ranks, "leave_word", leave_word)
    monkeypatch.setattr(click, "echo", interrupted_echo)
    monkeypatch.setattr(click.exceptions, "echo", interrupted_echo)
    assert status_of(raising(error)) == status
    (line,) = told
    assert line.startswith(str(error))


_CLOSED_TERMINAL = """
import os, pty, signal, sys
pid, terminal = pty.fork()
if not pid:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may be told to go on without a terminal
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], sys.argv[2]])
told = b""
while not told.endswith(b"ready\\r\\n"):  # the whole line: what is still being written fails
    told += os.read(terminal, 1024)
os.close(terminal)
os.kill(pid, 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
_COMMAND = """
import pathlib, sys, time
from bend import cli
def work(**options):
    try:
        print("ready", flush=True)
        time.sleep(30)
    finally:
        print("saving", flush=True)
        time.sleep(0.1)
        pathlib.Path(sys.argv[1]).write_text("saved")
cli.bend.main = work
cli.main()
"""


def test_a_closed_terminal_ends_it_as_sigterm_does(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    words = [sys.executable, "-c", _CLOSED_TERMINAL, _COMMAND, str(saved)]
    ended = subprocess.run(words, check=False, timeout=60)
    assert saved.read_text() == "saved"
    assert ended.returncode == 143


def test_who_is_told_to_go_on_without_a_terminal_does(
    status_of: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert status_of(lambda: os.kill(os.getpid(), signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_command_chooses_its_own_status(status_of: Status) -> None:
    def body() -> None:
        click.get_current_context().exit(3)

    assert status_of(body) == 3


def test_characters_that_the_terminal_lacks_are_escaped(
    status_of: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "latin-1"))
    assert status_of(lambda: click.echo("64×64, … 写真.jpg")) == 0
    sys.stdout.flush()
    assert written.getvalue().decode("latin-1").strip() == r"64×64, \u2026 \u5199\u771f.jpg"


def test_waiting_threads_leave_the_processor_unless_told_otherwise(
    status_of: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = []
    for chosen in ("7", None):
        monkeypatch.setenv("GOMP_SPINCOUNT", chosen or "")
        if chosen is None:
            monkeypatch.delenv("GOMP_SPINCOUNT")
        assert status_of(lambda: policies.append(os.environ["GOMP_SPINCOUNT"])) == 0
    assert policies == ["7", "10000"]


def test_our_own_defects_keep_their_traceback(main_with: Main) -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        main_with(raising(RuntimeError("a defect")))


def test_bend_debug_keeps_every_traceback(main_with: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_DEBUG", "1")
    with pytest.raises(PackageError, match="empty"):
        main_with(raising(PackageError("x.zip: empty")))
