"""The work of `bend scrape`: the run with its progress bar, the dry run, the list of sources, the zip.

Searching, fetching and judging are done by `scrapers`; this module connects them to a terminal and to `bend.prepare`.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bend import __version__
from bend.engines import fetching, package_on_engine
from bend.errors import PackageError
from bend.prepare import PackageConfig
from bend.progress import tell
from scrapers.config import ClientConfig, DownloadRules, ScrapeConfig
from scrapers.errors import ScraperError, SourceError
from scrapers.gather import gather, preview
from scrapers.keys import with_config
from scrapers.licences import FAMILIES, parse_accepted
from scrapers.manifest import Entry
from scrapers.source import ImageRef, SourceInfo
from scrapers.sources import SOURCES, demand_sources, info_of
from stylegan.archive.faults import show_name

__all__ = ["Gathered", "describe_sources", "dry_record", "plan_scrape", "plan_zip", "run_dry", "run_scrape"]

_WIDEST = 1_000  # characters of a line of the dry run


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The result of a scrape, for a person and for a program."""

    lines: tuple[str, ...]
    record: dict[str, Any]


def run_scrape(
    config: ScrapeConfig,
    zip_config: PackageConfig | None = None,
    *,
    engine: str = "local",
    address: str | None = None,
) -> Gathered:
    """Fill the folder, showing progress on stderr, and package it if a zip is asked for.

    Args:
        config: the scrape.
        zip_config: the packaging that follows.
        engine: what both run on; see `bend.engines`.
        address: of a cluster.

    Raises:
        ScraperError: no picture was kept, or the folder is not a scrape's.
        PackageError: no zip can be made of them.
        SettingsError, ClusterError: the engine is not available.
    """
    with fetching(engine, address) as fetcher:
        with tqdm(total=config.count, unit="picture", disable=None) as bar:
            summary = gather(config, watch=_progress(bar), warn=tell, engine=fetcher)
        lines, record = summary.lines(), summary.to_json()
        if not summary.num_kept:
            raise ScraperError(f"no picture was kept; {'; '.join(line.strip() for line in lines)}")
        if zip_config is not None:
            report = package_on_engine(engine, address, zip_config)
            lines += report.lines()
            record["zip"] = report.to_json()
    return Gathered(lines=tuple(lines), record=record)


def plan_scrape(
    queries: tuple[str, ...],
    *,
    sources: str,
    licenses: str,
    filters: str,
    contact: str | None,
    **settings: Any,
) -> ScrapeConfig:
    """The scrape that was typed on a command line.

    Args:
        queries: words, files or folders.
        sources: names joined by commas.
        licenses: licence families joined by commas, or `any`.
        filters: names joined by commas.
        contact: mail or web address.
        **settings: other fields of `ScrapeConfig`, `ClientConfig` and `DownloadRules`.

    Raises:
        ValueError: a value makes no sense.
    """
    names = _names(sources)
    try:
        demand_sources(names)
    except SourceError as error:
        raise ValueError(str(error)) from None
    files = [query for query in queries if _is_path(query)]
    if files and not set(names) & {"urls", "folder"}:
        raise ValueError(f"{files[0]} is a file or folder; --source urls or --source folder takes it")
    client = ClientConfig(
        product=f"bend/{__version__}",
        contact=contact,
        allow_private_hosts=settings.pop("allow_private_hosts"),
    )
    rules = DownloadRules(ignore_opt_out=settings.pop("ignore_opt_out"))
    return ScrapeConfig(
        queries=queries,
        filters=_names(filters),
        sources=names,
        licenses=parse_accepted(licenses),
        client=client,
        rules=rules,
        **settings,
    )


def _is_path(query: str) -> bool:
    """Whether a query is a file or folder; a plain word is not, even if a folder, such as the output, has that name."""
    is_word = Path(query).name == query
    return os.path.isfile(query) or (os.path.isdir(query) and not is_word)  # noqa: PTH112, PTH113 - any text will do


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def plan_zip(folder: Path, out: Path, resolution: int, *, force: bool) -> PackageConfig:
    """The packaging that follows the scrape, refused before hours of scraping if it cannot work.

    Raises:
        ValueError: a value makes no sense.
        PackageError: the zip is there already.
    """
    try:
        config = PackageConfig(sources=(folder,), out=out, resolution=resolution, force=force)
    except PackageError as error:
        raise ValueError(str(error)) from None
    if out.exists() and not force:
        raise PackageError(f"{out}: is there already; choose another --zip, or --force to replace it")
    return config


def run_dry(config: ScrapeConfig) -> Iterator[str]:
    """Lines that say what would be fetched, and how much would be refused; nothing is written.

    Raises:
        SourceError: no source answers.
    """
    num_refs = 0
    refused: Counter[str] = Counter()
    for found in preview(config, warn=tell):
        if isinstance(found, ImageRef):
            num_refs += 1
            size = f"{found.width}x{found.height}" if found.width and found.height else "?"
            parts = (found.source, found.license, size, found.page_url or found.image_url, found.title or "")
            yield show_name("  ".join(parts), _WIDEST)
        else:
            refused[found.reason or ""] += 1
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in refused.most_common())
    told = f"{refused.total():,} refused unseen{f': {reasons}' if refused else ''}"
    yield f"would fetch {num_refs:,} pictures into {config.out}; {told}"


def dry_record(config: ScrapeConfig) -> dict[str, Any]:
    """The same for a program: every picture that would be fetched, and the refused ones by reason.

    Raises:
        SourceError: no source answers.
    """
    found = list(preview(config, warn=tell))
    return {
        "out": str(config.out),
        "pictures": [asdict(one) for one in found if isinstance(one, ImageRef)],
        "refused": dict(Counter(one.reason for one in found if isinstance(one, Entry))),
    }


def describe_sources(as_json: bool, environ: Mapping[str, str] | None = None) -> list[Any]:
    """The sources with keys, evidence, limits and terms: text blocks, or records for JSON.

    The value of a key is never shown, only whether it is set, in the environment or in the config file.

    Raises:
        ConfigError: the config file is broken.
    """
    environ = with_config(os.environ, tell) if environ is None else environ
    infos = [info_of(name) for name in SOURCES]
    return [_record(info, environ) if as_json else _block(info, environ) for info in infos]


def _record(info: SourceInfo, environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": info.name,
        "summary": info.summary,
        "keys": {key: bool(environ.get(key)) for key in info.keys},
        "optional_keys": {key: bool(environ.get(key)) for key in info.optional_keys},
        "key_page": info.key_page,
        "licenses": list(info.licenses),
        "evidence": info.evidence,
        "limits": info.limits,
        "terms": info.terms,
        "robots": info.obeys_robots,
        "notice": info.notice,
    }


def _block(info: SourceInfo, environ: Mapping[str, str]) -> str:
    keys = [f"{key} ({'set' if environ.get(key) else 'not set'})" for key in info.keys]
    keys += [f"{key} (optional, {'set' if environ.get(key) else 'not set'})" for key in info.optional_keys]
    is_open = set(info.licenses) == set(FAMILIES)
    facts = {
        "key": f"{', '.join(keys)}; {info.key_page}" if keys else "none needed",
        "licences": f"{'whatever is stated' if is_open else ', '.join(info.licenses)} ({info.evidence})",
        "limits": info.limits,
        "terms": info.terms,
        "note": info.notice,
    }
    rows = [f"  {name + ':':<10}{value}" for name, value in facts.items() if value]
    return "\n".join([f"{info.name}: {info.summary}", *rows])


def _progress(bar: Any) -> Callable[[Entry], None]:
    num_refused = 0

    def watch(entry: Entry) -> None:
        nonlocal num_refused
        if entry.is_kept:
            bar.update()
        else:
            num_refused += 1
            bar.set_postfix_str(f"{num_refused:,} refused, last: {entry.reason}", refresh=False)

    return watch
