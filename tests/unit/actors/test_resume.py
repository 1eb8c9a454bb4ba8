"""What is decided about a claimed run before its code runs, without any actor or loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from continuum import Workflow, workflow
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.port import ClaimedRun, Fault, InboxKind, InboxRow, StoredHistory
from continuum_actors.run.resume import Begin, CannotReadInput, Decision, EndStopped, Refuse, decide
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import STARTED_AT, Driver
from tests.unit.engine.families import double

RUN = RunId("01a20000-0000-7000-8000-000000000000")
LATER = STARTED_AT + 1_000_000


async def ask(number: int) -> int:
    """The calling function is part of a command: both versions of the code call here."""
    return await echo(number)


@workflow(name="resume.order")
async def order(number: int) -> int:
    return await ask(number)


@workflow(name="resume.order")
async def order_reworded(number: int) -> int:
    result = await ask(number)
    return result


@workflow(name="resume.order")
async def order_doubled(number: int) -> int:
    return await double(number)


@dataclass
class Order:
    number: int


@workflow(name="resume.order")
async def order_by_record(order: Order) -> int:
    return await echo(order.number)


@workflow(name="resume.order")
async def order_of_two(number: int, other: int) -> int:
    return await echo(number + other)


def claim(version: str = order.version_hash, attempt: int = 1) -> ClaimedRun:
    return ClaimedRun(
        RUN,
        1,
        "resume.order",
        version,
        "default",
        order.arguments.encode_call((1,), {}),
        STARTED_AT,
        attempt,
        None,
        True,
    )


def mail(*kinds: InboxKind) -> list[InboxRow]:
    return [InboxRow(id, RUN, kind, "", (b"",), None) for id, kind in enumerate(kinds, start=1)]


def half_an_order() -> StoredHistory:
    """The history of an order whose activity is running."""
    driver = Driver(lambda: order.fn(1))
    return StoredHistory(None, driver.history)


def decision(
    claimed: ClaimedRun,
    flow: Workflow[..., int] = order,
    stored: StoredHistory | None = None,
    rows: Sequence[InboxRow] = (),
) -> Decision:
    return decide(claimed, flow, stored or StoredHistory.empty(), rows, LATER)


def test_a_new_run_begins_with_its_arguments() -> None:
    assert decision(claim()) == Begin((1,), {}, [], 0, None)


def test_a_run_continues_from_its_history() -> None:
    stored = half_an_order()
    assert decision(claim(attempt=2), stored=stored) == Begin((1,), {}, stored.events, 1, None)


def test_a_run_that_is_cancelled_before_it_began_ends_without_its_code() -> None:
    rows = mail(InboxKind.SIGNAL, InboxKind.CANCEL)
    assert decision(claim(), rows=rows) == EndStopped(rows[1])


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_run_that_has_begun_is_cancelled_by_its_code(attempt: int) -> None:
    """On a second attempt even a run without a history may have code that waits inside a `try`."""
    stored = half_an_order() if attempt == 1 else StoredHistory.empty()
    assert isinstance(decision(claim(attempt=attempt), stored=stored, rows=mail(InboxKind.CANCEL)), Begin)


def test_matching_code_continues_the_run_of_other_code_and_records_the_change() -> None:
    stored = half_an_order()
    made = decision(claim(), order_reworded, stored)
    assert isinstance(made, Begin)
    versions = (order.version_hash, order_reworded.version_hash)
    assert made.changed == Event(1, EventType.VERSION_CHANGED, LATER, versions)
    assert (made.history, made.length) == ([*stored.events, made.changed], 2)


def test_code_that_does_not_match_refuses_the_run_and_says_where() -> None:
    made = decision(claim(), order_doubled, half_an_order())
    assert isinstance(made, Refuse)
    assert made.reason.startswith("drift: ")
    assert "child_started families.double" in made.reason
    fault = made.fault
    assert (fault.kind, fault.position, fault.expected) == (
        "drift",
        0,
        "activity_scheduled engine.echo from ask",
    )
    assert str(fault.actual).startswith("child_started families.double")
    assert "test_resume.py" in str(fault.where)


def test_other_code_that_cannot_read_the_input_refuses_the_run() -> None:
    made = decision(claim(), order_by_record, half_an_order())
    assert isinstance(made, Refuse)
    assert made.reason == "input: the code cannot read its input at order: expected Order, got int"
    assert made.fault == Fault("input", actual="input.order: expected Order, got int")


def test_a_run_whose_input_its_own_code_cannot_read_is_blocked_and_not_failed() -> None:
    made = decision(claim(order_by_record.version_hash), order_by_record)
    assert isinstance(made, CannotReadInput)
    assert made.mismatch == "input.order: expected Order, got int"
    assert made.reason == (
        "the code cannot read its input at order: expected Order, got int; cancel it and start it again "
        "with what the code takes, or deploy code that can read it"
    )


def test_a_run_with_a_history_is_not_to_be_started_again() -> None:
    made = decision(claim(order_by_record.version_hash), order_by_record, half_an_order())
    assert isinstance(made, CannotReadInput)
    assert "start it again" not in made.reason
    assert made.reason.endswith("expected Order, got int; deploy code that can read it")


def test_a_reason_that_says_how_to_change_the_code_says_it_once() -> None:
    two_more = claim(order_of_two.version_hash)
    made = decision(two_more, order_of_two)
    assert isinstance(made, CannotReadInput)
    assert made.reason.endswith(
        "; cancel it and start it again with what the code takes, or "
        "give a new parameter a default, and keep one that old calls pass"
    )
    begun = decision(two_more, order_of_two, half_an_order())
    assert isinstance(begun, CannotReadInput)
    assert begun.reason.endswith("keep one that old calls pass")


def test_a_decision_changes_no_history() -> None:
    stored = half_an_order()
    before = list(stored.events)
    decision(claim(), order_reworded, stored)
    assert stored.events == before
