"""P23: a claim that holds tasks of paused runs meets what lets them go, and waits for nobody itself."""

from __future__ import annotations

import asyncio
from typing import LiteralString

import pytest

from continuum.engine.ids import NodeId
from continuum.journal.look_port import LookedFor
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import InboxKind, Post
from tests.contract.builders import CODE, new_task, owned_run, queue_tasks, take_tasks, worker_of
from tests.contract.meetings import LOCK_RUN, meeting

WORKFLOW = PauseScope(PauseKind.WORKFLOW, "orders", "default")
HOLD: LiteralString = """
select {schema}.lock_tasks('north', '{{send}}', false, '{{mail}}', '{{9}}', 9, null, false, true)
"""
LOCK_TASKS: LiteralString = "select from {schema}.tasks where run_id = %s for update"
LEFT_BEHIND: LiteralString = "update {schema}.tasks set held_by = 99"
LOCK_PAUSES: LiteralString = "select from {schema}.pauses for update"


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
@pytest.mark.parametrize("stops", [False, True], ids=["resume", "cancel"])
def test_tasks_that_a_claim_is_about_to_hold_are_claimed_once_their_run_may_go_on(
    together: bool, stops: bool, dsn: str, schema: str
) -> None:
    async def main() -> None:
        async with meeting(dsn, schema) as met:
            journal = met.journal
            worker = await worker_of(journal)
            run = await owned_run(journal, worker)
            await queue_tasks(journal, worker, run, new_task())
            await (journal.pause_together(WORKFLOW) if together else journal.pause_run(run.id))
            await met.hold(HOLD)

            async def let_go() -> None:
                if stops:
                    await journal.post([Post(run.id, InboxKind.CANCEL, "", (), "cancel")])
                else:
                    await (journal.resume_together(WORKFLOW) if together else journal.resume_run(run.id))

            letting = asyncio.create_task(let_go())
            await met.waiting(1)
            await met.other.commit()
            await letting
            assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]

    asyncio.run(main())


@pytest.mark.parametrize("lock", [LOCK_RUN, LOCK_TASKS, LOCK_PAUSES], ids=["run", "tasks", "pauses"])
def test_a_claim_waits_for_nobody_who_changes_what_it_would_hold(
    lock: LiteralString, dsn: str, schema: str
) -> None:
    async def main() -> None:
        async with meeting(dsn, schema) as met:
            journal = met.journal
            worker = await worker_of(journal)
            run, other = (
                await owned_run(journal, worker),
                await owned_run(journal, worker, namespace="other"),
            )
            await queue_tasks(journal, worker, run, new_task())
            await queue_tasks(journal, worker, other, new_task())
            await journal.pause_together(WORKFLOW)
            await met.hold(lock, *([] if lock is LOCK_PAUSES else [run.id]))

            assert [task.run_id for task in await take_tasks(journal, worker)] == [other.id]
            await met.other.rollback()
            await journal.resume_together(WORKFLOW)
            assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]

    asyncio.run(main())


def test_tasks_that_the_end_of_a_pause_has_left_held_are_seen_and_claimed(dsn: str, schema: str) -> None:
    """It frees so many tasks, and leaves the others to claims."""

    async def main() -> None:
        async with meeting(dsn, schema) as met:
            journal = met.journal
            worker = await worker_of(journal)
            run = await owned_run(journal, worker)
            await queue_tasks(journal, worker, run, new_task())
            wanted = LookedFor(NodeId("north"), [worker.id], CODE, ["send"])
            await met.hold(LEFT_BEHIND)
            await met.other.commit()

            assert (await journal.look(wanted, None)).tasks is not None
            assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]

    asyncio.run(main())
