"""`client.operations`: previews, and operations that a program begins, steers and resumes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from continuum import (
    Client,
    InvalidOption,
    InvalidQuery,
    NotReady,
    OperationNotFound,
    Signal,
    UndeclaredSignal,
)
from continuum.client.loop_thread import LoopThread
from continuum.client.operations import ClientOperations
from continuum.client.sync_client import SyncClient
from continuum.client.sync_operations import SyncClientOperations
from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditQuery
from continuum.journal.facts import InboxKind
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal, VersionRow
from continuum.operations import bulk_execution
from continuum.operations.bulk_records import OperationProgress
from tests.contract.builders import begin, claim, new_run, worker_of
from tests.contract.test_operations import NOBODY, runs_of

ORDERS = "workflow:orders"
review = Signal("review", str)


async def recorded(journal: Journal) -> set[tuple[str, str, str, str | None, str]]:
    """Return actor, via, action, reason and outcome of every change on record."""
    rows = await journal.audited(AuditQuery(1_000))
    return {(row.actor, row.via, row.action, row.reason, row.outcome) for row in rows}


async def test_a_previewed_change_is_made_once_and_under_the_name_of_a_person(journal: Journal) -> None:
    async with Client(journal) as client:
        runs = await runs_of(journal, 7)
        shown = await client.operations.preview("cancel", ORDERS)
        assert (shown.count, shown.exact, shown.text, shown.skipped) == (7, True, "7 runs", ())
        assert [each.id for each in shown.examples] == runs[:5]
        late = await begin(journal, id=RunId(NOBODY))
        assert await recorded(journal) == set()

        told: list[OperationProgress] = []
        done = await client.operations.execute(
            shown.digest, "cancel", ORDERS, by="ann", reason="ticket 7", told=told.append
        )

        assert (done.state, done.done, done.skipped, done.failed) == ("completed", 7, 0, 0)
        assert (done.actor, done.via, done.reason, done.expected) == ("ann", "python", "ticket 7", "8 runs")
        assert (done.search, done.held, done.until) == (ORDERS, False, shown.until)
        assert told == [OperationProgress("completed", 7, 0, 0)]
        assert await client.operations.show(done.id) == done
        assert await recorded(journal) == {
            ("ann", "python", "begin_operation", "ticket 7", "done"),
            ("ann", "python", "cancel", "ticket 7", "done"),
        }
        with pytest.raises(NotReady, match="is completed; preview the change again"):
            await client.operations.execute(shown.digest, "cancel", ORDERS)
        again = await client.operations.preview("cancel", ORDERS)
        (skipped,) = again.skipped
        assert (again.count, skipped.why, skipped.count) == (8, "it has been asked to stop", 7)
        assert late not in skipped.runs


async def test_a_digest_is_of_one_change_alone(journal: Journal) -> None:
    async with Client(journal) as client:
        await runs_of(journal, 1)
        operations = client.operations
        shown = await operations.preview("signal", ORDERS, signal=review, value="yes")
        others: list[tuple[tuple[str, str], dict[str, Any]]] = [
            (("signal", ORDERS), {"signal": "review", "value": "no"}),
            (("signal", ORDERS), {"signal": "other", "value": "yes"}),
            (("signal", "workflow:order*"), {"signal": "review", "value": "yes"}),
            (("signal", ORDERS), {"signal": "review", "value": "yes", "namespace": "default"}),
            (("cancel", ORDERS), {}),
        ]
        for change, options in others:
            with pytest.raises(InvalidOption, match="not the digest of a preview of this change"):
                await operations.execute(shown.digest, *change, **options)
        assert (await operations.list()).entries == ()
        # The name of a signal and the signal are the same.
        done = await operations.execute(shown.digest, "signal", ORDERS, signal="review", value="yes")
        assert done.done == 1
        worker = await worker_of(journal)
        await claim(journal, worker)
        (mail,) = await journal.inbox(worker, None)
        assert (mail.kind, mail.name) == (InboxKind.SIGNAL, "review")


async def test_an_operation_is_paused_listed_resumed_and_cancelled(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_execution, "RUNS_PER_PART", 1)
    async with Client(journal) as client:
        await runs_of(journal, 5)
        operations = client.as_actor("ann", reason="ticket 7", via="web").operations

        async def stopped(action: str) -> Any:
            """Begin to cancel runs, and pause or cancel that after the first one, seconds before the last."""
            shown = await operations.preview("cancel", ORDERS)
            reached = asyncio.Event()
            running = asyncio.create_task(
                operations.execute(shown.digest, "cancel", ORDERS, rate=2.0, told=lambda _: reached.set())
            )
            await reached.wait()
            (first, *_) = (await operations.list(limit=1)).entries
            after = await getattr(operations, action)(first.id, by="bob")
            return after, await running

        after, left = await stopped("pause")
        assert (after.state, left.state, after.id) == ("paused", "paused", left.id)
        assert 1 <= left.done < 5
        done = await operations.resume(left.id, rate=1_000)
        assert (done.state, done.done, done.rate) == ("completed", 5, 1_000)

        after, over = await stopped("cancel")
        assert (after.state, over.state) == ("cancelled", "cancelled")
        with pytest.raises(NotReady, match="is over, and nothing was changed"):
            await operations.pause(over.id)
        with pytest.raises(NotReady, match="is cancelled; preview the change again"):
            await operations.resume(over.id)

        first_page = await operations.list(limit=1)
        (latest,) = first_page.entries
        (rest,) = (await operations.list(cursor=first_page.next_cursor)).entries
        assert [latest.id, rest.id] == [over.id, done.id]
        assert await recorded(journal) >= {
            ("ann", "web", "begin_operation", "ticket 7", "done"),
            ("bob", "web", "pause_operation", "ticket 7", "done"),
            ("ann", "web", "resume_operation", "ticket 7", "done"),
            ("bob", "web", "cancel_operation", "ticket 7", "done"),
        }


async def test_a_call_that_is_cancelled_frees_the_operation_for_the_next_one(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_execution, "RUNS_PER_PART", 1)
    async with Client(journal) as client:
        await runs_of(journal, 3)
        shown, change = await client.operations.preview("cancel", ORDERS), ("cancel", ORDERS)
        reached = asyncio.Event()
        first = asyncio.create_task(
            # The next run would follow after ten seconds.
            client.operations.execute(shown.digest, *change, rate=0.1, told=lambda _: reached.set())
        )
        await reached.wait()
        with pytest.raises(NotReady, match="is executed by another process"):
            await client.operations.execute(shown.digest, *change)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        (left,) = (await client.operations.list()).entries
        assert (left.state, left.held, left.done) == ("running", False, 1)
        assert (await client.operations.cancel(left.id)).state == "cancelled"


BAD: list[tuple[str, str, dict[str, Any], type[Exception], str]] = [
    ("stop", ORDERS, {}, InvalidOption, "there is no action 'stop'; the actions are cancel, signal, "),
    ("cancel", "", {}, InvalidQuery, "an empty search finds every run"),
    ("cancel", "sate:open", {}, InvalidQuery, "did you mean state?"),
    ("cancel", ORDERS, {"namespace": ""}, InvalidOption, "namespace must have 1 to"),
    ("cancel", ORDERS, {"signal": "review"}, InvalidOption, "cancel takes no signal"),
    ("pause", ORDERS, {"at": 3}, InvalidOption, "pause takes no at"),
    ("cancel", ORDERS, {"signals": "drop"}, InvalidOption, "cancel takes no signals"),
    ("signal", ORDERS, {}, InvalidOption, "the name of a signal must be text"),
    ("attributes", ORDERS, {}, InvalidOption, "attributes needs the attributes"),
    ("attributes", ORDERS, {"attributes": {}}, InvalidOption, "attributes needs the attributes"),
    ("cancel", ORDERS, {"event": 3}, InvalidOption, "a change of many runs takes no event"),
    ("attributes", ORDERS, {"attributes": [1]}, InvalidOption, "attributes must be a map"),
    ("reset", ORDERS, {}, InvalidOption, "reset needs the seq of an event"),
    ("fork", ORDERS, {"at": -1}, InvalidOption, "a whole number from 0 on, not -1"),
    ("fork", ORDERS, {"at": True}, InvalidOption, "a whole number from 0 on, not True"),
    ("reset", ORDERS, {"at": "3"}, InvalidOption, "a whole number from 0 on, not '3'"),
    ("restart", ORDERS, {"at": 3}, InvalidOption, "restart finds the place of the failure itself"),
    ("fork", ORDERS, {"at": 3, "signals": "keep"}, InvalidOption, "signals is 'again' or 'drop'"),
    ("signal", ORDERS, {"signal": "other"}, UndeclaredSignal, "other"),
]


@pytest.mark.parametrize(("action", "search", "options", "error", "message"), BAD)
async def test_bad_input_is_refused_before_anything_is_written(
    journal: Journal, action: str, search: str, options: Any, error: type[Exception], message: str
) -> None:
    await journal.register_versions([VersionRow("orders", "v1", "1", "shop", {"review": "str"}, None)])
    await journal.start([new_run()])
    async with Client(journal) as client:
        with pytest.raises(error, match=message.replace("?", r"\?")):
            await client.operations.preview(action, search, **options)
        assert (await client.operations.list()).entries == ()


async def test_an_unknown_operation_and_a_wrong_page_are_refused(journal: Journal) -> None:
    async with Client(journal) as client:
        for call in (client.operations.show, client.operations.pause, client.operations.resume):
            for unknown in (NOBODY, "7"):
                with pytest.raises(OperationNotFound, match="there is no operation"):
                    await call(unknown)
        with pytest.raises(InvalidQuery, match="not a cursor of this list"):
            await client.operations.list(cursor="x")
        for limit in (0, 1_001):
            with pytest.raises(InvalidOption, match="a page has 1 to 1,000 operations"):
                await client.operations.list(limit=limit)
        shown = await client.operations.preview("cancel", ORDERS)
        rates: list[Any] = [0, -1, float("nan"), float("inf"), "5", True]
        for rate in rates:
            with pytest.raises(InvalidOption, match="a rate is more than 0"):
                await client.operations.execute(shown.digest, "cancel", ORDERS, rate=rate)
        digests: list[Any] = ["", "x", "-1-a", "9" * 400 + "-a", "\ud800", None, 7]
        for digest in digests:
            with pytest.raises(InvalidOption, match="is not the digest of a preview"):
                await client.operations.execute(digest, "cancel", ORDERS)


def test_the_blocking_client_has_the_same_calls() -> None:
    calls = {name for name in vars(ClientOperations) if not name.startswith("_")}
    assert calls == {name for name in vars(SyncClientOperations) if not name.startswith("_")}
    thread = LoopThread()
    try:
        journal = MemoryJournal()
        client = SyncClient(thread, Client(journal))
        (run,) = thread.call(journal.start([new_run()]))
        shown = client.operations.preview("attributes", ORDERS, attributes={"a": 1})
        options: Any = {"attributes": {"a": 1}}
        done = client.operations.execute(shown.digest, "attributes", ORDERS, by="ann", **options)
        assert (done.done, client.get_run(run.run_id).attributes) == (1, {"a": 1})
        assert client.operations.show(done.id) == done
        assert client.operations.list().entries == (done,)
        for call in (client.operations.pause, client.operations.resume, client.operations.cancel):
            with pytest.raises(NotReady):
                call(done.id)
    finally:
        thread.stop()
