"""Options that are the fields of a frozen record: their defaults come from it, and their values are gathered in one."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import click

from bend.errors import BendError
from stylegan.errors import StyleganError

__all__ = [
    "Decorator",
    "checked_records",
    "default_of",
    "field_option",
    "option_group",
    "record_options",
    "usage_errors",
]

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

_RECORDS = "records"


def option_group(*options: Decorator) -> Decorator:
    """Several options as one decorator, shown in the order given."""
    return lambda function: functools.reduce(lambda done, option: option(done), reversed(options), function)


def record_options(config_type: type, keyword: str, *options: Decorator) -> Decorator:
    """Decorate a command with options, and pass it their values as one record, the argument `keyword`."""
    names = [field.name for field in dataclasses.fields(config_type)]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def gathered(*args: Any, **values: Any) -> Any:
            with usage_errors():
                record = config_type(**{name: values.pop(name) for name in names if name in values})
            return function(*args, **{keyword: record}, **values)

        setattr(gathered, _RECORDS, [*getattr(function, _RECORDS, []), config_type])
        return option_group(*options)(gathered)

    return decorate


def field_option(config_type: type, flag: str, field: str, help_text: str, **settings: Any) -> Decorator:
    """An option for a field of a record, with the field's default."""
    default = default_of(config_type, field)
    shown = default is not None and default != () and not settings.get("is_flag")
    return click.option(flag, field, default=default, show_default=shown, help=help_text, **settings)


def default_of(config_type: type, name: str) -> Any:
    """The default of a record's field."""
    return next(field.default for field in dataclasses.fields(config_type) if field.name == name)


def checked_records(command: click.Command, values: Mapping[str, Any]) -> None:
    """Check parsed values by building the records that a command would build of them.

    Raises:
        BendError, StyleganError: a record refuses them.
    """
    for config_type in getattr(command.callback, _RECORDS, []):
        names = [field.name for field in dataclasses.fields(config_type)]
        config_type(**{name: values[name] for name in names if name in values})


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a record's refusal into a usage error (exit status 2)."""
    try:
        yield
    except (BendError, StyleganError) as error:
        raise click.UsageError(str(error)) from None
