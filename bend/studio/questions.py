"""Short work on the instrument's own thread: questions that are answered between two frames."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from bend.studio.stage import Stage

__all__ = ["Questions"]

Result = TypeVar("Result")


class Questions:
    """Questions about the network on the stage, asked by any thread and answered by one."""

    def __init__(self) -> None:
        self._asked: deque[tuple[Callable[[Stage], Any], Future[Any]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._asked)

    def add(self, question: Callable[[Stage], Result]) -> "Future[Result]":
        """Queue a question; gives its future answer."""
        future: Future[Result] = Future()
        self._asked.append((question, future))
        return future

    def answer(self, stage: Callable[[], Stage]) -> None:
        """Answer all questions; `stage` gives the network as it is at each."""
        while self._asked:
            question, future = self._asked.popleft()
            try:
                future.set_result(question(stage()))
            except Exception as error:  # noqa: BLE001  whoever asked gets it
                future.set_exception(error)
