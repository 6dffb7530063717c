"""Museums and naturalists as they are: 403 pages for haste, ids that lead nowhere, a licence for each photo or none."""

from tests.fakes.server import Answer, FakeService, Request, as_html, as_json


class FakeINaturalist(FakeService):
    """Observations of one or two photos; `url` is the square thumb."""

    num_results = 430
    codes = ("cc-by", "cc0", None, "cc-by-nc", "cc-by-sa")

    def answer(self, request: Request) -> Answer:
        if request.path != "/v1/observations":
            return as_json({"error": "Unknown path", "status": 404}, 404)
        query = request.query
        size = int(query["per_page"])
        if size > 200:
            return as_json({"error": {"original": "per_page"}, "status": 422}, 422)
        start = int(query.get("id_above", 0))
        wanted = set(query.get("photo_license", "").split(",")) - {""}
        found = [
            n for n in range(start + 1, self.num_results + 1) if not wanted or self.codes[n % 5] in wanted
        ]
        results = [self._observation(number) for number in found[:size]]
        return as_json({"total_results": len(found), "page": 1, "per_page": size, "results": results})

    def _observation(self, number: int) -> dict[str, object]:
        # An observation matches by one photo; its others may be under any licence.
        photos = [self._photo(2 * number, self.codes[number % 5]), self._photo(2 * number + 1, None)]
        return {
            "id": number,
            "uri": f"https://www.inaturalist.org/observations/{number}",
            "species_guess": "moss",
            "taxon": {"name": "Bryophyta"} if number % 2 else None,
            "user": {"login": f"ann{number}", "name": None if number % 3 else f"Ann {number}"},
            "photos": photos[: 1 + number % 2],
        }

    def _photo(self, number: int, code: str | None) -> dict[str, object]:
        return {
            "id": 20_000 + number,
            "license_code": code,
            "url": f"{self.media_host.url}/media/{number}/square.jpg",
            "attribution": f"(c) Ann {number}, some rights reserved",
            "original_dimensions": {"width": 2048, "height": 1536} if number % 4 else None,
        }


class FakeMet(FakeService):
    """All ids at once, then one object per request; too many requests in a row get an HTML page."""

    num_results = 12
    patience = 1000
    """Requests before the first 403."""

    def answer(self, request: Request) -> Answer:
        if self.hits.total() == self.patience:
            return as_html("Request unsuccessful. Incapsula incident ID: 0", 403)
        service, _, rest = request.path.removeprefix("/public/collection/v1/").partition("/")
        if service == "search":
            if request.query["q"] == "nothing":
                return as_json({"total": 0, "objectIDs": None})
            return as_json({"total": self.num_results, "objectIDs": list(range(1, self.num_results + 1))})
        number = int(rest)
        if number % 5 == 0:
            return as_json({"message": "Not a valid object"}, 404)
        is_free = number % 3 != 0
        return as_json(
            {
                "objectID": number,
                "isPublicDomain": is_free,
                "primaryImage": self.picture_url(number) if is_free else "",
                "primaryImageSmall": self.picture_url(number, "small") if is_free else "",
                "additionalImages": [],
                "artistDisplayName": "" if number % 2 else "Katsushika Hokusai",
                "objectURL": f"https://www.metmuseum.org/art/collection/search/{number}",
                "title": f"Rock {number}",
            }
        )


class FakeGbif(FakeService):
    """Records whose own licence, CC0, is not that of their media; licences as URL, code and words."""

    num_results = 320
    licences = (
        "http://creativecommons.org/licenses/by/4.0/",
        "CC0_1_0",
        "© all rights reserved",
        "http://creativecommons.org/licenses/by-nc/4.0/legalcode",
        None,
        "http://creativecommons.org/publicdomain/zero/1.0/legalcode",
    )

    def answer(self, request: Request) -> Answer:
        if request.path != "/v1/occurrence/search":
            return Answer(404)
        limit, offset = int(request.query.get("limit", 20)), int(request.query.get("offset", 0))
        if limit > 300 or offset + limit > 100_000:
            return as_json({"message": "Max offset of 100001 exceeded"}, 400)
        count = self.num_results if request.query.get("license", "CC0_1_0") == "CC0_1_0" else 0
        end = min(count, offset + limit)
        return as_json(
            {
                "offset": offset,
                "limit": limit,
                "endOfRecords": end >= count,
                "count": count,
                "results": [self._record(number) for number in range(offset, end)],
            }
        )

    def _record(self, number: int) -> dict[str, object]:
        picture = {
            "type": "StillImage",
            "format": "image/jpeg",
            "identifier": self.picture_url(number),
            "references": f"https://museum.example/{number}" if number % 2 else None,
            "creator": f"Ann {number}",
            "license": self.licences[number % len(self.licences)],
            "rightsHolder": "Museum",
        }
        sound = {"type": "Sound", "identifier": f"{self.media_host.url}/{number}.mp3", "license": "CC0_1_0"}
        return {
            "key": 9_000 + number,
            "license": "http://creativecommons.org/publicdomain/zero/1.0/legalcode",
            "scientificName": "Quercus robur L.",
            "media": [sound, picture],
        }


class FakeNasa(FakeService):
    """Links in http, originals sometimes only in the asset's list, a `next` link while there is more."""

    num_results = 130

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/asset/"):
            number = int(request.path.rpartition("-")[2])
            names = (f"{number}~thumb.jpg", f"{number}~orig.jpg", "metadata.json")
            items = [{"href": f"{self.media_host.url}/media/{name}"} for name in names]
            return as_json({"collection": {"version": "1.1", "items": items}})
        if request.path != "/search" or int(request.query["page_size"]) > 100:
            return as_json({"reason": "Expected 'page_size' to be between 1 and 100"}, 400)
        page, size = int(request.query["page"]), int(request.query["page_size"])
        end = min(self.num_results, page * size)
        links = [{"rel": "next", "prompt": "Next", "href": "http://images-api.nasa.gov/search?page=2"}]
        items = [self._item(number) for number in range((page - 1) * size, end)]
        collection: dict[str, object] = {"items": items, "metadata": {"total_hits": self.num_results}}
        if end < self.num_results:
            collection["links"] = links
        return as_json({"collection": collection})

    def _item(self, number: int) -> dict[str, object]:
        base = f"{self.media_host.url}/media/{number}"
        links = [{"href": f"{base}~thumb.jpg", "rel": "preview", "render": "image"}]
        if number % 50:
            size = {"width": 3000, "height": 2000}
            links.append({"href": f"{base}~orig.jpg", "rel": "canonical", "render": "image", **size})  # type: ignore[dict-item]
        facts = {"nasa_id": f"PIA-{number}", "title": f"Rock {number}", "photographer": None, "center": "JPL"}
        return {"href": f"{base}/collection.json", "data": [facts], "links": links}


class FakeSmithsonian(FakeService):
    """Rows with several media, not all of them CC0; a key that has to be right."""

    num_results = 130

    def answer(self, request: Request) -> Answer:
        if request.query.get("api_key") != "s3cret":
            error = {"code": "API_KEY_INVALID", "message": "An invalid api_key was supplied."}
            return as_json({"error": error}, 403)
        if int(request.query["rows"]) > 1000 or "media_usage:CC0" not in request.query["q"]:
            return Answer(400)
        start, rows = int(request.query["start"]), int(request.query["rows"])
        found = [self._row(number) for number in range(start, min(self.num_results, start + rows))]
        return as_json({"status": 200, "response": {"rows": found, "rowCount": self.num_results}})

    def _row(self, number: int) -> dict[str, object]:
        media = [
            {
                "type": kind,
                "content": self.picture_url(number),
                "idsId": f"NMNH-{number}-{kind}-{access}",
                "usage": {"access": access},
            }
            for kind, access in (
                ("Images", "CC0"),
                ("Images", "Usage conditions apply"),
                ("3d_voyager", "CC0"),
            )
        ]
        about = {
            "record_link": f"https://collections.si.edu/{number}",
            "guid": f"http://n2t.net/ark:/65665/{number}",
            "unit_code": "NMNH",
            "online_media": {"mediaCount": 3, "media": media},
        }
        names = {"name": [{"label": "Collector", "content": f"Ann {number}"}]} if number % 2 else {}
        return {
            "id": f"edan-{number}",
            "title": f"Rock {number}",
            "content": {"descriptiveNonRepeating": about, "freetext": names},
        }
