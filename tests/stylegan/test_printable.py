"""Text that a terminal prints, and does not obey."""

import pytest

from stylegan.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Blüten, 花\u3000火\u00a0!", "Blüten, 花\u3000火\u00a0!"),
        ("👩\u200d🎨", "👩\u200d🎨"),
        ("\x1b]0;pwned\x07\x1b[31mred", "\\x1b]0;pwned\\x07\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b2J\x7f\u2028", "\\x9b2J\\x7f\\u2028"),
        ("gnp.\u202eexe", "gnp.\\u202eexe"),
        ("a\u200eb\u061c\U000e0041", "a\\u200eb\\u061c\\U000e0041"),
        ("half \udcff", "half \\udcff"),
    ],
)
def test_what_would_be_obeyed_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
