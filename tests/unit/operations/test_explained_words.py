"""What explanations say and offer, from facts alone: what has come, what is past, and which fix helps."""

from __future__ import annotations

from dataclasses import replace

from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.journal.facts import InboxKind, RunState
from continuum.journal.node_code import NodeCode
from continuum.journal.silence import Silence
from continuum.journal.situation import KnownVersion, OpenChild, Suspicion
from continuum.journal.version_facts import Fault, Loaded, Refusal
from continuum.journal.wait import Wait
from continuum.operations.explain import explained
from continuum.operations.explanation import Cause
from tests.unit.operations.test_explained import NORTH, NOW, RUN, SECOND, WHERE, causes, event, row, situation

FREE = row(owner=None, owner_node=None, owner_pid=None)
WAITS = (Wait("signal", -1, "go", NOW - 55 * SECOND),)
KEPT = {(int(InboxKind.CANCEL), "parent"): 1}
OTHER = RunId("01900000-0000-7000-8000-000000000009")
LOST = replace(NORTH, state="lost")


def test_a_signal_that_has_come_is_not_asked_for_again() -> None:
    mail = {(int(InboxKind.SIGNAL), "go"): 1}
    missing, signal = causes(situation(replace(FREE, waits=WAITS, due_at=NOW), lease=None, mail=mail), LOST)
    assert missing.code == "no_node"
    assert "; 1 such signal came, and no process has read it" in signal.sentence
    assert (signal.wakes_by, signal.evidence["come"]) == ("a node that can continue it, once one runs", 1)
    assert [fix.command for fix in signal.fixes] == [f"continuum cancel {RUN}"]
    lost = causes(situation(replace(FREE, waits=WAITS), lease=None, mail=mail))
    assert [cause.code for cause in lost] == ["lost_wake", "signal"]
    assert len(lost[1].fixes) == 1


def test_a_cancel_that_needs_a_node_says_so_while_none_has_the_code() -> None:
    for node, expected in (
        (LOST, "to stop it, once a node that has its code runs"),
        (replace(NORTH, state="draining"), "to stop it, once a node that has its code runs"),
        (NORTH, "to stop the run instead of waiting"),
    ):
        signal = causes(situation(replace(FREE, waits=WAITS), lease=None), node)[-1]
        assert (signal.code, signal.fixes[-1].when) == ("signal", expected)


def test_a_time_that_is_past_wakes_nothing_in_the_future() -> None:
    past, ahead = NOW - 9 * SECOND, NOW + 9 * SECOND
    for due, waits, begins in (
        (past, "it waited until", "was to begin"),
        (ahead, "it waits until", "begins"),
    ):
        timer = event(0, EventType.TIMER_STARTED, due, *WHERE)
        run = replace(FREE, due_at=due)
        cause = causes(situation(run, timer, lease=None), NORTH)[-1]
        assert (cause.sentence.startswith(waits), cause.wakes_at is None) == (True, due == past)
        scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
        retried = event(1, EventType.ACTIVITY_RETRIED, 0, "OSError", "no", 1, due)
        cause = causes(situation(run, scheduled, retried, lease=None), NORTH)[-1]
        assert f"attempt 2 of activity send {begins} at" in cause.sentence
        assert (cause.wakes_at is None) is (due == past)
        signal = replace(FREE, due_at=due, waits=(WAITS[0]._replace(due=due),))
        assert (causes(situation(signal, lease=None), NORTH)[-1].wakes_at is None) is (due == past)


def test_an_attempt_that_another_owner_began_again_is_as_old_as_that_and_tells_of_deaths() -> None:
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None, at=NOW - 90 * SECOND)
    again = row(RunState.RUNNING, waits=None)
    (cause,) = causes(situation(again, scheduled, deaths=2))
    assert cause.since is not None
    assert round(cause.since.timestamp()) == NOW // SECOND - 60
    assert cause.sentence.endswith("; its process died 2 times before")
    (cause,) = causes(situation(again, deaths=1))
    assert (cause.code, cause.evidence["deaths"]) == ("executing", 1)
    assert cause.sentence.endswith("; its process died 1 time before")


def test_a_run_that_is_on_trial_is_said_to_be() -> None:
    found = situation(row(RunState.RUNNING, waits=None), suspicions={-1: Suspicion(NOW - 9 * SECOND, 1)})
    (cause,) = causes(found)
    assert (cause.code, cause.evidence["nodes"]) == ("quarantine", ["north"])
    assert cause.sentence.endswith("process 11 of node north tries it alone")


def test_code_is_executed_because_of_what_came_in_words() -> None:
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
    kinds = {(int(InboxKind.ACTIVITY_COMPLETED), "0"): 1, (int(InboxKind.CHILD_FAILED), "7"): 1}
    (cause,) = causes(situation(row(), scheduled, mail={**kinds, (int(InboxKind.SIGNAL), "go"): 2}))
    expected = ["signal go", "the end of an attempt of activity send", "the end of child 7"]
    assert cause.evidence["unread"] == expected
    assert cause.sentence.endswith(f" because of {', '.join(expected)}")


def test_reasons_are_not_cut_before_they_say_what_to_do() -> None:
    reason = f"at event 3 {'x ' * 150}; deploy code that still does what the journal says"
    blocked = row(RunState.BLOCKED, reason=reason, owner=None)
    assert causes(situation(blocked, lease=None))[0].sentence.endswith(" ".join(reason.split()))
    other = replace(NORTH, code=NodeCode("1", [Loaded("pay", "v2", takes_others=True)], []))
    labels = [KnownVersion("v1", "1", "shop"), KnownVersion("v2", "1", "shop")]
    found = situation(
        replace(FREE, due_at=NOW), lease=None, refusals=[Refusal("v2", reason)], versions=labels
    )
    (cause,) = causes(found, other)
    assert cause.code == "refused"
    known = "it waits for a node with version 1 (v1); 1 other version of pay cannot continue it: "
    assert cause.sentence == known + reason


def test_a_blocked_run_that_compensates_later_ends_at_once_by_force_alone() -> None:
    begun = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
    asked = event(1, EventType.CANCEL_REQUESTED)
    unblock, stop = f"continuum runs unblock {RUN}", f"continuum cancel {RUN}"
    for kind, events, mail, commands in (
        ("drift", (begun,), {}, [unblock, stop, f"{stop} --force"]),
        ("poison", (begun,), {}, [unblock, stop, f"{stop} --force"]),
        ("corrupt", (begun,), {}, [unblock, f"{stop} --force"]),
        ("drift", (begun,), KEPT, [unblock, f"{stop} --force"]),
        ("poison", (begun, asked), {}, [unblock, f"{stop} --force"]),
        ("input", (), {}, [stop, unblock]),
        ("poison", (), {}, [unblock, stop]),
    ):
        blocked = row(RunState.BLOCKED, reason=kind, fault=Fault(kind), owner=None)
        (cause,) = causes(situation(blocked, *events, lease=None, mail=mail))
        assert (cause.code, [fix.command for fix in cause.fixes]) == (kind, commands)
        compensates = cause.sentence.endswith(", and compensates once it is unblocked")
        assert compensates is cause.evidence.get("asked_to_stop", False) is bool(mail or asked in events)


def test_a_signal_that_lies_unread_may_end_a_blocked_run_before_it_stops() -> None:
    blocked = row(RunState.BLOCKED, reason="drift", fault=Fault("drift"), owner=None)
    mail = {**KEPT, (int(InboxKind.SIGNAL), "go"): 1}
    (cause,) = causes(situation(blocked, lease=None, mail=mail))
    assert cause.sentence.endswith(", unless a signal that came before ends it first")


def test_a_wait_for_a_blocked_child_that_was_asked_to_stop_has_the_way_out() -> None:
    child = RunId("01900000-0000-7000-8000-000000000002")
    begun = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None)
    blocked = replace(row(RunState.BLOCKED, reason="poison", owner=None), id=child)
    held = explained(situation(blocked, begun, lease=None, mail=KEPT), [NORTH], {})
    started = event(0, EventType.CHILD_STARTED, "pack", *WHERE, child, b"", 0)
    waiting = situation(row(), started, children=[OpenChild(child, 0, "pack", RunState.BLOCKED)])
    (cause,) = explained(waiting, [NORTH], {child: held}).causes
    assert cause.code == "child"
    assert cause.sentence.endswith("; it was asked to stop, and compensates once it is unblocked")
    unblock, end = f"continuum runs unblock {child}", f"continuum cancel {child} --force"
    assert [fix.command for fix in cause.fixes] == [unblock, end]


def hanging(silence: Silence, **facts: object) -> list[Cause]:
    """Return the causes of a run whose owner hung when its node renewed its lease a second ago."""
    scheduled = event(0, EventType.ACTIVITY_SCHEDULED, "send", *WHERE, b"", None, at=NOW - 90 * SECOND)
    found = situation(row(RunState.RUNNING, waits=None), scheduled, **facts)
    return causes(found, replace(NORTH, silent={11: silence}))


def test_a_process_that_hangs_is_said_to_hang_and_who_makes_it_hang() -> None:
    own, other = hanging(Silence(4.0, 15.0, RUN)), hanging(Silence(4.0, 15.0, OTHER, 7))
    assert [cause.code for cause in own] == ["hanging", "activity_running"]
    assert own[0].sentence.startswith("its own code keeps process 11 of node north busy since ")
    assert own[0].evidence["silent_seconds"] == 5.0
    assert own[0].wakes_at is not None
    assert round(own[0].wakes_at.timestamp()) == NOW // SECOND + 10
    assert [fix.command for fix in own[0].fixes] == [f"continuum cancel {RUN} --force"]
    assert other[0].sentence.startswith(f"activity 7 of run {OTHER} keeps process 11 of node north busy")
    assert [fix.command for fix in other[0].fixes] == [f"continuum explain {OTHER}"]
    for found in (own, other):
        assert found[1].sentence.endswith("; whether it still runs is not known, because its process hangs")


def test_an_activity_that_hangs_is_named_and_known_to_run() -> None:
    hangs, runs = hanging(Silence(4.0, 15.0, RUN, 0))
    assert hangs.sentence.startswith("activity send keeps process 11 of node north busy since ")
    assert "not known" not in runs.sentence


def test_a_process_that_hangs_without_code_of_a_user_or_a_watchdog_names_neither() -> None:
    mail = {(int(InboxKind.ACTIVITY_COMPLETED), "0"): 1}
    (hangs, _) = hanging(Silence(4.0, None), mail=mail)
    assert "does not answer since " in hangs.sentence
    assert hangs.sentence.endswith("; the end of an attempt of activity send lies unread")
    assert (hangs.wakes_at, hangs.fixes, hangs.evidence["run"]) == (None, (), None)


def test_a_first_step_that_hangs_before_anybody_owns_the_run_is_named() -> None:
    due = row(RunState.RUNNING, owner=None, owner_node=None, owner_pid=None, waits=None, due_at=NOW - SECOND)
    node = replace(NORTH, silent={11: Silence(4.0, 15.0, RUN)})
    (cause,) = causes(situation(due, lease=None), node)
    assert cause.code == "hanging"
    assert cause.sentence.startswith("its own code keeps process 11 of node north busy since ")
    other = replace(NORTH, silent={11: Silence(4.0, 15.0, OTHER)})
    assert causes(situation(due, lease=None), other)[0].code == "ready"


def test_a_first_step_that_hung_in_a_node_that_runs_no_more_waits_for_a_node() -> None:
    due = row(RunState.RUNNING, owner=None, owner_node=None, owner_pid=None, waits=None, due_at=NOW - SECOND)
    node = replace(NORTH, silent={11: Silence(4.0, 15.0, RUN)})
    for gone in (replace(node, state="lost"), replace(node, lease_age=600.0)):
        assert causes(situation(due, lease=None), gone)[0].code == "no_node"


def test_a_process_that_has_written_since_its_node_said_so_hangs_no_more() -> None:
    node = replace(NORTH, silent={11: Silence(4.0, 15.0, RUN)})
    (cause,) = causes(situation(row(RunState.RUNNING, waits=None, updated_at=NOW - SECOND // 2)), node)
    assert cause.code == "executing"
    other = replace(NORTH, silent={12: Silence(4.0, 15.0, RUN)})
    assert causes(situation(row(RunState.RUNNING, waits=None)), other)[0].code == "executing"
