"""Photo sites and search engines as they are: errors as 200 or as plain text, repeats, keys in the address."""

from tests.fakes.server import Answer, FakeService, Request, as_json


class FakeFlickr(FakeService):
    """`stat: fail` in answers of 200; the pages after 4,000 results repeat the last ones."""

    num_results = 700
    is_busy = False
    """Answer the first request with a temporary failure."""

    def answer(self, request: Request) -> Answer:
        query = request.query
        if query.get("api_key") != "s3cret":
            return as_json(
                {"stat": "fail", "code": 100, "message": "Invalid API Key (Key has invalid format)"}
            )
        if self.is_busy and self.hits.total() == 1:
            return as_json({"stat": "fail", "code": 105, "message": "Service currently unavailable"})
        size, page = int(query["per_page"]), int(query["page"])
        wanted = [int(number) for number in query.get("license", "0,1,2,3,4,5,6,7,8,9,10").split(",")]
        end = min(self.num_results, 4000)
        start = min((page - 1) * size, max(0, end - size)) if page * size > 4000 else (page - 1) * size
        photos = [self._photo(number, wanted) for number in range(start, min(end, start + size))]
        return as_json(
            {
                "stat": "ok",
                "photos": {
                    "page": page,
                    "pages": -(-self.num_results // size),
                    "perpage": size,
                    "total": self.num_results,
                    "photo": photos,
                },
            }
        )

    def _photo(self, number: int, wanted: list[int]) -> dict[str, object]:
        record: dict[str, object] = {
            "id": str(5_000 + number),
            "owner": f"{number}@N00",
            "ownername": f"Ann {number}",
            "title": f"Rock {number}",
            "license": str(wanted[number % len(wanted)]),
            "url_m": self.picture_url(number, "small"),
            "width_m": 500,
            "height_m": "375",
        }
        if number % 4:
            record |= {"url_l": self.picture_url(number), "width_l": 1024, "height_l": "768"}
        if number % 3:
            record |= {
                "url_o": self.picture_url(number) + "?o",
                "width_o": 5000,
                "height_o": 4000,
                "o_width": "5000",
            }
        return record


class FakePixabay(FakeService):
    """Errors in plain text, 500 results, a page beyond the end refused."""

    num_results = 230

    def answer(self, request: Request) -> Answer:
        query = request.query
        headers = {"Content-Type": "text/plain", "X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99"}
        if query.get("key") != "s3cret":
            message = "[ERROR 400] Invalid or missing API key (https://pixabay.com/api/docs/)."
            return Answer(400, message.encode(), headers)
        size, page = int(query["per_page"]), int(query["page"])
        total = min(self.num_results, 500)
        if not 3 <= size <= 200 or (page - 1) * size >= total or len(query["q"]) > 100:
            return Answer(400, b'[ERROR 400] "page" is out of valid range.', headers)
        hits = [self._hit(number) for number in range((page - 1) * size, min(total, page * size))]
        return as_json({"total": self.num_results, "totalHits": total, "hits": hits})

    def _hit(self, number: int) -> dict[str, object]:
        return {
            "id": 7_000 + number,
            "pageURL": f"https://pixabay.com/photos/rock-{number}/",
            "previewURL": self.picture_url(number, "small"),
            "webformatURL": self.picture_url(number, "small"),
            "largeImageURL": self.picture_url(number),
            "imageWidth": 4000,
            "imageHeight": 3000,
            "user": f"Ann{number}",
            "tags": "rock, stone",
        }


class FakeGoogle(FakeService):
    """Ten results a page, a hundred in all; retired services answer 403 or 410."""

    num_results = 35
    is_retired: int | None = None

    def answer(self, request: Request) -> Answer:
        if self.is_retired:
            error = {
                "code": self.is_retired,
                "message": "This project does not have the access to Custom Search JSON API.",
            }
            return as_json({"error": error}, self.is_retired)
        query = request.query
        if query.get("key") != "s3cret" or query.get("cx") != "eng1ne":
            return as_json(
                {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}, 400
            )
        start, size = int(query["start"]), int(query["num"])
        if size > 10 or start + size - 1 > 100:
            return as_json({"error": {"code": 400, "message": "Request contains an invalid argument."}}, 400)
        offset = {"cc_publicdomain": 0, "cc_attribute": 1000, "cc_sharealike": 2000}.get(
            query.get("rights", ""), 0
        )
        end = min(self.num_results, 100, start + size - 1)
        answer: dict[str, object] = {
            "queries": {"request": [{"startIndex": start, "cx": "eng1ne"}]},
            "items": [self._item(offset + number) for number in range(start, end + 1)],
        }
        if end < min(self.num_results, 100):
            answer["queries"] = {"nextPage": [{"startIndex": end + 1, "cx": "eng1ne"}]}
        return as_json(answer)

    def _item(self, number: int) -> dict[str, object]:
        about = {
            "contextLink": f"https://blog.example/{number}",
            "width": 1200,
            "height": 900,
            "byteSize": 99,
            "thumbnailLink": self.picture_url(number, "small"),
        }
        return {
            "title": f"Rock {number}",
            "link": self.picture_url(number),
            "mime": "image/jpeg",
            "image": about,
        }


class FakeBrave(FakeService):
    """One answer of up to 200; the key in a header."""

    num_results = 150

    def answer(self, request: Request) -> Answer:
        if request.headers.get("x-subscription-token") != "s3cret":
            error = {
                "code": "SUBSCRIPTION_TOKEN_INVALID",
                "detail": "The provided subscription token is invalid.",
            }
            return as_json({"type": "ErrorResponse", "error": error}, 422)
        if int(request.query["count"]) > 200:
            return as_json({"error": {"detail": "count"}}, 422)
        return as_json(
            {"type": "images", "results": [self._result(number) for number in range(self.num_results)]}
        )

    def _result(self, number: int) -> dict[str, object]:
        return {
            "type": "image_result",
            "title": f"Rock {number}",
            "url": f"https://blog.example/{number}",
            "source": "blog.example",
            "thumbnail": {"src": self.picture_url(number, "small"), "width": 500, "height": 375},
            "properties": {"url": self.picture_url(number), "width": 1200, "height": 900},
        }
