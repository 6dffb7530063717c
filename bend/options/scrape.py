"""The options of `bend scrape`, a group for each thing they are about; defaults are those of `scrapers.config`."""

from pathlib import Path
from typing import Any

import click

from bend.options.records import Decorator, default_of, option_group
from bend.options.shared import output_option
from scrapers.config import FILTERS, ScrapeConfig

__all__ = ["network_options", "output_options", "picture_options", "run_options"]


def _setting(flag: str, field: str, help_text: str, **settings: Any) -> Decorator:
    """An option that is a field of `ScrapeConfig` and has its default."""
    default = default_of(ScrapeConfig, field)
    shown = ",".join(default) if isinstance(default, tuple) else default
    return click.option(flag, field, default=shown, show_default=True, help=help_text, **settings)


def _flag(flag: str, help_text: str) -> Decorator:
    return click.option(flag, is_flag=True, help=help_text)


output_options = option_group(
    output_option(
        "The folder to fill.",
        "--out",
        required=False,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
    ),
    click.option(
        "--zip",
        "zip_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Package the folder as well.",
    ),
    click.option("--resolution", type=int, metavar="PX", help="Side of the images in the zip."),
    _flag("--force", "Replace the zip if it is there."),
)

picture_options = option_group(
    _setting(
        "--source", "sources", "Where to search, comma-separated; --list-sources shows all.", metavar="NAMES"
    ),
    _setting("--count", "count", "Pictures to have in the folder.", type=click.IntRange(min=1)),
    _setting("--license", "licenses", "Licences to take, comma-separated, or any.", metavar="NAMES"),
    _setting("--min-size", "min_size", "Shorter side, at least.", type=click.IntRange(min=1), metavar="PX"),
    _setting(
        "--max-distance",
        "max_distance",
        "Bits of 64 by which near-duplicates differ at most.",
        type=click.IntRange(0, 16),
    ),
    click.option(
        "--filter",
        "filters",
        default="",
        metavar="NAMES",
        help=f"What else to refuse, comma-separated: {', '.join(FILTERS)}.",
    ),
    click.option("--max-aspect", type=float, metavar="RATIO", help="Longer side over shorter side, at most."),
)

network_options = option_group(
    click.option(
        "--contact",
        envvar="BEND_CONTACT",
        metavar="MAIL_OR_URL",
        help="Address that hosts can write to about the traffic.",
    ),
    _setting("--workers", "workers", "Downloads at the same time.", type=click.IntRange(1, 256)),
    _flag("--keep-going", "Leave out what cannot be reached, instead of stopping."),
    _flag("--ignore-opt-out", "Take pictures whose owners ask to be left alone."),
    _flag("--allow-private-hosts", "Let addresses on your own network through."),
)

run_options = option_group(
    _flag("--retry", "Look again at what earlier runs refused."),
    _flag("--review", "Write review.html: what was kept, what was refused and why."),
    _flag("--dry-run", "Search, and show what would be fetched."),
    _flag("--list-sources", "Show the sources with keys, licences, limits and terms."),
    click.option("--json", "as_json", is_flag=True, help="Report as JSON."),
)
