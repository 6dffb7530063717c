"""Other people's JSON: values of the expected type, and others."""

import pytest

from scrapers.answers import pixels, plain_text, text, web_address

SIGNED = f"https://a.example/a  b.jpg?sig={'x' * 3000}"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (f"  {SIGNED}\n", SIGNED),
        ("//a.example/1.jpg", "https://a.example/1.jpg"),
        ("HTTP://a.example/1.jpg", "HTTP://a.example/1.jpg"),
        (f"https://a.example/{'x' * 8000}", None),
        ("https://a.example/1\n2.jpg", None),
        ("https://a.example/\x1b[31m.jpg", None),
        ("https://a.example/\ud800.jpg", None),
        ("ftp://a.example/1.jpg", None),
        ("1.jpg", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_addresses_are_whole_or_none(value: object, address: str | None) -> None:
    assert web_address(value) == address


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (640, 640),
        ("640", 640),
        (640.0, 640),
        (0, None),
        (-1, None),
        ("9" * 400, None),
        (float("inf"), None),
        ([], None),
    ],
)
def test_sizes_are_positive_numbers_that_can_be_compared(value: object, number: int | None) -> None:
    assert pixels(value) == number


def test_words_hold_nothing_that_a_terminal_obeys() -> None:
    assert text("Moss\x1b]0;pwned\x07\n\x9b31mon a  rock") == "Moss ]0;pwned 31mon a rock"
    assert text("\x1b") is None
    assert text("Mo\ud800ss") == r"Mo\ud800ss"
    assert text("می‌خواهم") == "می‌خواهم"


def test_words_of_html() -> None:
    assert plain_text('<a href="x">Bo&nbsp;&amp; Ann</a><br>2019<script>x</script>') == "Bo & Ann 2019"
    assert plain_text("a < b") == "a < b"
    assert plain_text(None) is None
