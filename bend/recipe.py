"""Recipes: a whole piece of work in one `.toml`; reads, checks and writes them.

    bend = 1                                  the version of this format
    title = "Rocks into faces"

    [[stage]]
    do = "package"                            a command of `bend`
    sources = ["{sample}"]                    its arguments and options, by their long names, - or _
    out = "rocks.zip"
    resolution = 64
    crop = "tiles:48"

    [[stage]]
    do = "render latent-walk"
    network = "{finetune}@1"
    seeds = "0-7"
    output = "walk.mp4"

Stages run in order. In texts, `{sample}` is the folder of bundled photos, `{recipe}` the folder of the recipe, and
`{finetune}` the run folder of the last `finetune` stage before. Options and values are checked by the commands
themselves, so that a recipe can hold whatever a command line can. `bend.pipeline` runs recipes.
"""

import dataclasses
import importlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bend.config import INDECISIVE, RenderConfig
from bend.errors import RecipeError, SettingsError
from bend.lazy import refuse_words
from bend.nearest import meant
from bend.options.records import checked_records
from bend.options.typed import COMMAND_LINE
from stylegan.atomic import write_atomic
from stylegan.errors import StyleganError
from stylegan.training.config import TrainConfig

if TYPE_CHECKING:
    from bend.foresight import Foresight

__all__ = [
    "COMMANDS",
    "VERSION",
    "Recipe",
    "Stage",
    "options_of",
    "read_recipe",
    "recipe_text",
    "write_recipe",
]

VERSION = 1
COMMANDS = {
    "scrape": ("bend.commands.scrape", "scrape"),
    "package": ("bend.commands.package", "package"),
    "finetune": ("bend.commands.finetune", "finetune"),
    "models": ("bend.commands.models", "models"),
    "project": ("bend.commands.project", "project"),
    "render": ("bend.commands.render", "render"),
    "roll": ("bend.commands.roll", "roll"),
}
"""The commands that a stage may name, each as (module, attribute)."""
_MOST_BYTES = 1 << 24
"""A take of ten minutes in which sound moves thirty parameters is as long."""
_MOST_STAGES = 1000
_HELP = ["-h", "--help"]  # as on the command line, since Click caches a command's help option
_OUTPUTS = ("output", "out", "zip_path", "film")
"""The parameters of all commands that name what they write."""
_NETWORKS = ("network", "base", "bents")
_OURS = ("force", "as_json", "help", "dry_run", "resume", "list_sources")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One command with its options.

    Attributes:
        do: `package`, `render latent-walk`, …
        options: the value of each given parameter, by the parameter's name.
    """

    do: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def command(self) -> click.Command:
        """The command.

        Raises:
            RecipeError: there is none of that name.
        """
        return _find_command(self.do)

    def arguments(self, places: Mapping[str, str]) -> list[str]:
        """What would be typed after the command.

        Args:
            places: the values of `{sample}`, `{recipe}` and `{finetune}`.

        Raises:
            RecipeError: a parameter has another number of values than it takes, which the others would get.
        """
        words: list[str] = []
        positional: dict[str | None, list[str]] = {}
        command = self.command()
        params = {param.name: param for param in command.params}
        for name, value in self.options.items():
            param = params[name]
            _check_count(param, value)
            if isinstance(param, click.Argument):
                positional[name] = [_placed(one, places) for one in _listed(value)]
            elif isinstance(value, bool):
                words += param.opts[:1] if value else param.secondary_opts[:1]
            elif param.nargs > 1:
                words += [max(param.opts, key=len), *(_placed(one, places) for one in _listed(value))]
            else:
                flag = max(param.opts, key=len)
                for one in _listed(value) if param.multiple else [value]:
                    words += [flag, _placed(one, places)]
        if not positional:
            return words
        # A command goes by their order, whatever that of the options is.
        return [*words, "--", *(word for param in command.params for word in positional.get(param.name, ()))]

    def outputs(self, places: Mapping[str, str]) -> dict[str, str]:
        """Where it writes, by the option that says so; `places` as for `arguments`."""
        return {name: _placed(self.options[name], places) for name in _OUTPUTS if name in self.options}

    def networks(self, places: Mapping[str, str]) -> dict[str, str]:
        """The networks that it names, the first of several, by the option that does; `places` as for `arguments`."""
        named = {name: _listed(self.options[name]) for name in _NETWORKS if name in self.options}
        return {name: _placed(values[0], places) for name, values in named.items() if values}

    def run(self, words: Sequence[str], command_line: str | None = None) -> None:
        """Run the command as its command line would.

        Args:
            words: what is typed after it, see `arguments`.
            command_line: recorded inside pictures in place of the actual command line; None for the actual one.

        Raises:
            RecipeError: the command does not take the words.
            click.exceptions.Exit: the command ended itself with a status, such as after an interruption.
            Exception: whatever the command raises.
        """
        obj = None if command_line is None else {COMMAND_LINE: command_line}
        context = click.Context(click.Group("bend"), info_name="bend", obj=obj, help_option_names=_HELP)
        *groups, name = self.do.split()
        for depth, group in enumerate(groups, 1):
            context = click.Context(_descend(groups[:depth]), info_name=group, parent=context)
        try:
            command = self.command()
            refuse_words(command, words)
            with command.make_context(name, list(words), parent=context) as own:
                command.invoke(own)
        except click.UsageError as error:
            raise RecipeError(f"{self.do}: {error.format_message()}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Stages in order, with a title."""

    stages: tuple[Stage, ...]
    title: str = ""


def read_recipe(path: Path) -> Recipe:
    """Read a recipe and check every key and value of it, before anything runs.

    Raises:
        RecipeError: it is not a recipe; says which stage and key is wrong.
        OSError: the file cannot be read.
    """
    if path.is_dir():
        raise RecipeError(f"{path} is a folder; name a .toml file")
    if path.stat().st_size > _MOST_BYTES:
        raise RecipeError(f"{path}: more than 16 megabytes; a recipe is a text")
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not TOML: not text in UTF-8; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:  # not TOML, endless numbers
        raise RecipeError(f"{path} is not TOML: {error or 'nested too deeply'}") from None
    try:
        return _recipe(table, path.parent)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe; `read_recipe` reads the same back.

    Raises:
        OSError: the file cannot be written.
    """
    write_atomic(path, recipe_text(recipe))


def recipe_text(recipe: Recipe) -> str:
    """A recipe as TOML."""
    import tomli_w

    stages = [{"do": stage.do, **stage.options} for stage in recipe.stages]
    return tomli_w.dumps({"bend": VERSION, "title": recipe.title, "stage": stages})


def options_of(config: RenderConfig) -> dict[str, Any]:
    """The options of a stage that draws as `config` does: the network, and all fields that differ from their default.

    Fields that only decide where and how fast pictures are drawn are left out.
    """
    changed = {
        field.name: value
        for field in dataclasses.fields(config)
        if (value := getattr(config, field.name)) != field.default and field.name not in INDECISIVE
    }
    if config.size is not None:
        changed["size"] = "{}x{}".format(*config.size)
    lists = {name: list(value) for name, value in changed.items() if isinstance(value, tuple)}
    return {"network": config.network, **changed, **lists}


def _recipe(table: dict[str, Any], beside: Path) -> Recipe:
    version = table.pop("bend", None)
    if version is None:
        raise RecipeError(f"no `bend = {VERSION}`, so it is not a recipe; begin it with that line")
    if type(version) is not int or version != VERSION:
        raise RecipeError(f"bend = {version!r}: this release reads version {VERSION}; update bend")
    title, stages = table.pop("title", ""), table.pop("stage", [])
    if table:
        raise RecipeError(f"{_unknown(next(iter(table)), ['bend', 'title', 'stage'])}")
    if not isinstance(title, str):
        raise RecipeError("title: give a text")
    if not isinstance(stages, list) or not stages or not all(isinstance(stage, dict) for stage in stages):
        raise RecipeError("no stages; write [[stage]] with a line do = …")
    if len(stages) > _MOST_STAGES:
        raise RecipeError(f"{len(stages)} stages; {_MOST_STAGES} at most")
    from bend.foresight import Foresight  # which imports torch

    foresight = Foresight()
    read = (_stage(number, stage, beside, foresight) for number, stage in enumerate(stages, 1))
    return Recipe(title=title, stages=tuple(read))


def _stage(number: int, table: dict[str, Any], beside: Path, foresight: "Foresight") -> Stage:
    do = table.pop("do", None)
    try:
        if not isinstance(do, str):
            raise RecipeError(f"do: give a command, one of {', '.join(COMMANDS)}")
        command = _find_command(do)
        stage = Stage(
            do=do, options={_param(command, key).name or "": _plain(key, v) for key, v in table.items()}
        )
        _check(command, stage, beside, foresight)
    except RecipeError as error:
        raise RecipeError(f"stage {number}: {error}") from None
    return stage


def _find_command(do: str) -> click.Command:
    command = _descend(do.split())
    if isinstance(command, click.Group):
        known = command.list_commands(click.Context(command))
        raise RecipeError(f"do: {do!r} does many things; say which: {', '.join(known)}")
    return command


def _descend(words: Sequence[str]) -> click.Command:
    """The command or group at the end of a path of names."""
    name, *rest = words or [""]
    if name not in COMMANDS:
        raise RecipeError(f"do: {_unknown(name, list(COMMANDS))}")
    module, attribute = COMMANDS[name]
    command: click.Command = getattr(importlib.import_module(module), attribute)
    for word in rest:
        context = click.Context(command)
        known = command.list_commands(context) if isinstance(command, click.Group) else []
        found = command.get_command(context, word) if isinstance(command, click.Group) else None
        if found is None:
            raise RecipeError(
                f"do: {_unknown(word, known)}" if known else f"do: {word!r} is one word too many"
            )
        command = found
    return command


def _param(command: click.Command, key: str) -> click.Parameter:
    """The parameter that a key names, by its own name or its long flag."""
    known: dict[str, click.Parameter] = {}
    for param in command.params:
        if param.name is None or param.name in _OURS:
            continue
        flags = [flag.removeprefix("--").replace("-", "_") for flag in param.opts if flag.startswith("--")]
        known |= dict.fromkeys([param.name, *flags], param)
    name = key.replace("-", "_")
    if name not in known:
        raise RecipeError(_unknown(key, sorted(known)))
    return known[name]


def _plain(key: str, value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, (str, int, float, bool)) for one in values):
        raise RecipeError(f"{key}: give a text, a number, true, false, or a list of them")
    if any("\0" in str(one) for one in values):
        raise RecipeError(f"{key}: a text with a NUL character, which no command line can hold")
    return value


def _check_count(param: click.Parameter, value: Any) -> None:
    """Refuse what would leave words over, or take those of another parameter."""
    is_flag = isinstance(param, click.Option) and param.is_flag
    if isinstance(value, bool) != is_flag:
        raise RecipeError(f"{param.name}: give {'true or false' if is_flag else 'a value, not a switch'}")
    is_one = isinstance(param, click.Argument) and param.nargs == 1
    if (is_one or param.nargs > 1) and len(_listed(value)) != param.nargs:
        raise RecipeError(f"{param.name}: {len(_listed(value))} values; give {param.nargs}")


def _check(command: click.Command, stage: Stage, beside: Path, foresight: "Foresight") -> None:
    """Check the values of a stage by having its command parse them, without running it."""
    from bend.foresight import check_endings  # which imports torch
    from bend.grammars import check_texts

    places = {"sample": ".", "recipe": str(beside), "finetune": "."}
    words = stage.arguments(places)
    try:
        values = command.make_context(stage.do, words, help_option_names=_HELP).params
        checked_records(command, values)
        check_texts(stage.do, values)
        check_endings(stage.do, values)
        if stage.do == "finetune":
            given = {name: value for name, value in values.items() if value is not None}
            if missing := [name for name in ("data", "kimg") if name not in given]:
                raise RecipeError(f"{missing[0]}: is missing; a training needs data and kimg")
            TrainConfig(**{f.name: given[f.name] for f in dataclasses.fields(TrainConfig) if f.name in given})
        foresight.check(stage.do, values, stage.networks({"recipe": str(beside.absolute())}))
    except click.UsageError as error:
        param = getattr(error, "param", None)
        key = f"{param.name}: " if param is not None else ""
        reason = (error.message or "is missing") if param is not None else error.format_message()
        raise RecipeError(f"{key}{reason}") from None
    except (SettingsError, StyleganError) as error:
        raise RecipeError(str(error)) from None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _placed(value: Any, places: Mapping[str, str]) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(_placed(one, places) for one in value)
    text = str(value)
    for name, place in places.items():
        text = text.replace(f"{{{name}}}", place)
    return text


def _unknown(name: str, known: list[str]) -> str:
    return f"{name!r} is unknown; {meant(name, known)}"
