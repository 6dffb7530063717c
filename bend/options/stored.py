"""Commands that take addresses on object stores (`s3://bucket/rocks.zip`) where they take paths.

A command states the role of each of its parameters. Addresses are then fetched into the cache before it runs, and its
outputs are sent once it has succeeded; the command itself only sees local paths. Its summary is held back until the
outputs are on the store, and names addresses rather than local copies, as errors do.
"""

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import click

from bend.errors import StoreError
from bend.stores.address import is_address, parse_address

__all__ = ["TYPED", "Role", "StoreCommand"]

Role: TypeAlias = Literal["input", "network", "run", "outline", "output", "own"]
"""The role of a parameter: `input`, a file or folder; `network`, a file or one moment of a run; `run`, the same or a
whole run; `outline`, a file, or a folder of which names and small tables are enough; `output`; or `own`, an address
that the command handles itself."""

TYPED = "bend.typed_values"
"""Where a context keeps what was typed: the unconverted values by parameter, and the parameters in their order."""


class StoreCommand(click.Command):
    """A command some of whose parameters may be addresses.

    Args:
        roles: of those parameters, by name.
    """

    takes_addresses = True

    def __init__(self, *args: Any, roles: Mapping[str, Role], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.roles = roles

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[TYPED] = typed, list(dict.fromkeys(order))
        remote = {param.name: typed[param.name] for param in order if _addresses(typed.get(param.name or ""))}
        for param in order:
            if param.name in remote and param.name not in self.roles:
                address = _addresses(remote[param.name])[0]
                raise click.UsageError(
                    f"{param.get_error_hint(ctx)}: {address}: only a local file here; copy it first."
                )
        rest = super().parse_args(ctx, args)
        for name, value in remote.items():  # unconverted, since a Path would drop a slash
            parsed = ctx.params[name or ""]
            ctx.params[name or ""] = (
                tuple(raw if is_address(raw) else one for raw, one in zip(value, parsed, strict=True))
                if isinstance(parsed, tuple)
                else value
            )
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        if not any(_addresses(value) for value in ctx.params.values()):
            return super().invoke(ctx)
        from bend.stores.names import called, spoken

        held = io.StringIO()
        with called():
            try:
                with contextlib.redirect_stdout(held), _local(ctx, self, held):
                    return super().invoke(ctx)
            except Exception as error:
                _speak_of_addresses(error, spoken)
                raise
            finally:
                click.echo(spoken(held.getvalue()), nl=False)


@contextlib.contextmanager
def _local(ctx: click.Context, command: StoreCommand, held: io.StringIO) -> Iterator[None]:
    """Replace the context's addresses with local paths, and send the outputs if the block succeeds.

    If they do not arrive, the summary in `held` is dropped.
    """
    from bend.stores.outgoing import Outgoing, begin_output, drop, send

    outputs: list[Outgoing] = []

    def begin(text: str) -> str:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise StoreError(
                f"{text}: several processes can share only a local output; copy it when it is done"
            )
        outputs.append(begin_output(parse_address(text), force=bool(ctx.params.get("force"))))
        return str(outputs[-1].path)

    with tempfile.TemporaryDirectory(prefix="bend-") as folder:
        try:
            fetchers = _fetchers(Path(folder), begin, with_last=ctx.params.get("graph") is not None)
            for param in command.params:  # outputs first: one that is refused costs no download
                _replace(ctx, param, command.roles, fetchers, is_output=True)
            for param in command.params:
                _replace(ctx, param, command.roles, fetchers, is_output=False)
            try:
                yield
            except click.exceptions.Exit as ended:
                if ended.exit_code:
                    raise
            try:
                for output in outputs:
                    send(output)
            except StoreError:
                held.seek(0)
                held.truncate()
                raise
        finally:
            for output in outputs:
                drop(output)


def _fetchers(
    folder: Path, begin: Callable[[str], str], *, with_last: bool
) -> dict[Role, Callable[[str], str]]:
    """For each role, a function from an address to its local path."""
    from bend.stores.fetching import fetch, fetch_file, fetch_list, fetch_pattern
    from bend.stores.networks import fetch_network, outline_run
    from bend.stores.store import look
    from stylegan.archive.shard_names import is_list, is_pattern

    def outline(text: str) -> str:
        address = parse_address(text)
        facts = look(address)
        if facts is None and is_pattern(address.name):
            return str(fetch_pattern(address))
        if facts is None:
            return fetch_network(text, whole_run=False)  # RUN@KIMG, or nothing
        if not facts.is_folder:
            return str(fetch_list(address) if is_list(address.name) else fetch_file(address))
        return str(outline_run(address, folder / address.name, with_last=with_last))

    return {
        "input": lambda text: str(fetch(parse_address(text))),
        "network": lambda text: fetch_network(text, whole_run=False),
        "run": lambda text: fetch_network(text, whole_run=True),
        "outline": outline,
        "output": begin,
        "own": lambda text: text,
    }


def _replace(
    ctx: click.Context,
    param: click.Parameter,
    roles: Mapping[str, Role],
    fetchers: Mapping[Role, Callable[[str], str]],
    *,
    is_output: bool,
) -> None:
    name = param.name or ""
    value = ctx.params.get(name)
    if not _addresses(value) or (roles[name] == "output") is not is_output or roles[name] == "own":
        return

    def local(one: Any) -> Any:
        if not is_address(one):
            return one
        path = fetchers[roles[name]](one)
        return Path(path) if isinstance(param.type, click.Path) else path

    ctx.params[name] = tuple(map(local, value)) if isinstance(value, tuple) else local(value)


def _addresses(value: Any) -> list[str]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in values if is_address(one)]


def _speak_of_addresses(error: BaseException, spoken: Callable[[str], str]) -> None:
    error.args = tuple(spoken(part) if isinstance(part, str) else part for part in error.args)
    for name in ("filename", "message"):
        if isinstance(said := getattr(error, name, None), str):
            setattr(error, name, spoken(said))
