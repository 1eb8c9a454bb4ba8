"""Explanations from facts alone: what is compared with what, where rows, waits and history differ."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId, WorkerId
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import InboxKind, NodeRow, RunRow, RunState
from continuum.journal.node_code import NodeCode
from continuum.journal.situation import KnownVersion, Lease, OpenChild, Situation, TaskPlace
from continuum.journal.wait import Wait
from continuum.operations.explain import explained
from continuum.operations.explanation import Cause, Explanation

SECOND = 1_000_000
NOW = 1_900_000_000 * SECOND
RUN = RunId("01900000-0000-7000-8000-000000000001")
WHERE = ("pay", "shop.py:3")
NORTH = NodeRow("north", 10, "", "up", 1, 1.0, [("run_host", 11)], ["pay"])


def row(state: RunState = RunState.SUSPENDED, **facts: Any) -> RunRow:
    """Return the row of a run that a process of north owns."""
    owned = RunRow(
        id=RUN,
        workflow="pay",
        version="v1",
        namespace="default",
        state=state,
        input=b"",
        result=None,
        error=None,
        reason=None,
        attributes={},
        idempotency_key=None,
        trace_context=None,
        owner=WorkerId(7),
        started_at=NOW - 100 * SECOND,
        updated_at=NOW - 50 * SECOND,
        completed_at=None,
        due_at=None,
        owner_node="north",
        owner_pid=11,
        claimed_at=NOW - 60 * SECOND,
        waits=(),
    )
    return replace(owned, **facts)


def situation(run: RunRow, *events: Event, **facts: Any) -> Situation:
    """Return a situation whose owner has just renewed its lease."""
    lease = Lease(NOW + 9 * SECOND, NOW - SECOND)
    return replace(Situation(NOW, run, 1, 0, lease, events, 0), **facts)


def event(seq: int, type: EventType, *body: object, at: int = NOW - 60 * SECOND) -> Event:
    """Return an event."""
    return Event(seq, type, at, body)


def causes(found: Situation, *nodes: NodeRow) -> list[Cause]:
    """Return the causes, beside the node north."""
    return list(explained(found, nodes or [NORTH], {}).causes)


def codes(found: Situation, *nodes: NodeRow) -> list[str]:
    """Return the codes of the causes."""
    return [cause.code for cause in causes(found, *nodes)]


def test_a_run_with_a_signal_that_no_code_takes_waits_for_nothing_all_the_same() -> None:
    kept = Wait("unread", -1, "stop", NOW - 55 * SECOND)
    assert codes(situation(row(waits=(kept,)))) == ["nothing"]


def test_a_timer_that_the_code_has_given_up_is_no_cause() -> None:
    timer = event(0, EventType.TIMER_STARTED, NOW + 30 * SECOND, *WHERE)
    waits = (Wait("signal", -1, "go", NOW - 55 * SECOND),)
    assert codes(situation(row(waits=waits), timer)) == ["signal"]
    assert codes(situation(row(waits=waits, due_at=NOW + 30 * SECOND), timer)) == ["signal", "timer"]


def test_a_timer_beside_an_earlier_one_is_a_cause_as_far_as_the_owner_names_it() -> None:
    first = event(0, EventType.TIMER_STARTED, NOW + 30 * SECOND, *WHERE)
    second = event(1, EventType.TIMER_STARTED, NOW + 60 * SECOND, *WHERE)
    waits = (Wait("timer", 1, "", NOW, NOW + 60 * SECOND),)
    run = row(waits=waits, due_at=NOW + 30 * SECOND)
    assert codes(situation(run, first, second)) == ["timer", "timer"]
    assert codes(situation(replace(run, waits=()), first, second)) == ["timer"]


def test_a_timer_that_is_due_with_a_signal_is_a_cause_of_its_own() -> None:
    due = NOW + 30 * SECOND
    timers = [event(seq, EventType.TIMER_STARTED, due, *WHERE) for seq in (0, 1)]
    waits = (Wait("signal", -1, "go", NOW, due), Wait("timer", 1, "", NOW, due))
    assert codes(situation(row(waits=waits, due_at=due), *timers)) == ["signal", "timer"]


def test_a_back_off_before_the_events_that_were_read_is_known_by_the_wait() -> None:
    due = NOW + 60 * SECOND
    waits = (Wait("activity", 3, "send", NOW - 90 * SECOND, due),)
    (cause,) = causes(situation(row(waits=waits, due_at=due), first=1000))
    assert (cause.code, cause.evidence["activity"]) == ("backing_off", "send")


def test_a_signal_whose_name_begins_like_an_option_can_be_sent() -> None:
    waits = (Wait("signal", -1, "--o'k", NOW),)
    (cause,) = causes(situation(row(waits=waits)))
    assert shlex.split(cause.fixes[0].command) == ["continuum", "signal", RUN, "--", "--o'k", "VALUE"]


def test_no_node_is_started_with_a_program_that_is_no_module() -> None:
    free = row(owner=None, owner_node=None, owner_pid=None)
    versions = [KnownVersion("v1", "1", "__main__"), KnownVersion("v2", "2", "shop.flows")]
    (cause,) = causes(situation(free, lease=None, versions=versions), replace(NORTH, workflows=[]))
    assert cause.fixes[0].command == "continuum run-node shop.flows"


def test_another_process_of_the_same_node_takes_over() -> None:
    lost = situation(row(waits=None), lease=Lease(NOW - 1, NOW - 10 * SECOND))
    alone, beside = NORTH, replace(NORTH, processes=[("run_host", 11), ("run_host", 12)])
    (cause,) = causes(lost, alone)
    assert (cause.evidence["others"], [fix.when for fix in cause.fixes]) == ([], [None])
    (cause,) = causes(lost, beside)
    assert (cause.evidence["others"], cause.fixes) == (["north"], ())


def test_a_failure_began_in_a_child_only_if_the_error_names_it() -> None:
    child = "01900000-0000-7000-8000-000000000002"
    started = event(0, EventType.CHILD_STARTED, "pack", *WHERE, child, b"", 0)
    failed = event(1, EventType.CHILD_FAILED, 0, "OSError", "no", "")
    of_child = Explanation(child, "pack", "failed", "", (Cause("ended", "", evidence={"type": "OSError"}),))
    for text, expected in ((f"child run {child} failed: OSError: no", True), ("out of stock", False)):
        ended = row(RunState.FAILED, error=pack_body(("ValueError", text, "")), completed_at=NOW)
        (cause,) = explained(situation(ended, started, failed), [NORTH], {child: of_child}).causes
        assert ("root" in cause.evidence) is expected


def test_a_timer_before_the_events_that_were_read_is_known_by_the_wait() -> None:
    waits = (Wait("timer", 3, "", NOW - 90 * SECOND, NOW + 60 * SECOND),)
    found = situation(row(waits=waits, due_at=NOW + 60 * SECOND), first=1000)
    assert codes(found) == ["timer"]


def test_the_wait_for_a_signal_that_came_meanwhile_began_again_then() -> None:
    received = event(0, EventType.SIGNAL_RECEIVED, "go", b"", None, at=NOW - 20 * SECOND)
    waits = (Wait("signal", -1, "go", NOW - 55 * SECOND),)
    (cause,) = causes(situation(row(waits=waits), received))
    assert cause.since is not None
    assert round(cause.since.timestamp()) == NOW // SECOND - 20


def test_signals_lie_unread_by_what_the_owner_knows_the_history_and_the_inbox() -> None:
    earlier = event(0, EventType.SIGNAL_RECEIVED, "taken", b"", None, at=NOW - 60 * SECOND)
    later = event(1, EventType.SIGNAL_RECEIVED, "later", b"", None, at=NOW - 40 * SECOND)
    waits = (Wait("signal", -1, "go", NOW - 55 * SECOND), Wait("unread", -1, "kept", NOW))
    mail = {(int(InboxKind.SIGNAL), "posted"): 1}
    found = situation(row(waits=waits), earlier, later, mail=mail)
    assert codes(found) == ["executing", "signal"]
    assert causes(found)[1].evidence["unread"] == ["kept", "later", "posted"]


def test_a_result_that_is_on_its_way_is_no_activity() -> None:
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
    waits = (Wait("activity", 0, "send", NOW - 60 * SECOND),)
    mail = {(int(InboxKind.ACTIVITY_COMPLETED), "0"): 1}
    assert codes(situation(row(waits=waits), scheduled, mail=mail)) == ["executing"]


def test_an_attempt_of_the_owner_is_running_only_while_the_run_is() -> None:
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
    running = row(RunState.RUNNING, waits=None)
    assert codes(situation(running, scheduled)) == ["activity_running"]
    free = replace(running, owner=None, owner_node=None, owner_pid=None, due_at=NOW)
    assert codes(situation(free, scheduled, lease=None)) == ["ready"]


def test_a_back_off_that_the_code_has_given_up_is_no_cause() -> None:
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
    retried = event(1, EventType.ACTIVITY_RETRIED, 0, "OSError", "no", 1, NOW + 9 * SECOND)
    waits = (Wait("signal", -1, "go", NOW),)
    assert codes(situation(row(waits=waits), scheduled, retried)) == ["signal"]
    due = row(waits=waits, due_at=NOW + 9 * SECOND)
    (first, _) = causes(situation(due, scheduled, retried))
    assert (first.code, first.evidence["error"], first.evidence["attempt"]) == (
        "backing_off",
        "OSError: no",
        2,
    )


@pytest.mark.parametrize(
    ("options", "told", "said"),
    [
        (None, [], "attempt 2 of activity send"),
        (None, [[("send", 5)]], "attempt 2 of 5 of activity send"),
        (None, [[("send", 5)], [("send", 5)], []], "attempt 2 of 5 of activity send"),
        (None, [[("send", 5)], [("send", 6)]], "attempt 2 of activity send"),
        ({"retry": [7, "constant", 1.0, 1.0, 0.0, []]}, [[("send", 5)]], "attempt 2 of 7 of activity send"),
        ({"retry": "odd"}, [], "attempt 2 of activity send"),
    ],
    ids=["nobody knows", "a node", "two nodes", "two that differ", "the call", "an odd call"],
)
def test_a_back_off_says_of_how_many_attempts_as_far_as_call_or_nodes_tell(
    options: object, told: list[list[tuple[str, int]]], said: str
) -> None:
    due = NOW + 9 * SECOND
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", options)
    retried = event(1, EventType.ACTIVITY_RETRIED, 0, "OSError", "no", 1, due)
    nodes = [
        replace(NORTH, node=f"n{place}", code=NodeCode("1.0", [], ["send"], attempts=attempts))
        for place, attempts in enumerate(told)
    ]
    (cause,) = causes(situation(row(waits=(), due_at=due), scheduled, retried), *nodes)
    assert cause.sentence.startswith(f"{said} begins at ")


def test_a_crash_of_an_attempt_is_counted_and_ends_the_back_off() -> None:
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
    retried = event(1, EventType.ACTIVITY_RETRIED, 0, "OSError", "no", 1, NOW - 9 * SECOND)
    restarted = event(2, EventType.ACTIVITY_RESTARTED, 0)
    crashed = event(3, EventType.ACTIVITY_CRASHED, 0, 2)
    found = situation(row(RunState.RUNNING, waits=None), scheduled, retried, restarted, crashed)
    (cause,) = causes(found)
    assert (cause.code, cause.evidence["attempt"], cause.evidence["crashes"]) == ("activity_running", 2, 2)


def test_the_deadline_of_a_task_is_the_earlier_of_both() -> None:
    task = TaskPlace(
        0, 1, 1, "send", "mail", False, None, "south", 12, NOW - SECOND, NOW - 2 * SECOND, timeout=10.0
    )
    for deadline, expected in ((None, NOW + 9 * SECOND), (NOW + 3 * SECOND, NOW + 3 * SECOND)):
        (cause,) = causes(situation(row(), tasks=[task._replace(deadline=deadline)]))
        assert cause.wakes_at is not None
        assert round(cause.wakes_at.timestamp() * SECOND) == expected


def test_a_cancel_that_nobody_has_read_is_a_cause() -> None:
    waits = (Wait("signal", -1, "go", NOW),)
    mail = {(int(InboxKind.CANCEL), ""): 1}
    assert codes(situation(row(waits=waits), mail=mail)) == ["executing", "cancelling", "signal"]
    asked = causes(situation(row(waits=waits), mail=mail))
    assert f"continuum cancel {RUN}" not in [fix.command for cause in asked for fix in cause.fixes]


def test_a_node_that_is_silent_serves_nothing() -> None:
    free = row(waits=(Wait("signal", -1, "go", NOW),), owner=None, owner_node=None, owner_pid=None)
    found = situation(free, lease=None)
    assert codes(found) == ["signal"]
    assert codes(found, replace(NORTH, lease_age=20.0)) == ["no_node", "signal"]
    assert codes(found, replace(NORTH, state="lost")) == ["no_node", "signal"]


def test_an_owner_is_silent_after_a_renewal_and_a_half() -> None:
    waits = (Wait("signal", -1, "go", NOW),)
    # A lease of ten seconds is renewed each 3.3 s.
    for silence, expected in ((5, ["signal"]), (7, ["owner_silent", "signal"])):
        lease = Lease(NOW + (10 - silence) * SECOND, NOW - silence * SECOND)
        assert codes(situation(row(waits=waits), lease=lease)) == expected
    assert codes(situation(row(waits=waits), lease=Lease(NOW - 1, NOW - 10 * SECOND))) == [
        "lease_lost",
        "signal",
    ]


def test_children_beyond_those_that_are_followed_are_named() -> None:
    child = OpenChild(RunId("01900000-0000-7000-8000-000000000002"), 0, "pack", RunState.RUNNING)
    (cause,) = causes(situation(row(), children=[child]))
    assert (cause.code, cause.wakes_by) == ("child", f"the end of child {child.id}")
    assert [fix.command for fix in cause.fixes] == [f"continuum explain {child.id}"]


def test_a_stored_error_that_cannot_be_read_hides_no_end() -> None:
    ended = row(RunState.FAILED, error=b"\xc1", completed_at=NOW)
    assert causes(situation(ended))[0].evidence == {"type": "an error", "message": "it cannot be read"}


def test_an_odd_history_is_passed_over() -> None:
    odd = [Event(0, 99, 0, ()), Event(1, EventType.TIMER_STARTED, 0, ("x",)), Event(-1, 1, 0, ())]
    assert codes(situation(row(), *odd)) == ["nothing"]
