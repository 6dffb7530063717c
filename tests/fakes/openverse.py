"""Openverse as it is: 401 above its page size, 400 for a wrong licence, 429 beyond its rate, 240 results deep."""

from tests.fakes.server import Answer, FakeService, Request, as_html, as_json

_LICENSES = {"by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "cc0", "pdm"}


class FakeOpenverse(FakeService):
    """Results are pictures 1, 2, 3, …; a few are repeated on the next page, as happens while an index changes."""

    num_results = 50
    first_seed = 1
    overlap = 2
    licenses = ("by", "by-sa", "cc0", "pdm", "by-nc", "by-nd")
    burst = 1000
    """Anonymous requests answered before 429."""
    is_blocked = False
    """Answer as the network in front of the service answers data centres."""

    def answer(self, request: Request) -> Answer:
        if self.is_blocked:
            return as_html("Sorry, you have been blocked", 403)
        if request.path == "/v1/auth_tokens/token/":
            return self._token(request)
        if request.path != "/v1/images/":
            return as_json({"detail": "Not found."}, 404)
        return self._search(request)

    def _token(self, request: Request) -> Answer:
        if (
            b"client_secret=s3cret" not in request.body
            or b"grant_type=client_credentials" not in request.body
        ):
            return as_json({"error": "invalid_client"}, 401)
        return as_json(
            {"access_token": "t0ken", "expires_in": 36000, "token_type": "Bearer", "scope": "read"}
        )

    def _search(self, request: Request) -> Answer:
        has_token = request.headers.get("authorization") == "Bearer t0ken"
        used = self.hits["/v1/images/"]
        limits = {
            "X-RateLimit-Limit-anon_burst": "20/min",
            "X-RateLimit-Available-anon_burst": str(max(0, 20 - used)),
        }
        if used > self.burst:
            seconds = 1
            detail = f"Request was throttled. Expected available in {seconds} seconds."
            answer = as_json({"detail": detail}, 429, Retry_After=str(seconds))
            self.burst += 1000
            return answer
        size = int(request.query.get("page_size", 20))
        if size > (50 if has_token else 20):
            return as_json({"detail": f"page_size must be between 1 & {50 if has_token else 20}"}, 401)
        wrong = set(request.query.get("license", "by").split(",")) - _LICENSES
        if wrong or len(request.query["q"]) > 200:
            fields = {
                "error": "InputError",
                "detail": f"Licenses {wrong} do not exist.",
                "fields": ["license"],
            }
            return as_json(fields, 400)
        answer = as_json(self._page(request, int(request.query.get("page", 1)), size))
        answer.headers |= limits
        return answer

    def _page(self, request: Request, page: int, size: int) -> dict[str, object]:
        wanted = request.query.get("license", ",".join(_LICENSES)).split(",")
        count = min(self.num_results, 240)
        found = [seed for seed in range(count) if self.licenses[seed % len(self.licenses)] in wanted]
        start = max(0, (page - 1) * size - (self.overlap if page > 1 else 0))
        return {
            "result_count": len(found),
            "page_count": -(-len(found) // size),
            "page_size": size,
            "page": page,
            "results": [self._record(seed) for seed in found[start : page * size]],
        }

    def _record(self, index: int) -> dict[str, object]:
        seed = self.first_seed + index
        code = self.licenses[index % len(self.licenses)]
        address = {"cc0": "publicdomain/zero/1.0", "pdm": "publicdomain/mark/1.0"}.get(
            code, f"licenses/{code}/2.0"
        )
        return {
            "id": f"00000000-0000-4000-8000-{seed:012d}",
            "title": f"Rock {seed}",
            "url": self.picture_url(seed),
            "thumbnail": self.picture_url(seed, "small"),
            "width": 4000,
            "height": 3000,
            "license": code,
            "license_version": "2.0",
            "license_url": f"https://creativecommons.org/{address}/",
            "creator": None if code == "pdm" else f"Ann {seed}",
            "creator_url": f"https://example.org/people/{seed}",
            "foreign_landing_url": f"https://example.org/photos/{seed}",
            "attribution": f'"Rock {seed}" by Ann {seed} is licensed under CC {code.upper()} 2.0.',
            "provider": "flickr",
            "source": "flickr",
            "category": None,
            "filesize": None,
            "filetype": "jpg",
            "tags": [{"name": "rock", "accuracy": None}],
            "mature": False,
            "detail_url": f"{self.url}/v1/images/{seed}/",
            "related_url": f"{self.url}/v1/images/{seed}/related/",
        }
