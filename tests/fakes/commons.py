"""MediaWiki as it is: errors in answers of status 200, no `query` for no hit, HTML authors, missing licence URLs."""

from tests.fakes.server import Answer, FakeService, Request, as_json

_LICENCES = (
    ("cc-by-sa-4.0", "CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0"),
    ("pd", "Public domain", None),
    ("cc-by-2.0", "CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/deed.en"),
    ("cc0", "CC0", "http://creativecommons.org/publicdomain/zero/1.0/deed.en"),
    ("gfdl", "GFDL", "http://www.gnu.org/copyleft/fdl.html"),
)


class FakeCommons(FakeService):
    """Files are pictures `first_seed`, …, unsorted within a page; searches for "nothing" find none."""

    num_results = 30
    first_seed = 1001
    depth = 10_000
    """Results of a search that can be asked for; beyond, the answer is an error."""
    is_lagged = False
    """Answer the first request with maxlag."""

    def answer(self, request: Request) -> Answer:
        if request.path != "/w/api.php":
            return Answer(404)
        if request.headers.get("user-agent", "").startswith("python-requests"):
            return Answer(
                403, b"Please set a user-agent and respect our robot policy", {"Content-Type": "text/plain"}
            )
        if self.is_lagged and self.hits["/w/api.php"] == 1:
            error = {"code": "maxlag", "info": "Waiting for a database server: 6 seconds lagged.", "lag": 6}
            return as_json({"error": error, "servedby": "mw1"}, Retry_After="1")
        query = request.query
        if int(query.get("gsrlimit", 10)) > 500:
            return as_json({"error": {"code": "badinteger", "info": "<b>gsrlimit</b> may not be over 500"}})
        if query.get("gsrsearch", "").endswith("nothing"):
            return as_json({"batchcomplete": True})
        return as_json(self._page(int(query["gsroffset"]), int(query["gsrlimit"])))

    def _page(self, offset: int, limit: int) -> dict[str, object]:
        if offset + limit > self.depth:
            info = f"Pagination beyond {self.depth} is unsupported."
            return {"error": {"code": "cirrussearch-offset-too-large", "info": info}}
        end = min(self.num_results, offset + limit)
        pages = [self._file(index) for index in range(offset, end)]
        answer: dict[str, object] = {"query": {"pages": pages[::-1]}}
        if end < self.num_results:
            answer["continue"] = {"gsroffset": end, "continue": "gsroffset||"}
        else:
            answer["batchcomplete"] = True
        return answer

    def _file(self, index: int) -> dict[str, object]:
        seed = self.first_seed + index
        code, name, address = _LICENCES[index % len(_LICENCES)]
        facts = {
            "License": code,
            "LicenseShortName": name,
            "Artist": f'<a href="//commons.wikimedia.org/wiki/User:Bo" title="User:Bo">Bo&nbsp;{seed}</a>',
            "Credit": "<span>Own work</span>",
            "AttributionRequired": "false" if code in ("pd", "cc0") else "true",
            "UsageTerms": name,
        }
        if address:
            facts["LicenseUrl"] = address
        info = {
            "url": self.picture_url(seed) + "?original",
            "descriptionurl": f"https://commons.wikimedia.org/wiki/File:Bark_{seed}.jpg",
            "thumburl": self.picture_url(seed),
            "thumbwidth": 1280,
            "thumbheight": 960,
            "width": 4000,
            "height": 3000,
            "size": 5_000_000,
            "mime": "application/pdf" if index == 7 else "image/jpeg",
            "sha1": f"{seed:040x}",
            "user": "Bo",
            "extmetadata": {
                name: {"value": value, "source": "commons-desc-page"} for name, value in facts.items()
            },
        }
        return {
            "pageid": seed,
            "ns": 6,
            "title": f"File:Bark {seed}.jpg",
            "index": index + 1,
            "imageinfo": [info],
        }
