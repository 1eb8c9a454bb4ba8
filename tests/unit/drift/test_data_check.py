"""The data check decodes what a run that continues has to read, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from continuum import Signal, activity, workflow
from continuum.codec.codec import encode, encode_arguments
from continuum.drift.data_check import PLACES_OF_A_RUN, data_findings
from continuum.drift.deploy_check import Finding
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.announced_run import NewRun
from continuum.journal.facts import InboxKind
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Post
from continuum.versions.loaded_code import Code

RUN = RunId("00000000-0000-7000-8000-000000000001")


@dataclass
class Order:
    id: str
    due: int


review = Signal("data.review", int)


@activity(name="data.charge")
async def charge(order: Order) -> int:
    """Return a payment."""
    return order.due


@workflow(name="data.child")
async def child() -> int:
    """Return a number."""
    return 1


@workflow(name="data.flow")
async def flow(order: Order) -> None:
    """Name its signal, as workflows do that declare none."""
    await review.wait()


@workflow(name="data.declared", signals=[Signal("said", str)])
async def declared(order: Order) -> None:
    """Declare its signal."""


@workflow(name="data.waiting", on_change="wait")
async def waiting(order: Order) -> None:
    """Wait for its own version."""


def findings(
    name: str = "data.flow",
    order: Any = None,
    events: Sequence[tuple[EventType, tuple[Any, ...]]] = (),
    mail: Sequence[tuple[InboxKind, str, tuple[Any, ...]]] = (),
) -> list[Finding]:
    """Check one run that has these events behind its input and this mail."""

    async def checking() -> list[Finding]:
        journal = MemoryJournal()
        await journal.open()
        data = encode_arguments([order or {"id": "o1", "due": 1}], {})
        await journal.start([NewRun(RUN, name, data)])
        await journal.post([Post(RUN, kind, called, body) for kind, called, body in mail])
        rows = await journal.open_runs(None, 10)
        history = [Event(seq, type, 0, body) for seq, (type, body) in enumerate(events)]
        found = await data_findings(
            journal, Code([flow, child, declared, waiting], [charge]), rows, {RUN: history}
        )
        await journal.close()
        return found

    return asyncio.run(checking())


def scheduled(*args: object) -> tuple[EventType, tuple[Any, ...]]:
    return EventType.ACTIVITY_SCHEDULED, ("data.charge", "flow", "x.py:1", encode_arguments(args, {}), None)


def places(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.place, finding.reason) for finding in found]


def test_data_that_fits_is_not_reported() -> None:
    assert (
        findings(
            events=[
                scheduled({"id": "a", "due": 1}),
                (EventType.ACTIVITY_COMPLETED, (0, encode(1))),
                (EventType.SIGNAL_RECEIVED, ("data.review", encode(2), None)),
            ],
            mail=[(InboxKind.SIGNAL, "data.review", (encode(3),))],
        )
        == []
    )


def test_an_input_that_lacks_a_new_field_is_reported_with_what_to_do() -> None:
    (found,) = findings(order={"id": "o1"})
    assert places([found]) == [("its input", "input.order: the field due is missing")]
    assert found.problem == "data"
    assert "a new field needs a default" in found.advice
    assert "end the run" in found.advice


def test_results_and_signals_of_the_history_are_decoded() -> None:
    found = findings(
        events=[
            scheduled({"id": "a", "due": 1}),
            (EventType.ACTIVITY_COMPLETED, (0, encode("paid"))),
            (EventType.CHILD_STARTED, ("data.child", "flow", "x.py:2", str(RUN), b"digest", 0)),
            (EventType.CHILD_COMPLETED, (2, encode("one"))),
            (EventType.SIGNAL_RECEIVED, ("data.review", encode("yes"), None)),
            (EventType.SIGNAL_RECEIVED, ("another", encode("yes"), None)),
        ]
    )
    assert places(found) == [
        ("the result of data.charge (event 1)", "result of data.charge: expected int, got str"),
        ("the result of data.child (event 3)", "result: expected int, got str"),
        ("signal data.review (event 4)", "signal data.review: expected int, got str"),
    ]


def test_unread_mail_is_decoded() -> None:
    found = findings(
        events=[scheduled({"id": "a", "due": 1})],
        mail=[
            (InboxKind.SIGNAL, "data.review", (encode("yes"),)),
            (InboxKind.ACTIVITY_COMPLETED, "0", (encode("paid"),)),
        ],
    )
    assert [place for place, _ in places(found)] == [
        "signal data.review (unread)",
        "the result of data.charge (unread)",
    ]


def test_a_declared_signal_has_the_declared_type() -> None:
    (found,) = findings("data.declared", mail=[(InboxKind.SIGNAL, "said", (encode(1),))])
    assert found.reason == "signal said: expected str, got int"


def test_arguments_are_decoded_as_long_as_their_activity_is_still_to_run() -> None:
    failed = (0, "ValueError", "no", "", 1)
    assert [place for place, _ in places(findings(events=[scheduled({"id": "a"})]))] == [
        "the arguments of data.charge (event 0), which is still to run"
    ]
    assert findings(events=[scheduled({"id": "a"}), (EventType.ACTIVITY_FAILED, failed)]) == []


def test_a_workflow_that_is_gone_is_reported() -> None:
    (found,) = findings("data.gone")
    assert (found.problem, found.reason) == ("missing", "no workflow named 'data.gone' is defined there")


def test_a_run_names_a_few_places_at_most() -> None:
    mail = [(InboxKind.SIGNAL, "data.review", (encode("yes"),))] * 20
    assert len(findings(mail=mail)) == PLACES_OF_A_RUN


def test_a_history_that_cannot_be_read_ends_the_check_of_its_run() -> None:
    assert findings(events=[(EventType.ACTIVITY_COMPLETED, (0, "odd"))]) == []
