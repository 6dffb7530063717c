"""Downloads over HTTPS that can be resumed, and appear whole or not at all.

What has arrived lies beside the final name as `NAME.part`, with a note of the server's validator (its strong ETag, or
the date of the last change), so that a later request asks for the rest only if the file is still the same (RFC 9110:
Range and If-Range). A stated length must agree with what arrives. Plain HTTP is allowed from loopback alone.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from bend.errors import ModelError
from stylegan.atomic import write_atomic

__all__ = ["Download", "fetch", "part_path"]

_BLOCK_BYTES = 1 << 14  # what a broken connection loses at most
_SPARE_BYTES = 64 << 20
_MOST_REDIRECTS = 5
_MOST_FAILURES = 5
_TIMEOUTS_S = (15, 60)  # to connect, and between two reads
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WORTH_RETRYING = (408, 425, 429, 500, 502, 503, 504)
_PACKED = re.compile(r"(x-)?gzip|deflate|br|zstd|(x-)?compress")
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What to fetch, and its limits."""

    url: str
    """Where from; HTTPS."""
    path: Path
    """Its final name; `fetch` leaves it there with `.part` appended."""
    max_bytes: int
    """More than this is refused."""
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None
    """Called after every block with the bytes so far, and the size of the file or None if that is unknown."""
    pause: Callable[[float], None] = time.sleep
    """Waits that many seconds before another attempt."""


class _BrokenError(Exception):
    """The connection broke; another attempt may go on from what has arrived."""


def part_path(path: Path) -> Path:
    """Where a download to `path` is gathered."""
    return path.with_name(f"{path.name}.part")


def fetch(download: Download) -> Path:
    """Fetch a file, going on with what an earlier attempt left.

    Returns:
        The complete part file, for the caller to check and rename.

    Raises:
        ModelError: refused by the server, too large, no room on the disk, or broken off too often; what has arrived
            stays for the next attempt.
        OSError: the disk cannot be written.
    """
    part = part_path(download.path)
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    with requests.Session() as session:
        session.headers.update({"User-Agent": "bend-gan", "Accept-Encoding": "identity"})
        while True:
            before = _size(part)
            try:
                _attempt(session, download, part)
                _note_path(part).unlink(missing_ok=True)
                return part
            except (_BrokenError, requests.ConnectionError, requests.Timeout) as error:
                failures = 1 if _size(part) > before else failures + 1
                if failures >= _MOST_FAILURES:
                    raise ModelError(
                        f"{download.url}: {_reason(error)}, {failures} times; {_size(part)} bytes are kept, "
                        "run the same command again to continue"
                    ) from None
                download.pause(2.0 ** (failures - 1))


def _attempt(session: requests.Session, download: Download, part: Path) -> None:
    """Make one request, following redirects, and store what it brings."""
    start, validator, known_total = _resumable(part, download.url)
    headers = {"Range": f"bytes={start}-", "If-Range": validator} if start else {}
    with contextlib.closing(_get(session, download.url, headers)) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable and start:
            _discard(part)
            raise _BrokenError("the server has a different file by now")
        if answer.status_code in _WORTH_RETRYING:
            raise _BrokenError(f"the server answers {answer.status_code}")
        if answer.status_code not in (200, 206):
            raise ModelError(
                f"{download.url}: the server answers {answer.status_code} {answer.reason}; check the address, or "
                "fetch the file by other means and pass its path"
            )
        if _PACKED.search(packing := answer.headers.get("Content-Encoding", "").lower()):
            raise ModelError(
                f"{download.url}: the server sends the file compressed ({packing}), which was not asked for; fetch "
                "it by other means and pass its path"
            )
        total = _total(answer, start)
        if answer.status_code == 200:
            start = 0
            _discard(part)  # before the note, which must never belong to another file's beginning
        elif total is None or (known_total is not None and total != known_total):
            _discard(part)
            raise _BrokenError("the server sends a part other than the one asked for")
        _check_room(download, total, start)
        _write_note(part, download.url, answer, total)
        _store(answer, download, part, start, total)


def _get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """A GET of which every redirect, too, is over HTTPS."""
    for _ in range(_MOST_REDIRECTS + 1):
        try:
            _check_scheme(url)
            answer = session.get(
                url, headers=headers, stream=True, timeout=_TIMEOUTS_S, allow_redirects=False
            )
            if not answer.is_redirect:
                return answer
            answer.close()
            url = urljoin(url, answer.headers["Location"])
        except requests.exceptions.InvalidHeader as error:
            raise ModelError(f"{url}: an answer that makes no sense ({error}); try again later") from None
        except (ValueError, OSError) as error:
            # A ValueError is of requests, of urllib3, or of text in no encoding; missing certificates are an OSError
            # without a number. Anything else is the network's or the disk's.
            if not isinstance(error, ValueError) and (
                isinstance(error, requests.RequestException) or error.errno is not None
            ):
                raise
            raise ModelError(
                f"{url}: cannot be requested ({error}); check the address, and the proxy and certificates that the "
                "environment names"
            ) from None
    raise ModelError(f"{url}: redirected more than {_MOST_REDIRECTS} times; try again later")


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ModelError(f"{url}: not an https address; nothing is downloaded from there")


def _total(answer: requests.Response, start: int) -> int | None:
    """The size of the whole file as the answer states it; None if it states none, or contradicts the request."""
    if answer.status_code == 206:
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        fits = match is not None and int(match[1]) == start and match[3] != "*"
        return int(match[3]) if match is not None and fits else None
    length = answer.headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"\d{1,18}", length) else None


def _check_room(download: Download, total: int | None, start: int) -> None:
    if total is not None and total > download.max_bytes:
        raise ModelError(f"{download.url}: {total} bytes, {_too_large(download)}")
    needed = (0 if total is None else total - start) + _SPARE_BYTES
    free = shutil.disk_usage(download.path.parent).free
    if free < needed:
        raise ModelError(
            f"{download.path.parent}: {needed >> 20} MiB are needed and {free >> 20} MiB are free; make room, or set "
            "BEND_CACHE to a folder on another disk"
        )


def _too_large(download: Download) -> str:
    return f"more than the {download.max_bytes >> 20} MiB that are allowed; pass a larger --max-mb if that is right"


def _store(answer: requests.Response, download: Download, part: Path, start: int, total: int | None) -> None:
    done = start
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        try:
            for block in answer.iter_content(_BLOCK_BYTES):
                done += len(block)
                if done > download.max_bytes or (total is not None and done > total):
                    break
                file.write(block)
                sys.audit("failpoint", "block", str(part))
                download.on_bytes(done, total)
        except requests.exceptions.ChunkedEncodingError:
            raise _BrokenError("the connection broke off") from None
        finally:
            file.flush()
            os.fsync(file.fileno())
    if done > download.max_bytes:
        _discard(part)
        raise ModelError(f"{download.url}: {_too_large(download)}")
    if total is not None and done > total:
        _discard(part)
        raise _BrokenError("the server sends more than it announced")
    if total is not None and done < total:
        raise _BrokenError("the connection broke off")
    if not done:
        raise _BrokenError("the server sends nothing")


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_note(part: Path, url: str, answer: requests.Response, total: int | None) -> None:
    etag = answer.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")
    note = {"url": url, "validator": validator, "total": total}
    write_atomic(_note_path(part), json.dumps(note) + "\n")


def _resumable(part: Path, url: str) -> tuple[int, str, int | None]:
    """How many bytes are there, their validator, and the size of the whole file; (0, "", None) to start anew."""
    size = _size(part)
    try:
        note = json.loads(_note_path(part).read_text())
        noted_url, validator, total = note["url"], note["validator"], note["total"]
    except (OSError, KeyError, TypeError, ValueError):
        return 0, "", None
    is_valid = isinstance(validator, str) and validator != "" and validator.isascii()
    is_short = total is None or (type(total) is int and size < total)
    if size and noted_url == url and is_valid and is_short:
        return size, validator, total
    return 0, "", None


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _reason(error: Exception) -> str:
    if isinstance(error, _BrokenError):
        return str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection (is its certificate valid, and this machine's clock right?)"
    return "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
