"""A server of one file that can be told to misbehave, once or always."""

from collections.abc import Iterable

from tests.fakes.server import Answer, FakeServer, Request, ranged

__all__ = ["Shop"]


class Shop(FakeServer):
    """Serves `body` as `/net.pkl`, with an ETag and ranges.

    Args:
        body: the file.
        faults: what to do to the first answers, one each; see `answer`.
        etag: the file's validator; empty for none.
    """

    def __init__(self, body: bytes, faults: Iterable[str] = (), etag: str = '"one"') -> None:
        super().__init__()
        self.body = body
        self.etag = etag
        self.faults = list(faults)

    @property
    def address(self) -> str:
        return f"{self.url}/net.pkl"

    def answer(self, request: Request) -> Answer:
        if request.path != "/net.pkl":
            target = {"/loop": "/loop", "/moved": "/net.pkl"}.get(request.path)
            return Answer(404) if target is None else Answer(302, headers={"Location": target})
        fault, *self.faults = self.faults or [""]
        if fault.isdecimal():
            return Answer(int(fault))
        true = ranged(request, self.body, self.etag, "application/octet-stream")
        if not self.etag:
            true = Answer(200, self.body)
        size, tag = len(true.body), {"ETag": self.etag}
        half = true.body[: size // 2]
        return {
            "": true,
            # half of it, then the connection drops
            "drop": Answer(true.status, half, {**true.headers, "Content-Length": str(size)}, closes=True),
            # claims to be shorter than it is
            "short": Answer(200, half, tag),
            "no-length": Answer(200, self.body, tag, has_length=False, closes=True),
            "huge": Answer(200, b"x", {"Content-Length": str(1 << 40)}, closes=True),
            "other-range": Answer(206, b"y" * 10, {"Content-Range": f"bytes 0-9/{size * 2}"}),
            "endless-range": Answer(206, b"y" * 10, {"Content-Range": f"bytes {'9' * 5000}-9/*"}),
            "packed": Answer(200, self.body, {**tag, "Content-Encoding": "gzip"}),
            "two-lengths": Answer(200, self.body, {"Content-Length": "5, 6"}, has_length=False, closes=True),
            "bad-address": Answer(302, headers={"Location": "https://["}),
            "bad-host": Answer(302, headers={"Location": f"https://{'a' * 80}.com/"}),
            "bad-text": Answer(302, headers={"Location": "https://\xe9\xff/"}),
            "elsewhere": Answer(302, headers={"Location": "http://example.com/net.pkl"}),
            "page": Answer(200, b"<!doctype html><p>please log in"),
        }[fault]
