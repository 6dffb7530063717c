"""Long work in steps."""

from collections.abc import Callable, Iterator

import pytest

from bend.studio.chores import Chores
from bend.studio.message import Message


def _steps(name: str) -> Iterator[Message | None]:
    yield Message(name)
    yield None


def test_one_after_the_other_each_with_its_end() -> None:
    chores = Chores()
    chores.add("a", lambda: _steps("a"))
    chores.add("b", lambda: _steps("b"))
    told = [chores.step() for _ in range(6)]
    assert told == [
        Message("a"),
        None,
        Message("finished", {"what": "a"}),
        Message("b"),
        None,
        Message("finished", {"what": "b"}),
    ]
    assert not chores
    assert chores.step() is None


def test_of_each_name_there_is_one() -> None:
    chores = Chores()
    chores.add("a", lambda: _steps("old"))
    chores.add("a", lambda: _steps("new"))
    assert chores.step() == Message("new")
    assert chores.end_begun() == ["a"]
    assert not chores


def test_what_has_not_begun_stays_when_what_has_begun_ends() -> None:
    chores = Chores()
    chores.add("a", lambda: _steps("a"))
    chores.add("b", lambda: _steps("b"))
    chores.step()
    assert chores.end_begun() == ["a"]
    assert chores.step() == Message("b")


@pytest.mark.parametrize("begin", [lambda: (1 // x for x in (0,)), lambda: 1 // 0], ids=["step", "begin"])
def test_one_that_fails_is_over_and_says_so(begin: Callable[[], Iterator[Message | None]]) -> None:
    chores = Chores()
    chores.add("bad", begin)
    with pytest.raises(ZeroDivisionError):
        chores.step()
    assert chores.step() == Message("finished", {"what": "bad"})
    assert not chores
