"""Writing in a thread: in order, bounded, and errors come back."""

import threading

import pytest

from bend.film.background import in_background


def test_all_is_written_in_order_by_one_other_thread() -> None:
    written, threads = [], set()

    def write(number: int, text: str) -> None:
        written.append((number, text))
        threads.add(threading.get_ident())

    with in_background(write) as hand_in:
        for number in range(50):
            hand_in(number, str(number))
    assert written == [(number, str(number)) for number in range(50)]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_few_wait() -> None:
    may_write, handed_in = threading.Event(), []

    def feed() -> None:
        with in_background(lambda number: may_write.wait() and None, most_waiting=2) as hand_in:
            for number in range(10):
                hand_in(number)
                handed_in.append(number)

    feeder = threading.Thread(target=feed)
    feeder.start()
    feeder.join(0.2)
    assert feeder.is_alive()
    assert len(handed_in) <= 3  # one in the writer's hands, two waiting
    may_write.set()
    feeder.join(60)
    assert len(handed_in) == 10


def test_what_goes_wrong_is_raised_and_nothing_more_is_written() -> None:
    written = []

    def write(number: int) -> None:
        if number == 3:
            raise OSError("disk full")
        written.append(number)

    def feed() -> None:
        with in_background(write, most_waiting=1) as hand_in:
            for number in range(100):
                hand_in(number)

    with pytest.raises(OSError, match="disk full"):
        feed()
    assert written == [0, 1, 2]


def test_a_failure_at_the_last_is_raised_at_the_end() -> None:
    def write(number: int) -> None:
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="7"), in_background(write) as hand_in:
        hand_in(7)


def test_the_callers_own_exception_wins_and_what_was_handed_in_is_written() -> None:
    written: list[int] = []
    with pytest.raises(KeyboardInterrupt), in_background(written.append) as hand_in:
        hand_in(1)
        hand_in(2)
        raise KeyboardInterrupt
    assert written == [1, 2]
