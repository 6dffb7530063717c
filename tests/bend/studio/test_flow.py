"""When frames are due, with times made up."""

from bend.studio.flow import FASTEST_S, Flow


def _sent(flow: Flow, now: float, moves: bool = False) -> bool:
    is_whole = flow.begin(now, moves=moves)
    flow.send(now, is_whole=is_whole)
    return is_whole


def test_a_gesture_is_drawn_soon_and_whole_once_it_rests() -> None:
    flow = Flow()
    flow.gesture(10.0)
    assert flow.is_due(10.0, moves=False)
    assert not _sent(flow, 10.0)
    flow.has_shown(1)
    assert not flow.is_due(10.1, moves=False)
    assert flow.is_due(10.3, moves=False)
    assert _sent(flow, 10.3)
    flow.has_shown(2)
    assert not flow.is_due(60.0, moves=False)


def test_a_gesture_while_a_whole_picture_is_drawn_wants_another() -> None:
    flow = Flow()
    is_whole = flow.begin(10.0, moves=False)
    assert is_whole
    flow.gesture(10.05)
    flow.send(10.0, is_whole=is_whole)
    flow.has_shown(1)
    assert flow.is_due(10.1, moves=False)
    _sent(flow, 10.1)
    flow.has_shown(2)
    assert flow.is_due(10.5, moves=False)


def test_what_moves_is_drawn_as_fast_as_eyes_see_and_pages_show() -> None:
    flow = Flow()
    now = 10.0
    for _ in range(3):
        assert flow.is_due(now, moves=True)
        _sent(flow, now, moves=True)
        assert not flow.is_due(now + FASTEST_S / 2, moves=True)
        now += 2 * FASTEST_S
    assert not flow.is_due(now, moves=True)  # three are on their way
    flow.has_shown(1)
    assert flow.is_due(now, moves=True)
    _sent(flow, now, moves=True)
    assert not flow.is_due(now + 0.5, moves=True)
    assert flow.is_due(now + 2, moves=True)  # they were lost


def test_what_is_not_urgent_waits_for_the_hand() -> None:
    flow = Flow()
    flow.gesture(10.0)
    assert flow.is_played(10.01)
    assert not flow.is_played(11.0)
    assert flow.nap(moves=False) == flow.nap(moves=True)  # the whole picture is still to come
    assert _sent(flow, 11.0)
    assert flow.nap(moves=False) > flow.nap(moves=True)
