"""Why operations leave runs as they are: counted before, and kept with five runs of each afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditQuery, ChangeOutcome
from continuum.journal.facts import InboxKind, RunState
from continuum.journal.operation_facts import Execution
from continuum.journal.operation_reasons import Why
from continuum.journal.port import Journal, Post, VersionRow
from continuum.operations.bulk import bulk_change
from continuum.operations.bulk_preview import preview
from tests.contract.builders import begin, claim, commit, end, owned_run, worker_of, write
from tests.contract.families import block, continue_as_new, finish, parent_and_child
from tests.contract.operating import TTL, begun, outcomes, part, row_of
from tests.contract.test_operations import runs_of

Compared = set[tuple[str, int, tuple[str, ...]]]


def compared(reasons: Iterable[tuple[str, int, Sequence[str]]]) -> Compared:
    """Return reasons in a form to compare: of more than five runs any five may be named."""
    return {(why, number, () if number > 5 else tuple(sorted(runs))) for why, number, runs in reasons}


async def a_run_of_each_kind(journal: Journal) -> dict[str, RunId]:
    """Make runs that the actions leave alone for different reasons."""
    worker = await worker_of(journal)
    ended, failed = await owned_run(journal, worker), await owned_run(journal, worker)
    blocked, chained = await owned_run(journal, worker), await owned_run(journal, worker)
    await commit(journal, worker, write(failed, transition=end(RunState.FAILED, error=b"")))
    await finish(journal, worker, ended)
    await block(journal, worker, blocked)
    latest = await continue_as_new(journal, worker, chained)
    parent, child = await parent_and_child(journal, worker)
    await finish(journal, worker, child)
    await journal.register_versions([VersionRow("refunds", "v1", "1", "shop", {"other": {}}, None)])
    refund, paused, asked = (
        await begin(journal, workflow="refunds"),
        await begin(journal),
        await begin(journal),
    )
    await journal.pause_run(paused, by="bob", reason="first")
    await journal.post([Post(asked, InboxKind.CANCEL, "cancel", (), "cancel")])
    return {
        "ended": ended.id,
        "failed": failed.id,
        "blocked": blocked.id,
        "latest": latest.id,
        "parent": parent.id,
        "child": child.id,
        "refund": refund,
        "paused": paused,
        "asked": asked,
    }


OPEN = ("blocked", "latest", "parent", "refund", "paused", "asked")
ENDED = ("ended", "failed", "child")


@pytest.mark.parametrize(
    ("action", "facts", "reasons"),
    [
        ("cancel", {}, {Why.ENDED: ENDED, Why.ASKED: ("asked",)}),
        ("signal", {"signal": "review"}, {Why.ENDED: ENDED, Why.UNDECLARED: ("refund",)}),
        ("pause", {}, {Why.ENDED: ENDED, Why.PAUSED: ("paused",)}),
        (
            "resume",
            {},
            {Why.ENDED: ENDED, Why.NOT_PAUSED: tuple(each for each in OPEN if each != "paused")},
        ),
        (
            "unblock",
            {},
            {Why.NOT_BLOCKED: (*ENDED, *(each for each in OPEN if each != "blocked"))},
        ),
        ("attributes", {"attributes": {"a": 1}}, {}),
        ("delete", {}, {Why.OPEN: OPEN, Why.READ: ("child",)}),
    ],
    ids=["cancel", "signal", "pause", "resume", "unblock", "attributes", "delete"],
)
async def test_a_preview_foretells_what_is_skipped_and_why(
    journal: Journal, action: str, facts: dict[str, object], reasons: dict[str, tuple[str, ...]]
) -> None:
    made = await a_run_of_each_kind(journal)
    expected = compared((why, len(names), [made[name] for name in names]) for why, names in reasons.items())

    shown = await preview(journal, bulk_change(action, "namespace:default", **facts))  # type: ignore[arg-type]  # each action has facts of its own
    assert (shown.count, compared((each.why, each.count, each.runs) for each in shown.skipped)) == (
        len(made),
        expected,
    )

    execution = await begun(journal, action, "namespace:default", **facts)
    left = sum(number for _, number, _ in expected)
    assert await part(journal, execution) == ("completed", len(made) - left, left, 0, len(made))
    kept = (await row_of(journal, execution)).reasons
    assert compared((each.why, each.number, each.runs) for each in kept) == expected
    assert {each.outcome for each in kept} <= {"skipped"}
    rows = [row for row in await journal.audited(AuditQuery(100)) if "operation" in row.arguments]
    whys = {row.subject: row.arguments.get("why") for row in rows if row.outcome != "done"}
    assert whys == {made[name]: why for why, names in reasons.items() for name in names}


async def test_a_run_that_was_paused_since_it_was_asked_to_stop_is_asked_again(journal: Journal) -> None:
    """That lifts the pause, and is recorded as a change."""
    run = await begin(journal)
    await journal.post([Post(run, InboxKind.CANCEL, "cancel", (), "cancel")])
    await journal.pause_run(run)
    change = bulk_change("cancel", "workflow:orders")
    assert (await preview(journal, change)).skipped == ()

    execution = await begun(journal, "cancel", "workflow:orders")
    assert await part(journal, execution) == ("completed", 1, 0, 0, 1)

    assert await outcomes(journal, execution) == {run: ("cancel", "done")}
    (worker, found) = await worker_of(journal), await journal.get_run(run)
    assert found is not None
    assert found.pause is None
    assert [claimed.id for claimed in await claim(journal, worker)] == [run]
    (why,) = (await preview(journal, change)).skipped
    assert why.why == Why.ASKED


async def refused(journal: Journal, execution: Execution, runs: Sequence[RunId], why: str) -> None:
    """Pass runs, each refused for a reason."""
    for run in runs:
        assert await journal.refuse_found(execution, run, run, ChangeOutcome.REFUSED, why, ttl=TTL)


async def test_reasons_of_all_parts_are_kept_and_runs_share_a_text_that_names_each(journal: Journal) -> None:
    runs = await runs_of(journal, 9)
    execution = await begun(journal, "fork", "workflow:orders", event=0)
    for run in runs[:7]:
        await refused(journal, execution, [run], f"run {run} is broken")
    await refused(journal, execution, runs[7:], "it is odd")

    assert (await row_of(journal, execution)).reasons == (
        ("skipped", "run RUN is broken", 7, tuple(runs[:5])),
        ("skipped", "it is odd", 2, tuple(runs[7:])),
    )


async def test_twenty_reasons_are_told_apart_and_the_others_counted(journal: Journal) -> None:
    runs = await runs_of(journal, 25)
    execution = await begun(journal, "fork", "workflow:orders", event=0)
    for number, run in enumerate(runs):
        await refused(journal, execution, [run], f"reason {number} {'long ' * 200}")

    reasons = (await row_of(journal, execution)).reasons
    assert [each.why.split(" long")[0] for each in reasons[:20]] == [
        f"reason {number}" for number in range(20)
    ]
    assert {len(each.why) for each in reasons[:20]} == {500}
    assert reasons[20:] == (("skipped", "other reasons", 5, tuple(runs[20:])),)
