"""How messages travel to a page."""

from bend.studio.message import Message


def test_words_travel_as_json_and_pictures_in_an_envelope() -> None:
    assert Message("finished", {"what": "roll"}).encoded() == '{"kind": "finished", "what": "roll"}'
    assert Message("maps", {}, b"picture").encoded() == b'\0\0\0\x10{"kind": "maps"}picture'
