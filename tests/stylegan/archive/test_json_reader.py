"""JSON read piece by piece says what `json.loads` says, wherever the pieces end."""

import json
from typing import Any

import pytest

from stylegan.archive.json_reader import JsonReader

TEXTS = [
    "{}",
    ' {"a": [1, 2.5, -3e2, "x\\"]\\u00e4", null, true], "b": {"c": [1]}, "d": 12} \n',
    '{"a": [], "b": [[1, [2]], {"k": "v"}], "ü": "日本"}',
    '\ufeff{"a": [0]}',
]


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def _read(reader: JsonReader) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in reader.fields():
        found[key] = list(reader.items()) if reader.peek() == "[" else reader.value()
    reader.end()
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_make_no_difference(text: str, encoding: str, size: int) -> None:
    data = text.lstrip("\ufeff").encode(encoding) if encoding == "utf-16" else text.encode()
    assert _read(JsonReader(_pieces(data, size))) == json.loads(data)


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"}',
        '{"a": }',
        '{"a": 1,}',
        '{"a": [1,]}',
        '{"a": [1',
        '{"a": 1} x',
        "{1: 2}",
        '{"a": nul}',
    ],
)
def test_what_is_no_json_is_refused(text: str, size: int) -> None:
    with pytest.raises(ValueError, match="char"):
        _read(JsonReader(_pieces(text.encode(), size)))


def test_values_may_be_passed_over() -> None:
    reader = JsonReader([b'{"a": [1, 2], "b": {"x": [3]}, "c": "d", "e": 5}'])
    found = {}
    for key in reader.fields():
        if key == "e":
            found[key] = reader.value()
        else:
            reader.skip()
    assert found == {"e": 5}


def test_little_is_held() -> None:
    reader = JsonReader(b"[" + b"7, " * 1000 if i == 0 else b"7, " * 1000 for i in range(200))
    longest = 0
    with pytest.raises(ValueError, match="char"):
        for _ in reader.items():
            longest = max(longest, len(reader._text))
    assert longest < 20_000
