"""Where a history may be cut, from its events alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from continuum.engine.events import Event, EventType, Forking
from continuum.errors import ActivityError, CutRefused
from continuum.operations.cut_facts import Cut, History
from continuum.operations.failure_cuts import failed_compensation, failure_cut, restart_cut
from continuum.operations.history_cuts import cut_of

RUN = "01900000-0000-7000-8000-000000000001"
CHILD = "01900000-0000-7000-8000-000000000002"
SITE = ("flow", "app.py:1")


def scheduled(name: str) -> tuple[EventType, tuple[Any, ...]]:
    return EventType.ACTIVITY_SCHEDULED, (name, *SITE, b"", None)


def completed(seq: int) -> tuple[EventType, tuple[Any, ...]]:
    return EventType.ACTIVITY_COMPLETED, (seq, b"")


def failed(seq: int, text: str = "no") -> tuple[EventType, tuple[Any, ...]]:
    return EventType.ACTIVITY_FAILED, (seq, "OSError", text, "", 1)


def undone(name: str, *since: int) -> tuple[EventType, tuple[Any, ...]]:
    return EventType.COMPENSATION_SCHEDULED, (name, *SITE, b"", None, *since)


UUID4 = (EventType.SIDE_EFFECT, ("uuid4", *SITE, b"0123456789abcdef"))
STARTED = (EventType.CHILD_STARTED, ("pack", *SITE, CHILD, b"", 1))


def events_of(*bodies: tuple[EventType, tuple[Any, ...]]) -> list[Event]:
    return [Event(seq, type, 0, body) for seq, (type, body) in enumerate(bodies)]


def nearest(events: Sequence[Event], at: int, how: Forking = Forking.RESET, *, ended: bool = True) -> int:
    """Return the cut that works, at the place or before it."""
    try:
        return cut_of(History(RUN, events, lambda _: ended), at, how).at
    except CutRefused as refused:
        return -1 if refused.nearest is None else refused.nearest


def test_a_compensation_names_what_it_may_have_undone() -> None:
    done = (scheduled("look"), completed(0), scheduled("pay"), completed(2), scheduled("ship"), failed(4))
    known = events_of(*done, undone("refund", 2))
    assert [nearest(known, at) for at in range(8)] == [0, 1, 2, 2, 2, 2, 2, 7]
    # An earlier release does not say it.
    unknown = events_of(*done, undone("refund"))
    assert [nearest(unknown, at) for at in range(8)] == [0, 0, 0, 0, 0, 0, 0, 7]


def test_a_compensation_may_undo_a_child() -> None:
    events = events_of(UUID4, STARTED, (EventType.CHILD_COMPLETED, (1, b"")), undone("cancel"))
    assert nearest(events, 3) == 1


def test_several_compensations_lead_to_the_first_of_what_they_undo() -> None:
    events = events_of(
        scheduled("a"), completed(0), scheduled("b"), completed(2), undone("undo b", 2), undone("undo a", 0)
    )
    assert nearest(events, 4) == 0


def test_a_compensation_that_was_pending_would_run_once_more() -> None:
    events = events_of(
        scheduled("pay"), completed(0), undone("refund", 0), (EventType.COMPENSATION_COMPLETED, (2, b""))
    )
    assert nearest(events, 3) == 0
    # Nothing has run it yet: a run that takes its place may, and one beside it may not.
    pending = events[:3]
    assert nearest(pending, 3) == 3
    assert nearest(pending, 3, Forking.FORK) == 0


def test_a_compensation_before_the_cut_is_known_to_the_code() -> None:
    events = events_of(
        scheduled("pay"),
        completed(0),
        undone("refund", 0),
        (EventType.COMPENSATION_COMPLETED, (2, b"")),
        scheduled("pay"),
    )
    assert nearest(events, 4) == 4


def test_an_open_child_is_cut_off() -> None:
    events = events_of(UUID4, STARTED, UUID4)
    assert nearest(events, 3, ended=False) == 1
    assert nearest(events, 3) == 3
    reported = [*events, Event(3, EventType.CHILD_CANCELLED, 0, (1,))]
    cut = cut_of(History(RUN, reported, lambda _: False), 2, Forking.RESET)
    assert [child.run_id for child in cut.children] == [CHILD]


def test_an_event_that_cannot_be_read_is_cut_off() -> None:
    events = [*events_of(UUID4, UUID4), Event(-1, 0, 0, ())]
    assert nearest(events, 3) == 2
    assert nearest([events[0], events[1]._replace(body=("uuid4",))], 2) == 1


def test_a_run_that_continued_as_new_ends_before_that() -> None:
    continued = (EventType.RUN_CONTINUED_AS_NEW, ("flow", *SITE, CHILD, b""))
    assert nearest(events_of(UUID4, continued), 2) == 1


def test_a_cut_says_which_calls_run_again() -> None:
    events = events_of(scheduled("a"), scheduled("b"), completed(0), scheduled("c"), completed(1), failed(3))
    cut = cut_of(History(RUN, events, lambda _: True), 2, Forking.RESET)
    assert [(call.name, call.was) for call in cut.runs_again] == [("a", "completed"), ("b", "completed")]
    assert [(call.name, call.was) for call in cut.may_run_again] == [("c", "failed")]
    assert cut.keeps == ()
    kept = cut_of(History(RUN, events, lambda _: True), 3, Forking.RESTART, keep_results=True)
    assert ([call.name for call in kept.keeps], kept.runs_again) == (["b"], ())


def test_a_failure_is_cut_before_the_activity_that_failed() -> None:
    events = events_of(scheduled("a"), completed(0), scheduled("b"), failed(2), UUID4)
    assert failure_cut(events, "b failed on attempt 1: OSError: no") == 3


def test_failures_between_which_the_code_did_nothing_belong_together() -> None:
    events = events_of(scheduled("a"), scheduled("b"), scheduled("c"), failed(1), completed(0), failed(2))
    assert failure_cut(events, "c failed on attempt 1: OSError: no") == 3
    apart = events_of(scheduled("a"), scheduled("b"), failed(0), UUID4, failed(1))
    assert failure_cut(apart, "b failed on attempt 1: OSError: no") == 4


def test_a_failure_that_the_code_has_handled_is_not_the_cause_of_its_own() -> None:
    events = events_of(scheduled("charge"), failed(0, "declined"))
    assert failure_cut(events, "KeyError: 'card'") == 2
    lost = events_of(STARTED, (EventType.CHILD_FAILED, (0, "OSError", "no", "")), UUID4)
    assert failure_cut(lost, "KeyError: 'card'") == 2


def test_a_failure_is_found_by_the_text_that_its_error_has() -> None:
    events = events_of(scheduled("a" * 500), failed(0), UUID4)
    error = ActivityError("a" * 500, "OSError", "no", "", 1)
    assert failure_cut(events, str(error)) == 1


def test_a_failure_that_the_error_names_may_lie_back() -> None:
    events = events_of(scheduled("a"), scheduled("b"), failed(0), completed(1))
    assert failure_cut(events, "a failed on attempt 1: OSError: no") == 2
    # The code has dealt with it, and failed by itself.
    assert failure_cut(events, "ValueError: something else") == 4


def test_commands_of_the_step_in_which_the_code_failed_do_not_bind() -> None:
    events = events_of(scheduled("a"), completed(0), UUID4, scheduled("never run"))
    assert failure_cut(events, "ValueError") == 2
    # A child has been started by it.
    assert failure_cut(events_of(scheduled("a"), completed(0), UUID4, STARTED, UUID4), "") == 4


def test_compensations_for_a_failure_of_the_code_belong_to_it() -> None:
    events = events_of(
        scheduled("pay"),
        completed(0),
        UUID4,
        undone("refund", 0),
        (EventType.ACTIVITY_RETRIED, (3, "OSError", "no", 1, 7)),
        (EventType.COMPENSATION_COMPLETED, (3, b"")),
    )
    at = failure_cut(events, "ValueError")
    assert (at, nearest(events, at)) == (2, 0)


@pytest.mark.parametrize("type", [EventType.CHILD_FAILED, EventType.CHILD_CANCELLED])
def test_a_failure_that_began_in_a_child_names_its_start(type: EventType) -> None:
    events = events_of(UUID4, STARTED, (type, (1, "OSError", "no", "")))
    with pytest.raises(CutRefused, match=r"--at 1` starts that child anew") as refused:
        restart_cut(History(RUN, events, lambda _: True), f"child run {CHILD} was cancelled")
    assert refused.value.nearest == 1


def test_the_start_of_a_child_before_which_something_was_undone_is_not_named() -> None:
    events = events_of(
        UUID4,
        scheduled("pay"),
        completed(1),
        STARTED,
        (EventType.CHILD_FAILED, (3, "OSError", "no", "")),
        undone("refund", 1),
        (EventType.COMPENSATION_COMPLETED, (5, b"")),
    )
    history = History(RUN, events, lambda _: True)
    with pytest.raises(
        CutRefused, match=r"--at 1` starts that child anew, as refund .event 5. has"
    ) as refused:
        restart_cut(history, f"child run {CHILD} failed")
    assert refused.value.nearest == 1
    assert cut_of(history, 1, Forking.RESET).at == 1


BAD = "refund failed on attempt 1: OSError: no bank"
BAD_REFUND = (
    scheduled("pay"),
    completed(0),
    scheduled("ship"),
    failed(2),
    undone("refund", 0),
    (EventType.COMPENSATION_FAILED, (4, "OSError", "no bank", "", 1)),
)


def restarted(*more: tuple[EventType, tuple[Any, ...]], named: str = BAD) -> Cut:
    """Return how a run continues whose refund has failed."""
    events = events_of(*BAD_REFUND, *more)
    error_text = f"ship failed on attempt 1: OSError: no; {named}"
    return restart_cut(History(RUN, events, lambda _: True), error_text)


def test_a_compensation_that_failed_is_tried_again() -> None:
    cut = restarted()
    assert cut.at == 5
    assert [(call.name, call.compensation, call.was) for call in cut.runs_again] == [
        ("refund", True, "failed")
    ]
    assert (cut.may_run_again, cut.stands) == ((), ())


def test_a_compensation_whose_failure_the_code_has_handled_is_not_tried_again() -> None:
    with pytest.raises(
        CutRefused, match=r"refund \(event 4\) failed, so it may or may not have undone"
    ) as refused:
        restarted(named="")
    assert refused.value.nearest == 0


def test_compensations_that_failed_after_one_another_are_tried_again() -> None:
    cut = restarted(undone("release", 2), (EventType.COMPENSATION_FAILED, (6, "OSError", "no", "", 1)))
    assert cut.at == 5
    assert [call.name for call in cut.may_run_again] == ["release"]


LATER = {
    "signal": (EventType.SIGNAL_RECEIVED, ("go", b"", None)),
    "timer": (EventType.TIMER_FIRED, (1,)),
    "stop": (EventType.CANCEL_REQUESTED, ()),
    "result": completed(0),
    "attempt": (EventType.ACTIVITY_CRASHED, (0, 1)),
    "child": (EventType.CHILD_COMPLETED, (2, b"")),
}


def compensating(*more: tuple[EventType, tuple[Any, ...]]) -> list[Event]:
    """Return the events of a run whose refund has failed while something else was begun before."""
    return events_of(
        scheduled("look"),
        (EventType.TIMER_STARTED, (7, *SITE, b"")),
        STARTED,
        scheduled("ship"),
        failed(3),
        undone("refund", 3),
        undone("release", 3),
        (EventType.COMPENSATION_FAILED, (5, "OSError", "no bank", "", 1)),
        *more,
    )


@pytest.mark.parametrize("came", LATER)
def test_a_compensation_is_tried_again_whatever_has_come_since(came: str) -> None:
    released = (EventType.COMPENSATION_COMPLETED, (6, b""))
    # While the other compensation was pending, and while the code waited after both.
    for more in ((LATER[came], released), (released, LATER[came])):
        cut = restart_cut(History(RUN, compensating(*more), lambda _: True), BAD)
        assert (cut.at, [call.name for call in cut.runs_again if call.compensation]) == (7, ["refund"])
        assert "release" in [call.name for call in cut.keeps]
        assert cut.signals == (("go",) if came == "signal" else ())
        assert "look" in [call.name for call in (cut.keeps if came == "result" else cut.runs_again)]


def test_a_compensation_is_not_tried_again_after_the_code_has_done_something_else() -> None:
    released = (EventType.COMPENSATION_COMPLETED, (6, b""))
    for more in ((scheduled("notify"), completed(8), released), (failed(0), released)):
        with pytest.raises(CutRefused, match=r"release \(event 6\) has undone since"):
            restart_cut(History(RUN, compensating(*more), lambda _: True), f"{BAD}; ship failed")


def test_without_an_error_only_compensations_that_nothing_came_between_count() -> None:
    released = (EventType.COMPENSATION_COMPLETED, (6, b""))
    found = failed_compensation(compensating(LATER["signal"], released))
    assert found is not None
    assert found.seq == 7
    # The code may have handled it, and waited for that signal.
    assert failed_compensation(compensating(released, LATER["signal"])) is None


def test_failures_with_one_name_were_handled_if_the_code_has_waited_since() -> None:
    again = (undone("refund", 2), (EventType.COMPENSATION_FAILED, (7, "OSError", "no bank", "", 1)))
    assert restarted(LATER["signal"], *again).at == 8
    assert restarted(*again[:1], (EventType.COMPENSATION_FAILED, (6, "OSError", "no bank", "", 1))).at == 5


def test_a_compensation_is_not_tried_again_if_another_would_undo_a_second_time() -> None:
    with pytest.raises(CutRefused, match=r"release \(event 6\) has undone since") as refused:
        restarted(undone("release", 2), (EventType.COMPENSATION_COMPLETED, (6, b"")))
    assert refused.value.nearest == 0


def test_a_compensation_that_has_completed_beside_one_that_failed_keeps_its_result() -> None:
    events = events_of(
        scheduled("pay"),
        completed(0),
        scheduled("ship"),
        failed(2),
        undone("refund", 0),
        undone("release", 0),
        (EventType.COMPENSATION_FAILED, (4, "OSError", "no bank", "", 1)),
        (EventType.COMPENSATION_COMPLETED, (5, b"")),
    )
    cut = restart_cut(History(RUN, events, lambda _: True), BAD)
    assert [call.name for call in cut.runs_again] == ["refund"]
    assert [call.name for call in cut.keeps] == ["release"]
    # A reset drops what came after the cut, and a fork would share the pending refund with the run.
    assert (nearest(events, 6), nearest(events, 6, Forking.FORK)) == (0, 0)


def test_a_charge_stands_that_no_compensation_has_undone_for_sure() -> None:
    history = History(RUN, events_of(*BAD_REFUND), lambda _: True)
    (unsure,) = cut_of(history, 0, Forking.RESET).stands
    assert (unsure.name, unsure.undoing, unsure.undoing_seq) == ("pay", "refund", 4)
    refunded = events_of(*BAD_REFUND[:5], (EventType.COMPENSATION_COMPLETED, (4, b"")))
    assert cut_of(History(RUN, refunded, lambda _: True), 0, Forking.RESET).stands == ()
    (standing,) = cut_of(History(RUN, refunded[:4], lambda _: True), 0, Forking.RESET).stands
    assert (standing.name, standing.undoing) == ("pay", None)
