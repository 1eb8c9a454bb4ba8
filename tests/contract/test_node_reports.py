"""Reports of nodes: wanted by those who look, brought with renewals, and gone with their node."""

from __future__ import annotations

import asyncio

from continuum.engine.ids import NodeId
from continuum.journal.limits import MOST_WATCHED_SECONDS
from continuum.journal.node_report_port import GivenReport, StoredReport, WantedReport
from continuum.journal.port import Journal, NodeFacts, Notification, Topic
from tests.contract.builders import until
from tests.contract.test_notifications import listening

NORTH = NodeId("north")
FACTS = NodeFacts(NORTH, 10, "loopback:1", "up")


async def renewed(journal: Journal, report: GivenReport | None = None) -> WantedReport | None:
    """Renew the leases of the node north, and return what is wanted of it."""
    return (await journal.renew([], 60.0, FACTS, report)).wanted


async def stored(journal: Journal) -> StoredReport:
    """Return what the node north has reported."""
    found = await journal.node_report(NORTH)
    assert found is not None
    return found


async def test_a_report_is_wanted_only_while_somebody_looks(journal: Journal) -> None:
    assert await renewed(journal) is None
    assert await journal.node_report(NORTH) is None

    assert await journal.want_report(NORTH, MOST_WATCHED_SECONDS) == 0
    assert await renewed(journal) == WantedReport()
    assert await journal.renew([], 60.0, NodeFacts(NodeId("south"), 11, "x", "up")) == (
        frozenset(),
        None,
        False,
        None,
    )


async def test_the_time_of_looking_runs_out(journal: Journal) -> None:
    await renewed(journal)
    await journal.want_report(NORTH, 0.01)

    async def over() -> bool:
        return await renewed(journal) is None

    async with asyncio.timeout(30.0):
        while not await over():
            pass


async def test_a_shorter_look_does_not_end_a_longer_one(journal: Journal) -> None:
    await renewed(journal)
    await journal.want_report(NORTH, MOST_WATCHED_SECONDS)
    await journal.want_report(NORTH, -1.0)
    assert await renewed(journal) == WantedReport()


async def test_nobody_looks_for_longer_than_the_limit(journal: Journal) -> None:
    """A look without an end would have the node report for ever."""
    await renewed(journal)
    await journal.want_report(NORTH, 1e12)
    assert await renewed(journal) == WantedReport()


async def test_a_node_that_is_not_there_is_not_asked(journal: Journal) -> None:
    assert await journal.want_report(NORTH, 5.0, stacks=True) is None
    assert await journal.node_report(NORTH) is None


async def test_a_report_comes_with_a_renewal_and_the_latest_is_kept(journal: Journal) -> None:
    await renewed(journal)
    await journal.want_report(NORTH, MOST_WATCHED_SECONDS)
    assert (await stored(journal)).report is None

    await renewed(journal, GivenReport({"processes": [1]}))
    await renewed(journal, GivenReport({"processes": ["ä", None, 2.5]}))

    found = await stored(journal)
    assert found.report == {"processes": ["ä", None, 2.5]}
    assert found.reported_at is not None
    assert found.reported_at <= found.read_at
    assert (found.stacks, found.stacks_for, found.stacks_at) == (None, 0, None)


async def test_a_report_that_nobody_wants_is_not_stored(journal: Journal) -> None:
    await renewed(journal)
    await renewed(journal, GivenReport({}))
    assert await journal.node_report(NORTH) is None


async def test_stacks_are_answered_once_for_each_request_and_stay(journal: Journal) -> None:
    await renewed(journal)
    first = await journal.want_report(NORTH, MOST_WATCHED_SECONDS, stacks=True)
    assert first == 1
    assert await renewed(journal) == WantedReport(stacks=first)

    # The renewal that brings them does not ask for them again.
    assert await renewed(journal, GivenReport({}, [{"pid": 7}], first)) == WantedReport()
    await renewed(journal, GivenReport({"later": True}))

    found = await stored(journal)
    assert (found.report, found.stacks, found.stacks_for) == ({"later": True}, [{"pid": 7}], first)
    assert found.stacks_at is not None


async def test_a_request_for_stacks_that_comes_meanwhile_is_answered_too(journal: Journal) -> None:
    await renewed(journal)
    first = await journal.want_report(NORTH, MOST_WATCHED_SECONDS, stacks=True)
    second = await journal.want_report(NORTH, MOST_WATCHED_SECONDS, stacks=True)
    assert (first, second) == (1, 2)
    # To look on asks for no stacks.
    assert await journal.want_report(NORTH, MOST_WATCHED_SECONDS) == second

    assert await renewed(journal, GivenReport({}, [], 1)) == WantedReport(stacks=2)


async def test_a_node_that_leaves_takes_its_report_with_it(journal: Journal) -> None:
    await renewed(journal)
    await journal.want_report(NORTH, MOST_WATCHED_SECONDS)
    await journal.retire_node(NORTH)
    assert await journal.node_report(NORTH) is None


async def test_a_node_is_notified_when_somebody_begins_to_look_and_when_stacks_are_wanted(
    journal: Journal,
) -> None:
    await renewed(journal)
    async with listening(journal) as received:

        async def told() -> bool:
            return Notification(Topic.WATCHED, (NORTH,)) in received

        await journal.want_report(NodeId("nowhere"), 5.0)
        await journal.want_report(NORTH, MOST_WATCHED_SECONDS)
        await until(told)
        received.clear()
        await journal.want_report(NORTH, MOST_WATCHED_SECONDS)
        await journal.want_report(NORTH, MOST_WATCHED_SECONDS, stacks=True)
        await until(told)
        assert received == [Notification(Topic.WATCHED, (NORTH,))]
