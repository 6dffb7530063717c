"""Python's own unpickler reads from the writer's pickles what was written."""

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from typing import Any

import pytest
import torch

from stylegan.checkpoint.export.pickle_writer import Call, Global, New, Ordered, Raw, write_pickle

VALUES = (
    None,
    True,
    False,
    0,
    -1,
    255,
    -(2**31),
    2**31,
    -(2**63) - 1,
    0x1950A86A20F9469CFC6C,
    0.1,
    -math.inf,
    "",
    "Zürich 日本",
    "x" * 300,
    (),
    (1, "a", (2,)),
    [],
    [[], {}, "a", "a"],
    {},
    {"a": {"b": [1]}, "b": "a"},
    set(),
    {"b", "a"},
)


def dumps(value: Any) -> bytes:
    file = io.BytesIO()
    write_pickle(file, value)
    pickletools.dis(file.getvalue(), io.StringIO())  # checks stack and memo
    return file.getvalue()


@pytest.mark.parametrize(
    "value", VALUES, ids=lambda value: repr(sorted(value) if isinstance(value, set) else value)[:20]
)
def test_plain_values(value: Any) -> None:
    read = pickle.loads(dumps(value))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (2, 1, 3, 3)], ids=str)
def test_tensors_bit_by_bit(shape: tuple[int, ...]) -> None:
    tensor = torch.randn(shape)
    for given in (tensor, tensor.double().float(), torch.nn.Parameter(tensor)):
        assert torch.equal(pickle.loads(dumps({"t": given}))["t"], tensor)
    if len(shape) == 2:
        assert torch.equal(pickle.loads(dumps(tensor.T)), tensor.T)  # in another layout


def test_records() -> None:
    assert pickle.loads(dumps(Call(Global("math", "sqrt"), (4.0,)))) == 2.0
    made = pickle.loads(dumps(New(Global("collections", "OrderedDict"), {"a": 1, "b": [2]})))
    assert made == OrderedDict(a=1, b=[2])
    assert pickle.loads(dumps(Ordered({"a": 1}))) == OrderedDict(a=1)
    assert pickle.loads(dumps(Raw((b"ab", memoryview(b"cd"))))) == b"abcd"


def test_text_that_comes_again_is_written_once() -> None:
    text = "x" * 1000
    assert len(dumps([text] * 50)) < 2000
    assert pickle.loads(dumps([text] * 3)) == [text] * 3


def test_anything_else_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="cannot write a bytes"):
        dumps([b"bytes"])
