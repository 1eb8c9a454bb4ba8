"""What is said besides the first cause: it names nobody who is gone, and no time at which nothing happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from continuum.client.wait_reasons import Present, reason_of
from continuum.engine.events import EventType
from continuum.engine.ids import WorkerId
from continuum.journal.facts import InboxKind, NodeRow, RunRow, RunState
from continuum.journal.node_code import NodeCode
from continuum.journal.pause_facts import StoredPause
from continuum.journal.port import Loaded
from continuum.journal.situation import Lease, Situation, TaskPlace
from continuum.journal.version_facts import Refusal
from continuum.journal.wait import Wait
from tests.unit.operations.test_explained import NORTH, NOW, RUN, SECOND, WHERE, causes, event, row, situation

SIGNAL = Wait("signal", -1, "go", NOW - 55 * SECOND, NOW + 300 * SECOND)
CHARGE = TaskPlace(1, 1, 1, "charge", "", False, None, "south", 12, NOW - SECOND, NOW, deadline=NOW + SECOND)
OTHER_CODE = replace(NORTH, code=NodeCode("1.0", [Loaded("pay", "v2", takes_others=True)], []))
MAIL = {(int(InboxKind.SIGNAL), "go"): 1, (int(InboxKind.CANCEL), ""): 1}


def waiting(**facts: Any) -> RunRow:
    """Return a run that waits for a signal and a timer."""
    waits = (SIGNAL, Wait("timer", 0, "", NOW - 55 * SECOND, NOW + 200 * SECOND))
    given: dict[str, Any] = {"waits": waits, "due_at": NOW + 200 * SECOND} | facts
    return row(**given)


def found(run: RunRow, **facts: Any) -> Situation:
    """Return its situation: a timer, a task elsewhere, and unread a request to stop and a signal."""
    timer = event(0, EventType.TIMER_STARTED, NOW + 200 * SECOND, *WHERE)
    return situation(run, timer, **{"tasks": [CHARGE], "mail": MAIL} | facts)


NOBODY: dict[str, Any] = {"owner": None, "owner_node": None, "owner_pid": None}
DUE = NOBODY | {"due_at": NOW - SECOND}
EXPIRED = Lease(NOW - SECOND, NOW - 20 * SECOND)
PAUSE = StoredPause(None, NOW - 90 * SECOND, "ann", None)
HELD: dict[str, tuple[str, Situation, list[NodeRow]]] = {
    "no node": ("no_node", found(waiting(**DUE)), [replace(NORTH, workflows=["other"])]),
    "refused": (
        "refused",
        found(waiting(**DUE), refusals=[Refusal("v2", "it differs", None)]),
        [OTHER_CODE],
    ),
    "draining": ("draining", found(waiting(**DUE)), [replace(NORTH, state="draining")]),
    "paused": ("paused", found(waiting(**NOBODY, pause=PAUSE)), [NORTH]),
    "owner gone": ("lease_lost", found(waiting(), lease=EXPIRED), [replace(NORTH, lease_age=60.0)]),
    "owner unknown": (
        "lost_wake",
        found(waiting(owner=WorkerId(99999), owner_node=None, owner_pid=None), lease=None),
        [NORTH],
    ),
    "never due": ("lost_wake", found(waiting(**NOBODY | {"due_at": None}), never_due=True), [NORTH]),
}


@pytest.mark.parametrize("held", HELD)
def test_nothing_wakes_a_run_that_cannot_continue(held: str) -> None:
    code, facts, nodes = HELD[held]
    first, *others = causes(facts, *nodes)
    assert first.code == code
    assert {cause.code for cause in others} >= {"cancelling", "activity_running", "signal", "timer"}
    for cause in others:
        assert cause.wakes_at is None, cause
        assert ", once " in (cause.wakes_by or ""), cause
        assert "process 11" not in (cause.wakes_by or ""), cause


def test_no_process_that_has_lost_its_lease_wakes_a_run_or_runs_an_activity() -> None:
    started = event(1, EventType.ACTIVITY_SCHEDULED, "send", 1, *WHERE)
    run = waiting(state=RunState.RUNNING, owner_pid=9)
    nodes = [replace(NORTH, node="south"), replace(NORTH, lease_age=60.0)]
    first, *others = causes(replace(situation(run, started, mail=MAIL), lease=EXPIRED), *nodes)
    assert (first.code, first.wakes_by) == ("lease_lost", "a process of node south")
    assert others
    assert not any("process 9 " in (cause.wakes_by or "") or "runs in" in cause.sentence for cause in others)


def test_a_node_that_gives_no_sign_of_life_ends_no_activity() -> None:
    gone = replace(NORTH, node="south", lease_age=60.0)
    (cause,) = [each for each in causes(found(row()), NORTH, gone) if each.code == "activity_running"]
    assert "that node gives no sign of life" in cause.sentence
    assert (cause.wakes_by, cause.wakes_at) == ("a node that has charge", None)


def test_an_activity_of_a_worker_that_does_not_exist_has_the_repair() -> None:
    lost = CHARGE._replace(owner_node=None, owner_pid=None, lost=True)
    facts = replace(found(waiting()), tasks=[lost])
    (cause,) = [each for each in causes(facts, NORTH) if each.code == "lost_wake"]
    assert cause.fixes[0].command == f"continuum repair owner-unknown {RUN}"
    assert (cause.wakes_by, cause.wakes_at) == (None, None)
    assert "activity_queued" not in {each.code for each in causes(facts, NORTH)}


def test_a_signal_that_has_come_wakes_a_run_before_its_timeout() -> None:
    (cause,) = [each for each in causes(found(waiting(), mail=MAIL)) if each.code == "signal"]
    assert (cause.wakes_by, cause.wakes_at) == ("process 11 of node north", None)


@pytest.mark.parametrize(("held", "code"), [("owner unknown", "owner-unknown"), ("never due", "odd-time")])
def test_a_run_that_no_node_looks_for_has_the_repair(held: str, code: str) -> None:
    _, facts, nodes = HELD[held]
    first = causes(facts, *nodes)[0]
    assert first.fixes[0].command == f"continuum repair {code} {RUN}"
    assert first.wakes_by is None


def test_the_reason_of_a_refused_run_is_no_promise() -> None:
    run = waiting(**DUE, refused=("v2",))
    reason = reason_of(run, Present(NOW, [OTHER_CODE]))
    assert reason == "waits for a node that has loaded pay version v1: 1 other version cannot continue it"
    promised = reason_of(replace(run, refused=("v0",)), Present(NOW, [OTHER_CODE]))
    assert promised is not None
    assert "may claim it" in promised
