"""Who made the pictures: an attribution list of a scrape, a data set, a run, or a rendered picture or film.

A scrape's folder has a manifest, a data-set zip has the same facts in its `dataset.json`, a run folder names the zip
that it was trained on, and a rendered picture or film names the network that drew it. `collect` follows these from any
of them back to the original pictures. Licences that forbid commercial use or adaptations, and pictures of unknown
licence, are flagged; what follows from that is for a person to judge.
"""

import contextlib
import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bend.errors import BendError
from bend.prepare.origins import MANIFEST_NAME, origin_of, read_manifest
from bend.prepare.unpacked import read_unpacked
from bend.stores.address import is_address, parse_address
from bend.stores.fetching import fetch_data
from bend.stores.marker import data_address
from bend.stores.networks import fetch_options
from scrapers.licences import family_of, is_no_derivatives, is_non_commercial, normalise
from scrapers.source import credit_line
from stylegan.printable import printable
from stylegan.run_names import OPTIONS, RUN, SNAPSHOT, readings

__all__ = ["FORMATS", "Credit", "collect", "concerns", "render"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """One original picture.

    Attributes:
        line: the attribution as plain text.
        title, creator, creator_url, license, license_url, page_url: its parts, empty where unknown.
        source: the service where it was found.
        num_images: how many images or files were made of it.
        flags: `NC`, `ND`, `unknown`, separated by spaces; empty where nothing needs care.
    """

    line: str
    title: str
    creator: str
    creator_url: str
    license: str
    license_url: str
    page_url: str
    source: str
    num_images: int
    flags: str


def collect(path: Path) -> list[Credit]:
    """The credits behind a folder, zip, run, picture or film, always in the same order.

    Raises:
        BendError: nothing there leads to pictures with credits.
        ArchiveError: the zip cannot be read.
    """
    from stylegan.archive.shard_names import is_shard_set

    is_data = path.suffix.lower() == ".zip" or is_shard_set(str(path))
    if not path.exists() and not is_data:
        return _behind_name(str(path))
    if (path / MANIFEST_NAME).is_file():
        origins, _ = read_manifest(path / MANIFEST_NAME)
        return _credits(origin for file, origin in origins.items() if (path / file).exists())
    if (path / OPTIONS).is_file():
        return collect(_data_of(path))
    if (unpacked := read_unpacked(path)) is not None:
        return _credits(origin for name, origin in unpacked.origins.items() if (path / name).exists())
    if is_data:
        return _credits(
            {**origin_of(source), "parent": str(source.get("parent", ""))} for source in _sources_of(path)
        )
    if path.is_dir():
        raise BendError(
            f"{path}: holds neither {MANIFEST_NAME} nor {OPTIONS}; give a scrape's or a run's folder"
        )
    return _behind(path)


def concerns(found: list[Credit]) -> list[str]:
    """What a person should look at before publishing, a line each."""
    meanings = {
        "ND": "forbid adaptations (ND); a broken picture may be one",
        "NC": "forbid commercial use (NC)",
        "unknown": "have no known licence",
    }
    counts = {flag: sum(flag in credit.flags.split() for credit in found) for flag in meanings}
    return [
        f"{counts[flag]:,} of {len(found):,} {meaning}" for flag, meaning in meanings.items() if counts[flag]
    ]


def render(found: list[Credit], format: str) -> str:
    """The list as `text`, `markdown`, `csv` or `json`, without a final newline."""
    return FORMATS[format](found).rstrip("\n")


def _text(found: list[Credit]) -> str:
    lines = [f"{credit.line}{f' [{credit.flags}]' if credit.flags else ''}" for credit in found]
    return "\n".join(dict.fromkeys(lines))  # details of one picture are credited alike


def _markdown(found: list[Credit]) -> str:
    rows = ["| Picture | Creator | Licence | Note |", "|---|---|---|---|"]
    for credit in found:
        title = _linked(credit.title or "Untitled", credit.page_url)
        creator = _linked(credit.creator, credit.creator_url)
        rows.append(
            f"| {title} | {creator} | {_linked(credit.license, credit.license_url)} | {credit.flags} |"
        )
    return "\n".join(rows)


def _csv(found: list[Credit]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(Credit.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in asdict(credit).items()} for credit in found)
    return buffer.getvalue()


def _json(found: list[Credit]) -> str:
    return json.dumps([asdict(credit) for credit in found], indent=2, ensure_ascii=False)


FORMATS = {"text": _text, "markdown": _markdown, "csv": _csv, "json": _json}


def _credits(origins: Iterable[Mapping[str, str]]) -> list[Credit]:
    """One credit for each original, however many images were made of it."""
    alike: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for origin in origins:
        alike.setdefault(_identity(origin), []).append(origin)
    return [_credit(found[0], len(found)) for _, found in sorted(alike.items())]


def _identity(origin: Mapping[str, str]) -> tuple[str, ...]:
    """The same for all images that were made of one original."""
    named = ("source", "id") if origin.get("id") else ("image_url", "page_url", "title", "creator")
    key = tuple(origin.get(name, "") for name in named)
    return key if any(key) else (origin.get("parent", ""),)  # nothing known but the file it was cut from


def _credit(stated_origin: Mapping[str, str], num_images: int) -> Credit:
    # Strangers wrote this text: no control characters of theirs may reach a terminal.
    origin = {name: printable(value) for name, value in stated_origin.items()}
    stated = origin.get("license", "")
    # Manifests of other programs name licences in their own way.
    identifier = stated if family_of(stated) != "unknown" else normalise(origin.get("license_url"), stated).id
    flags = ("NC", is_non_commercial(identifier)), ("ND", is_no_derivatives(identifier))
    raised = [name for name, is_raised in flags if is_raised]
    if family_of(identifier) == "unknown":
        raised = ["unknown"]
    title, creator, page_url = (origin.get(name, "") for name in ("title", "creator", "page_url"))
    title = title or origin.get("parent", "")
    return Credit(
        line=origin.get("attribution") or credit_line(title, creator, stated or identifier, page_url),
        title=title,
        creator=creator,
        creator_url=origin.get("creator_url", ""),
        license=stated or identifier,
        license_url=origin.get("license_url", ""),
        page_url=page_url,
        source=origin.get("source", ""),
        num_images=num_images,
        flags=" ".join(raised),
    )


def _data_of(run: Path) -> Path:
    """The data set that a run was trained on."""
    from stylegan.archive.shard_names import are_there

    if address := data_address(run):
        return fetch_data(parse_address(address))
    try:
        options = json.loads((run / OPTIONS).read_bytes())
        typed = Path(options["config"]["data"])  # from wherever the training was started
        recorded = Path(options.get("data", {}).get("path") or typed)
        found = [path for path in (recorded, typed) if are_there(str(path))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BendError(f"{run / OPTIONS}: does not name the data set; give the zip itself") from None
    if not found:
        raise BendError(f"{run}: was trained on {typed}, which is not there; give the zip itself")
    return found[0]


def _behind_name(name: str) -> list[Credit]:
    """The credits behind a network that is given as `RUN@KIMG`, or by its own name."""
    from stylegan.checkpoint.load import EMBEDDED

    if (run := _run_of(name)) is not None:
        return collect(run)
    if name in EMBEDDED:
        return [_credit_of_embedded(name)]
    raise BendError(f"{name}: no such file or folder")


def _behind(path: Path) -> list[Credit]:
    """The credits behind a network, or a rendered picture or film."""
    from bend.provenance import read_provenance, workplace
    from stylegan.checkpoint.known import KNOWN
    from stylegan.checkpoint.load import EMBEDDED

    for name, embedded in EMBEDDED.items():
        if path.resolve() == embedded.resolve():
            return [_credit_of_embedded(name)]
    if path.suffix == ".safetensors":
        if (path.parent / OPTIONS).is_file():
            return collect(path.parent)
        raise BendError(
            f"{path}: a network outside a run folder; give the data set that it was trained on, which"
            " `bend models info` names"
        )
    note = read_provenance(path)
    if note is None:
        raise BendError(
            f"{path}: neither a data set nor a picture rendered by bend; give a folder, a zip or a run"
        )
    with contextlib.chdir(workplace(path, note)):
        runs = {name: _run_behind(name) for name in note.paths if name == note.network or _may_be_run(name)}
        data = [_data_of(run).absolute() for run in runs.values() if run is not None]
        if note.network not in EMBEDDED and runs.get(note.network) is None:
            is_there = note.network in KNOWN or Path(note.network).exists()
            why = "is in no run folder" if is_there else "is no longer there"
            raise BendError(
                f"{path}: was rendered from {note.network}, which {why}; give the data set that it was trained on"
            )
        return _united(dict.fromkeys(data)) if data else [_credit_of_embedded(note.network)]


def _may_be_run(name: str) -> bool:
    """Whether a file of the work may be a run or in one; of an address its form tells, without asking the store."""
    last = _without_kimg(name).rpartition("/")[2]
    return not is_address(name) or any(pattern.fullmatch(last) for pattern in (RUN, SNAPSHOT))


def _run_behind(name: str) -> Path | None:
    return fetch_options(parse_address(_without_kimg(name))) if is_address(name) else _run_of(name)


def _run_of(name: str) -> Path | None:
    """The run folder that a network is, or is in: by the name of a folder, of a file, or `RUN@KIMG`."""
    path = Path(name)
    is_network = path.suffix in (".safetensors", ".pkl", ".pt") and path.is_file()
    for folder in (path.parent if is_network else path, Path(_without_kimg(name))):
        if (folder / OPTIONS).is_file():
            return folder
    return None


def _without_kimg(name: str) -> str:
    return readings(name)[-1][0]


def _united(data: Iterable[Path]) -> list[Credit]:
    """The credits of several data sets, each original once."""
    counts: Counter[Credit] = Counter()
    for credit in itertools.chain.from_iterable(map(collect, data)):
        counts[replace(credit, num_images=0)] += credit.num_images
    return [replace(credit, num_images=count) for credit, count in counts.items()]


def _credit_of_embedded(name: str) -> Credit:
    """The credit of a network that comes with bend: its licence, and the model card that names its pictures."""
    from stylegan.checkpoint import outline_network
    from stylegan.checkpoint.load import EMBEDDED

    licence = outline_network(name).meta.licence
    card = EMBEDDED[name].with_suffix(".md")
    return Credit(
        line=f"{name}, the network that comes with bend, {licence}; its data and their makers are described in {card}",
        title=f"{name}, the network that comes with bend",
        creator=f"described in {card}",
        creator_url="",
        license=licence,
        license_url="",
        page_url="",
        source="bend",
        num_images=1,
        flags="",
    )


def _sources_of(path: Path) -> Iterator[dict[str, Any]]:
    """What a data set says of each of its pictures; an empty dict where it says nothing."""
    from stylegan.archive import open_dataset

    data = open_dataset(path)
    num_known = 0
    for source in data.iterate_sources():
        num_known += 1
        yield source
    yield from itertools.repeat({}, data.num_originals - num_known)


def _linked(text: str, address: str) -> str:
    plain = re.sub(r"[\\|\[\]]", r"\\\g<0>", text).replace("<", "&lt;")
    safe = address.replace(")", "%29").replace("(", "%28").replace("|", "%7C").replace(" ", "%20")
    return f"[{plain}]({safe})" if safe.startswith(("http://", "https://")) else plain


def _inert(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: strangers chose the titles."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
