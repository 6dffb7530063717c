"""The `bend` command: a lazy table of subcommands, and the one place where an error becomes one line.

Commands are imported when they are called, so that `bend --help` needs neither torch nor Pillow. Exit status: 0 done,
1 failed (one line says why), 2 wrong usage; interrupted with everything saved, 130 after SIGINT and 143 after SIGTERM
or SIGHUP.
"""

import contextlib
import errno
import io
import os
import signal
import sys
from types import FrameType

import click

from bend import __version__, ranks
from bend.errors import BendError
from bend.lazy import LazyGroup
from stylegan.errors import is_out_of_memory
from stylegan.printable import printable

__all__ = ["bend", "main"]

# name -> (module, attribute, one-line help). Literal, so that `bend --help` imports nothing else.
_COMMANDS = {
    "demo": (
        "bend.commands.demo",
        "demo",
        "The whole pipeline, offline: photos in, a broken face generator out.",
    ),
    "scrape": ("bend.commands.scrape", "scrape", "Search and download pictures, with their licences."),
    "package": (
        "bend.commands.package",
        "package",
        "Turn a folder, zip or files into a StyleGAN-format zip.",
    ),
    "finetune": (
        "bend.commands.finetune",
        "finetune",
        "Train a generator for just the right amount of time.",
    ),
    "render": ("bend.commands.render", "render", "Render images, grids, planes, walks and timelines."),
    "project": ("bend.commands.project", "project", "Find the w of a picture."),
    "roll": ("bend.commands.roll", "roll", "Chance: random bends to pick from and to breed."),
    "run": ("bend.commands.run", "run", "The whole chain from one recipe."),
    "replay": ("bend.commands.replay", "replay", "Make a rendered picture or film again."),
    "studio": ("bend.commands.studio", "studio", "The instrument in a browser."),
    "info": ("bend.commands.info", "info", "What a network, data set or run is, layer by layer."),
    "models": ("bend.commands.models", "models", "Networks by name, formats in and out."),
    "ops": ("bend.commands.ops", "ops", "Compile and time the native operations."),
    "doctor": ("bend.commands.doctor", "doctor", "What this machine can do, and what is missing."),
    "credits": ("bend.commands.credits", "credits", "Who made the pictures, under which licence."),
}
_OURS = ("bend", "stylegan", "scrapers")


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised as Ctrl-C is, so that `finally` blocks run."""


@click.group(cls=LazyGroup, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="bend")
def bend() -> None:
    """Circuit-bend a generative network: gather pictures, train it wrong, and play the result.

    Example: bend demo -o demo
    """


def main() -> None:
    """Run the command line; the console script's entry point."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    if (hangup := getattr(signal, "SIGHUP", None)) and signal.getsignal(hangup) == signal.SIG_DFL:  # no nohup
        signal.signal(hangup, _on_hangup)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the encoding lacks is escaped instead of ending the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    # OpenMP reads this when torch is imported. Threads that spin long while they wait are slow on a loaded machine,
    # threads that never spin are slow on an idle one.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        ranks.begin(sys.argv[1:])
        if failpoint := os.environ.get("BEND_FAILPOINT"):
            from bend.failpoint import arm

            arm(failpoint)
        status = bend.main(prog_name="bend", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Abort as aborted:  # what Click makes of a KeyboardInterrupt
        is_terminated = isinstance(aborted.__cause__, Terminated)
        sys.exit(_say("terminated", 143) if is_terminated else _say("interrupted", 130))
    except click.ClickException as error:
        refusal = _refusal(error)
        _leave_word(refusal)
        sys.exit(_say(refusal, error.exit_code))
    except Terminated:
        sys.exit(_say("terminated", 143))
    except KeyboardInterrupt:
        sys.exit(_say("interrupted", 130))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if os.environ.get("BEND_DEBUG") or (line := _one_line(error)) is None:
            raise
        _leave_word(line)
        sys.exit(_say(line, 1))


def _one_line(error: Exception) -> str | None:
    """The line to print for an error that the user can mend; None for a defect of ours."""
    if isinstance(error, BendError) or type(error).__module__ in ("stylegan.errors", "scrapers.errors"):
        return printable(" ".join(str(error).split()))
    if isinstance(error, OSError) and error.errno is not None:
        mend = "; free some space and run the same command again" if error.errno == errno.ENOSPC else ""
        return printable(f"{error.filename or 'a file'}: {os.strerror(error.errno)}{mend}")
    if isinstance(error, ImportError) and (error.name or "bend").partition(".")[0] not in _OURS:
        return printable(f"{' '.join(str(error).split())}; run `bend doctor` to see what is missing")
    if is_out_of_memory(error):
        return "out of memory; use a smaller --batch, --scale or size, fewer pictures, or another --device"
    return None


def _refusal(error: click.ClickException) -> str:
    """The line to print for a usage error; one that does not say what to type points to `--help`."""
    line = printable(" ".join(error.format_message().split())).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None or ";" in line or line.endswith(("?", "?)")):
        return line
    return f"{line}; see `{context.command_path} --help`"


def _leave_word(line: str) -> None:
    """Tell other processes why this one ends, even if it is being terminated meanwhile."""
    with contextlib.suppress(Terminated):
        ranks.leave_word(line)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _say(message: str, status: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    click.echo(f"Error: {message}" if status in (1, 2) else f"\n{message}", err=True)
    return status


def _on_sigterm(signum: int, frame: FrameType | None) -> None:
    raise Terminated


def _on_hangup(signum: int, frame: FrameType | None) -> None:
    """The terminal was closed: act as on SIGTERM, once, though both the shell and the system send a signal."""
    signal.signal(signum, signal.SIG_IGN)
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"")
        except OSError:  # later output must not fail because the terminal is gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    signal.raise_signal(signal.SIGTERM)
