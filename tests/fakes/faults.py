"""A server of faults: each path misbehaves in one of the real web's ways, and counts how often it is asked for."""

import gzip
import time
from collections.abc import Callable
from email.utils import formatdate

from tests.fakes.pictures import encoded, jpeg
from tests.fakes.server import Answer, FakeServer, Request, as_html, ranged

_JPEG = {"Content-Type": "image/jpeg"}
_BREAK_AT = 40_000


def large(seed: int) -> bytes:
    """A picture that is worth resuming."""
    return encoded(seed, side=1000, quality=98)


class FaultServer(FakeServer):
    """`/NAME.jpg` misbehaves as its name says; see `FAULTS` in the tests for what must come of each."""

    robots = "User-agent: bend\nDisallow: /private/\n\nUser-agent: *\nDisallow:\n"

    def answer(self, request: Request) -> Answer:
        if request.path == "/robots.txt":
            return Answer(200, self.robots.encode(), {"Content-Type": "text/plain"})
        name = request.path.strip("/").removesuffix(".jpg").replace("-", "_").replace("/", "_")
        handler: Callable[[Request, int, bytes], Answer] | None = getattr(self, f"on_{name}", None)
        if handler is None:
            return Answer(404)
        return handler(request, self.hits[request.path], jpeg(sum(name.encode())))

    # statuses
    def on_missing(self, request: Request, hit: int, body: bytes) -> Answer:
        return as_html("no such page", 404)

    def on_gone(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(410)

    def on_legal(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(451)

    def on_forbidden(self, request: Request, hit: int, body: bytes) -> Answer:
        return as_html("hotlinking", 403)

    def on_broken_server(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(500)

    def on_recovers(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(503) if hit < 3 else Answer(200, body, _JPEG)

    def on_early(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(425) if hit == 1 else Answer(200, body, _JPEG)

    def on_times_out_once(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(408) if hit == 1 else Answer(200, body, _JPEG)

    def on_busy_seconds(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(429, b"", {"Retry-After": "1"}) if hit == 1 else Answer(200, body, _JPEG)

    def on_busy_date(self, request: Request, hit: int, body: bytes) -> Answer:
        when = formatdate(time.time() + 1, usegmt=True)
        return Answer(429, b"", {"Retry-After": when}) if hit == 1 else Answer(200, body, _JPEG)

    def on_busy_for_hours(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(429, b"", {"Retry-After": "7200"})

    # redirects
    def on_moved(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(301, b"", {"Location": "/moved-target.jpg"})

    def on_moved_target(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, _JPEG)

    def on_to_private(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(302, headers={"Location": "/private/b.jpg"})

    def on_loop(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(302, b"", {"Location": "/loop.jpg"})

    def on_to_file(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(302, b"", {"Location": "file:///etc/hostname"})

    def on_to_no_address(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(302, b"", {"Location": "http://[::1"})

    def on_to_latin_1(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(302, b"", {"Location": "/caf\xe9.jpg"})

    # bodies that are not pictures
    def on_html(self, request: Request, hit: int, body: bytes) -> Answer:
        answer = as_html("please log in")
        answer.headers |= _JPEG
        return answer

    def on_svg(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, b'<svg xmlns="http://www.w3.org/2000/svg"/>', _JPEG)

    def on_empty(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, b"", _JPEG)

    def on_no_content(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(204, b"", has_length=False)

    def on_truncated_picture(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body[:-3000], _JPEG)

    def on_wrong_type(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"Content-Type": "text/html"})

    def on_garbage(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, b"\x00" * 10 + body, _JPEG)

    # lengths
    def on_short_once(self, request: Request, hit: int, body: bytes) -> Answer:
        """The connection breaks; the rest can be had by Range."""
        whole = large(sum(b"short_once"))
        if hit > 1:
            return ranged(request, whole, '"a"', "image/jpeg")
        headers = {"Content-Length": str(len(whole)), "ETag": '"a"', **_JPEG}
        return Answer(200, whole[:_BREAK_AT], headers, closes=True)

    def on_changes(self, request: Request, hit: int, body: bytes) -> Answer:
        """The file changes while it is fetched; the server honours If-Range."""
        whole = large(sum(b"changes"))
        if hit > 1:
            return ranged(request, large(4711), '"b"', "image/jpeg")
        headers = {"Content-Length": str(len(whole)), "ETag": '"a"', **_JPEG}
        return Answer(200, whole[:_BREAK_AT], headers, closes=True)

    def on_changes_rudely(self, request: Request, hit: int, body: bytes) -> Answer:
        """The same from a server that ignores If-Range and sends a part of the new file."""
        whole = large(sum(b"changes_rudely"))
        fresh = large(4712)
        headers = {"Content-Length": str(len(whole)), "ETag": '"a"', **_JPEG}
        if hit == 1:
            return Answer(200, whole[:_BREAK_AT], headers, closes=True)
        headers = {"ETag": '"b"', **_JPEG}
        if "range" not in request.headers:
            return Answer(200, fresh, headers)
        shown = f"bytes {_BREAK_AT}-{len(fresh) - 1}/{len(fresh)}"
        return Answer(206, fresh[_BREAK_AT:], {**headers, "Content-Range": shown})

    def on_range_refused(self, request: Request, hit: int, body: bytes) -> Answer:
        whole = large(sum(b"range_refused"))
        if hit == 1:
            headers = {"Content-Length": str(len(whole)), "ETag": '"a"', **_JPEG}
            return Answer(200, whole[:_BREAK_AT], headers, closes=True)
        return Answer(416) if "range" in request.headers else Answer(200, whole, _JPEG)

    def on_claims_too_much(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"Content-Length": str(len(body) + 500), **_JPEG}, closes=True)

    def on_claims_too_little(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"Content-Length": str(len(body) - 3000), **_JPEG}, closes=True)

    def on_length_without_end(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"Content-Length": "9" * 5000, **_JPEG}, closes=True)

    def on_range_without_end(self, request: Request, hit: int, body: bytes) -> Answer:
        whole = large(sum(b"range_without_end"))
        headers = {"Content-Length": str(len(whole)), "ETag": '"a"', **_JPEG}
        if hit == 1:
            return Answer(200, whole[:_BREAK_AT], headers, closes=True)
        if "range" not in request.headers:
            return Answer(200, whole, headers)
        shown = f"bytes {'9' * 5000}-{len(whole) - 1}/{len(whole)}"
        return Answer(206, whole[_BREAK_AT:], {"ETag": '"a"', "Content-Range": shown, **_JPEG})

    def on_negative_chunk(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, b"-5\r\nabc\r\n", {"Transfer-Encoding": "chunked", **_JPEG}, has_length=False)

    def on_no_length(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, _JPEG, has_length=False)

    def on_too_large(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, b"", {"Content-Length": str(1 << 40), **_JPEG}, closes=True)

    def on_endless(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body + b"\0" * (3 << 20), _JPEG, has_length=False)

    # encodings
    def on_gzipped(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, gzip.compress(body, mtime=0), {"Content-Encoding": "gzip", **_JPEG})

    def on_gzipped_in_secret(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, gzip.compress(body, mtime=0), _JPEG)

    def on_claims_gzip(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"Content-Encoding": "gzip", **_JPEG})

    def on_gzip_bomb(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, gzip.compress(b"\0" * (8 << 20), mtime=0), {"Content-Encoding": "gzip", **_JPEG})

    # time
    def on_slow_body(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, _JPEG, pace=(16, 0.05))

    def on_slow_start(self, request: Request, hit: int, body: bytes) -> Answer:
        time.sleep(3)
        return Answer(200, body, _JPEG)

    # owners' wishes
    def on_noai(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"X-Robots-Tag": "noai, noimageai", **_JPEG})

    def on_noindex_for_us(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"X-Robots-Tag": "bend: noimageindex", **_JPEG})

    def on_noindex_for_others(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, {"X-Robots-Tag": "googlebot: noindex", **_JPEG})

    def on_private_a(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, body, _JPEG)

    # formats
    def on_png(self, request: Request, hit: int, body: bytes) -> Answer:
        return Answer(200, encoded(99, kind="PNG"), _JPEG)
