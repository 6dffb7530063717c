"""The sources, one file each, in one literal table; a new one is a file, a row here, and a fake for its tests."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scrapers.api import Api
from scrapers.client import PoliteClient
from scrapers.errors import SourceError
from scrapers.journal import Journal
from scrapers.keys import config_path
from scrapers.source import Access, Source, SourceInfo

__all__ = ["SOURCES", "demand_keys", "demand_sources", "info_of", "make_source"]

# name -> (module, class). Modules are imported when a source is asked for.
SOURCES = {
    "openverse": ("scrapers.sources.openverse", "Openverse"),
    "commons": ("scrapers.sources.commons", "Commons"),
    "inaturalist": ("scrapers.sources.inaturalist", "INaturalist"),
    "met": ("scrapers.sources.met", "Met"),
    "gbif": ("scrapers.sources.gbif", "Gbif"),
    "nasa": ("scrapers.sources.nasa", "Nasa"),
    "smithsonian": ("scrapers.sources.smithsonian", "Smithsonian"),
    "flickr": ("scrapers.sources.flickr", "Flickr"),
    "pixabay": ("scrapers.sources.pixabay", "Pixabay"),
    "google": ("scrapers.sources.google", "Google"),
    "brave": ("scrapers.sources.brave", "Brave"),
    "urls": ("scrapers.sources.urls", "Urls"),
    "folder": ("scrapers.sources.folder", "Folder"),
}


def info_of(name: str) -> SourceInfo:
    """What a source says about itself.

    Raises:
        SourceError: there is no such source.
    """
    info: SourceInfo = _class_of(name).info
    return info


def make_source(
    name: str,
    client: PoliteClient,
    journal: Journal | None,
    environ: Mapping[str, str],
    *,
    out: Path | None = None,
) -> Source:
    """A source ready to search: its keys taken from `environ`, its limits given to the client's gate.

    `out` is the folder that the run fills. `BEND_<NAME>_URL` in the environment replaces the service's address.

    Raises:
        SourceError: there is no such source, or a key is missing.
    """
    kind = _class_of(name)
    info: SourceInfo = kind.info
    demand_keys(info, environ)
    keys = {
        key: environ[key].strip() for key in (*info.keys, *info.optional_keys) if environ.get(key, "").strip()
    }
    access = Access(
        keys=keys,
        base_url=environ.get(f"BEND_{name.upper()}_URL", "").rstrip("/") or None,
        is_identified=client.config.contact is not None,
        out=out,
    )
    source: Source = kind(Api(name, client, journal, secrets=tuple(keys.values())), access)
    for netloc, limit in source.limits.items():
        client.gate.set_limit(netloc, limit)
    return source


def demand_keys(info: SourceInfo, environ: Mapping[str, str]) -> None:
    """Refuse a source whose keys are not all set.

    Raises:
        SourceError: says which, and where to get one.
    """
    missing: Sequence[str] = [key for key in info.keys if not environ.get(key, "").strip()]
    if missing:
        raise SourceError(
            f"{info.name}: {' and '.join(missing)} must be set in the environment or under [keys] "
            f"in {config_path(environ)}; get a key at {info.key_page}"
        )


def demand_sources(names: Sequence[str]) -> None:
    """Refuse names that no source has.

    Raises:
        SourceError: says which, and which there are.
    """
    if unknown := [name for name in names if name not in SOURCES]:
        raise SourceError(f"{', '.join(unknown)}: no such source; choose from {', '.join(SOURCES)}")


def _class_of(name: str) -> Any:
    demand_sources([name])
    module, attribute = SOURCES[name]
    return getattr(importlib.import_module(module), attribute)
