"""What a scrape taken up again considers anew, and what it takes as settled."""

import pytest

from scrapers.history import History
from scrapers.manifest import Entry
from scrapers.source import ImageRef


def ref(number: int, licence: str = "CC0-1.0") -> ImageRef:
    return ImageRef(
        source="commons", id=f"{number}", image_url=f"https://a.example/{number}", license=licence
    )


def history(
    *lines: Entry, retry: bool = False, licenses: tuple[str, ...] = ("cc0",), private: bool = False
) -> History:
    made = History(retry=retry, licenses=licenses, allow_private_hosts=private)
    for line in lines:
        made.add(line)
    return made


KEPT, GONE = Entry(ref=ref(0), file="a.jpg"), Entry(ref=ref(1), reason="gone")
LICENCE, PRIVATE = (
    Entry(ref=ref(2, "CC-BY-4.0"), reason="licence"),
    Entry(ref=ref(3), reason="private-address"),
)
LINES = (KEPT, GONE, LICENCE, PRIVATE)


@pytest.mark.parametrize(
    ("settings", "considered"),
    [
        ({}, [9]),
        ({"licenses": ("cc0", "by")}, [2, 9]),
        ({"private": True}, [3, 9]),
        ({"retry": True}, [1, 2, 3, 9]),
    ],
)
def test_what_other_settings_may_let_through_is_considered_again(
    settings: dict[str, bool], considered: list[int]
) -> None:
    found = [line.ref for line in LINES] + [ref(9)]
    seen = history(*LINES, **settings).new_ones(iter(found))
    assert [int(one.id) for one in seen] == considered


def test_a_reference_is_passed_over_as_often_as_the_manifest_has_it() -> None:
    seen = history(GONE, Entry(ref=ref(1), reason="same-url"))
    assert len(list(seen.new_ones(iter([ref(1)] * 3)))) == 1


def test_a_repeat_does_not_hide_why_the_first_was_refused() -> None:
    repeat = Entry(ref=ref(1), reason="same-url")
    again = history(GONE, repeat, retry=True)
    assert again.says_already(GONE)
    assert again.says_already(repeat)
    assert not again.says_already(Entry(ref=ref(1), reason="server-error"))
    assert again.superseded(Entry(ref=ref(1), file="b.jpg")) == "gone"
    assert again.superseded(repeat) is None
    assert again.superseded(KEPT) is None


def test_only_what_cannot_change_is_settled() -> None:
    plain, retried, private = history(), history(retry=True), history(private=True)
    repeat = Entry(ref=ref(1), reason="same-url")
    assert [plain.is_settled(line) for line in (*LINES, repeat)] == [True, True, False, True, False]
    assert [retried.is_settled(line) for line in (*LINES, repeat)] == [True, False, False, False, False]
    assert [private.is_settled(line) for line in LINES] == [True, True, False, False]
