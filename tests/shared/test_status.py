"""The tables of states: complete, closed, and with ends that hold."""

from shared.status import CALL_NEXT, NEXT, TERMINAL, CallStatus, Status, before


def test_every_status_has_a_row() -> None:
    assert set(NEXT) == set(Status)
    assert set(CALL_NEXT) == set(CallStatus)


def test_every_step_leads_to_a_known_status_and_never_to_itself() -> None:
    for status, following in NEXT.items():
        assert status not in following
        assert following <= set(Status)
    for call_status, after in CALL_NEXT.items():
        assert call_status not in after
        assert after <= set(CallStatus)


def test_terminal_is_absorbing_and_complete() -> None:
    assert {Status.COMPLETED, Status.INCOMPLETE, Status.FAILED, Status.CANCELLED} == TERMINAL
    for status in TERMINAL:
        assert NEXT[status] == frozenset()
        assert not any(status.value in before(other) for other in Status)


def test_every_status_can_end() -> None:
    reached = set(TERMINAL)
    while more := {status for status in set(Status) - reached if NEXT[status] & reached}:
        reached |= more
    assert reached == set(Status)


def test_a_live_response_can_always_be_cancelled() -> None:
    assert before(Status.CANCELLED) == ["queued", "in_progress"]
