"""Which pictures are kept: each refusal at its very threshold, and what is remembered of earlier runs."""

import hashlib
from typing import Any

import pytest

from scrapers.judge import Judge, Refusal
from scrapers.manifest import Entry
from scrapers.picture import Picture
from scrapers.source import ImageRef, Wanted


def ref(number: int, **fields: Any) -> ImageRef:
    told = {"source": "commons", "id": f"{number}", "image_url": f"https://a.example/{number}.jpg"}
    return ImageRef(**told | {"license": "CC0-1.0"} | fields)


def picture(number: int, **fields: Any) -> Picture:
    """A picture that looks like no other."""
    told = hashlib.sha256(f"{number}".encode()).hexdigest()
    facts: dict[str, Any] = {"sha256": told, "phash": told[:16], "format": "JPEG", "num_bytes": 9}
    return Picture(**facts | {"width": 640, "height": 480} | fields)


def judge(distance: int = 4, **settings: Any) -> Judge:
    return Judge(Wanted(min_size=256), distance, **settings)


def reason(refusal: Refusal | None) -> str | None:
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize(
    ("licence", "refused"),
    [("CC0-1.0", None), ("CC-BY-SA-4.0", None), ("CC-BY-NC-4.0", "licence"), ("unknown", "licence")],
)
def test_licences_are_looked_at_before_anything_is_fetched(licence: str, refused: str | None) -> None:
    assert reason(judge().reference(ref(1, license=licence))) == refused


def test_a_licence_refused_does_not_count_as_found() -> None:
    one = judge()
    assert reason(one.reference(ref(1, license="unknown"))) == "licence"
    assert one.reference(ref(1)) is None


def test_a_reference_is_found_once_by_its_id_and_by_its_address() -> None:
    one = judge()
    assert one.reference(ref(1)) is None
    assert one.reference(ref(2)) is None
    assert reason(one.reference(ref(1, image_url="https://b.example/moved.jpg"))) == "same-url"
    assert reason(one.reference(ref(3, image_url=ref(2).image_url))) == "same-url"
    assert one.reference(ref(1, source="met", image_url="https://c.example/1.jpg")) is None


@pytest.mark.parametrize(
    ("size", "max_aspect", "refused"),
    [
        ((256, 256), 1.0, None),
        ((900, 256), None, None),
        ((900, 255), None, "too-small"),
        ((255, 900), None, "too-small"),
        ((1024, 512), 2.0, None),
        ((512, 1024), 2.0, None),
        ((1025, 512), 2.0, "aspect"),
        ((512, 1025), 2.0, "aspect"),
    ],
)
def test_sizes_are_judged_as_declared_and_as_measured(
    size: tuple[int, int], max_aspect: float | None, refused: str | None
) -> None:
    width, height = size
    one = judge(max_aspect=max_aspect)
    assert reason(one.reference(ref(1, width=width, height=height))) == refused
    assert reason(one.picture(picture(1, width=width, height=height), "a.jpg")) == refused


def test_a_size_that_was_not_declared_refuses_nothing() -> None:
    assert judge(max_aspect=1.0).reference(ref(1, width=10)) is None


@pytest.mark.parametrize(
    ("name", "passes", "fails"),
    [
        ("blur", {"sharpness": 0.45}, {"sharpness": 0.449}),
        ("blur", {"sharpness": 0.9}, {"sharpness": None}),
        ("flat", {"texture": 0.1}, {"texture": 0.099}),
        ("flat", {"texture": 1.0}, {"texture": None}),
        ("text", {"text": 0.12}, {"text": 0.121}),
    ],
)
def test_filters_refuse_beyond_their_thresholds_and_only_where_asked_for(
    name: str, passes: dict[str, float], fails: dict[str, float | None]
) -> None:
    assert judge(filters=(name,)).picture(picture(1, **passes), "a.jpg") is None
    assert reason(judge(filters=(name,)).picture(picture(1, **fails), "a.jpg")) == name
    assert judge().picture(picture(1, **fails), "a.jpg") is None


def test_the_same_bytes_and_the_same_looks_are_kept_once() -> None:
    one = judge()
    first = picture(1, phash="00ff00ff00ff00ff")
    assert one.picture(first, "first.jpg") is None
    told = one.picture(first, "again.jpg")
    assert told == Refusal(reason="same-bytes", detail="the same file as first.jpg")
    told = one.picture(picture(2, phash="00ff00ff00ff00f0"), "near.jpg")
    assert told == Refusal(reason="near-duplicate", detail="looks like first.jpg")
    assert one.picture(picture(3, phash="00ff00ff00ff00e0"), "far.jpg") is None  # 5 of 64 bits
    assert reason(judge(0).picture(first, "first.jpg")) is None


def test_what_was_refused_is_no_twin_of_anything() -> None:
    one = judge(filters=("blur",))
    assert reason(one.picture(picture(1, sharpness=0.1), "a.jpg")) == "blur"
    assert one.picture(picture(1, sharpness=1.0), "b.jpg") is None


def test_an_earlier_run_is_remembered() -> None:
    one = judge()
    one.remember(Entry(ref=ref(1), file="kept.jpg", picture=picture(1)))
    one.remember(Entry(ref=ref(2), reason="blur", picture=picture(2)))
    assert reason(one.reference(ref(1))) == reason(one.reference(ref(2))) == "same-url"
    assert one.picture(picture(1), "again.jpg") == Refusal(
        reason="same-bytes", detail="the same file as kept.jpg"
    )
    assert one.picture(picture(2), "sharper.jpg") is None
