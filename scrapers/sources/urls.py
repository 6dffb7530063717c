"""A list of addresses: a text file, a CSV or TSV with a header, a Parquet file, or one address itself.

In a text file every line is an address, `#` begins a comment. In a table the address stands in a column `image_url`
or `url`; columns named as the fields of `ImageRef` (`license`, `creator`, `page_url`, …) are taken along, and
without a `license` the picture's licence is unknown. Files are read as they are needed, so a list may be of any
length. The hosts never agreed to serve programs, so their robots.txt is asked first.
"""

import codecs
import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scrapers.answers import address_id, pixels, text, web_address
from scrapers.api import Api
from scrapers.errors import SourceError
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Urls"]

_ADDRESS_COLUMNS = ("image_url", "url", "URL", "link")
_ROWS_AT_ONCE = 1024


class Urls:
    """Addresses from a file."""

    info = SourceInfo(
        name="urls",
        summary="a text file of addresses, or a CSV, TSV or Parquet column",
        evidence="none",
        limits="each host's robots.txt",
        obeys_robots=True,
        searches=False,
    )
    limits: Mapping[str, HostLimit] = {}

    def __init__(self, api: Api, access: Access) -> None:
        pass

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield the addresses of the file `query`, in its order."""
        for row in _rows(query):
            if ref := _ref(row, query):
                yield ref


def _rows(query: str) -> Iterator[Mapping[str, Any]]:
    if query.startswith(("http://", "https://")):
        yield {"image_url": query}
        return
    path = Path(query)
    if not path.is_file():
        raise SourceError(
            f"{path}: no such file; `--source urls` takes a text, CSV, TSV or Parquet file of addresses"
        )
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        yield from _parquet_rows(path)
    elif suffix in (".csv", ".tsv"):
        yield from _table_rows(path, "\t" if suffix == ".tsv" else ",")
    else:
        with path.open(encoding=_encoding(path), errors="replace") as lines:
            for line in lines:
                yield {"image_url": line.split(" #")[0].strip() if not line.startswith("#") else ""}


def _encoding(path: Path) -> str:
    """UTF-8, or UTF-16 where the file begins by saying so, as what PowerShell and Excel on Windows write does."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _table_rows(path: Path, delimiter: str) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding=_encoding(path), errors="replace", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        try:
            _demand_column(path, reader.fieldnames or ())
            yield from reader
        except csv.Error as error:
            raise SourceError(f"{path}: line {reader.line_num + 1} is not readable ({error})") from None


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SourceError(
            f"{path}: reading Parquet needs pyarrow; install it, or give the list as CSV"
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _demand_column(path, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise SourceError(f"{path}: not readable as Parquet ({' '.join(str(error).split())[:100]})") from None


def _demand_column(path: Path, columns: Any) -> None:
    if not set(columns) & set(_ADDRESS_COLUMNS):
        raise SourceError(
            f"{path}: has no column image_url or url, only {', '.join(map(str, columns)) or 'none'}"
        )


def _ref(row: Mapping[str, Any], query: str) -> ImageRef | None:
    # As it stands: what is not an address is refused by name later, so that no line is passed over in silence.
    cells = (str(row.get(name) or "").strip() for name in _ADDRESS_COLUMNS)
    address = next(filter(None, cells), None)
    if address is None:
        return None
    stated = text(row.get("license"))
    licence = normalise(text(row.get("license_url")) or stated, stated)
    title, creator = text(row.get("title")), text(row.get("creator"))
    page_url = web_address(row.get("page_url"))
    return ImageRef(
        source="urls",
        id=address_id(address),
        image_url=address,
        width=pixels(row.get("width")),
        height=pixels(row.get("height")),
        license=licence.id,
        license_url=web_address(row.get("license_url")) or licence.url,
        license_evidence="per-image" if licence.is_known else "none",
        creator=creator,
        creator_url=web_address(row.get("creator_url")),
        page_url=page_url,
        title=title,
        attribution=text(row.get("attribution")) or credit_line(title, creator, licence.id, page_url),
        query=text(row.get("query")) or query,
    )
