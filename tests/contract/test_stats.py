"""Statistics: renewals add what nodes have counted, people read it by minute, by hour and for ever."""

from __future__ import annotations

import pytest

from continuum.engine.ids import NodeId
from continuum.errors import InvalidOption
from continuum.journal.port import Journal, NodeFacts
from continuum.journal.stat_port import HOUR, MICROSECONDS, MINUTE, Stat, StatsWanted
from continuum.telemetry.tallies import Tally
from tests.contract.builders import worker_of

NORTH = NodeFacts(NodeId("north"), 10, "loopback:1", "up")
WAIT = Tally("queue.wait", "mail", "", 2, 0.75, (0, 1, 1))
LATER = Tally("queue.wait", "mail", "", 1, 9.0, (0, 0, 0, 1))
ENDED = Tally("run.ended", "orders", "failed", 3)
EVERY = ["queue.wait", "run.ended", "run.started"]


def hour_of(at: int) -> int:
    """Return when the hour of a time has begun."""
    return at - at % (HOUR * MICROSECONDS)


def of_late(journal: Journal, **options: object) -> StatsWanted:
    """Return what asks for everything since the last hour began."""
    now = journal.now()
    hour = hour_of(now) - HOUR * MICROSECONDS
    facts = {"since": hour, "until": now + HOUR * MICROSECONDS, "metrics": EVERY}
    return StatsWanted(**{**facts, **options})  # type: ignore[arg-type]


async def test_a_renewal_adds_what_a_node_has_counted(journal: Journal) -> None:
    worker = await worker_of(journal)

    renewal = await journal.renew([worker.id], 600.0, NORTH, counted=[WAIT, ENDED])
    await journal.renew([worker.id], 600.0, NORTH, counted=[LATER])

    assert renewal.held == {worker.id}
    assert [stat.tally for stat in await journal.stats(of_late(journal))] == [
        Tally("queue.wait", "mail", "", 3, 9.75, (0, 1, 1, 1)),
        ENDED,
    ]
    assert await journal.stat_totals() == [Tally("queue.wait", "mail", "", 3, 9.75, (0, 1, 1, 1)), ENDED]


async def test_a_renewal_without_anything_counted_adds_nothing(journal: Journal) -> None:
    await journal.renew([], 600.0, NORTH)
    await journal.renew([], 600.0, None, counted=[])

    assert await journal.stats(of_late(journal)) == []
    assert await journal.stat_totals() == []


async def test_a_node_that_leaves_adds_its_last_counts_without_its_facts(journal: Journal) -> None:
    await journal.renew([], 600.0, None, counted=[ENDED])

    assert await journal.stat_totals() == [ENDED]
    assert await journal.nodes() == []


async def test_nodes_add_to_the_same_series(journal: Journal) -> None:
    await journal.renew([], 600.0, NORTH, counted=[ENDED])
    await journal.renew([], 600.0, NodeFacts(NodeId("south"), 11, "loopback:2", "up"), counted=[ENDED])

    assert await journal.stat_totals() == [ENDED._replace(number=6)]


async def test_one_renewal_may_count_a_series_twice(journal: Journal) -> None:
    await journal.renew([], 600.0, NORTH, counted=[WAIT, LATER])

    assert await journal.stat_totals() == [Tally("queue.wait", "mail", "", 3, 9.75, (0, 1, 1, 1))]


async def test_statistics_are_read_by_metric_and_by_subject(journal: Journal) -> None:
    other = ENDED._replace(subject="refunds")
    await journal.renew([], 600.0, NORTH, counted=[WAIT, ENDED, other])

    async def read(**options: object) -> list[Tally]:
        return [stat.tally for stat in await journal.stats(of_late(journal, **options))]

    assert await read(metrics=["run.ended"]) == [ENDED, other]
    assert await read(subject="refunds") == [other]
    assert await read(metrics=["run.ended"], by_subject=False) == [ENDED._replace(subject="", number=6)]
    assert await read(metrics=["run.started"]) == []
    assert (
        await read(
            until=journal.now() - 2 * HOUR * MICROSECONDS, since=journal.now() - 3 * HOUR * MICROSECONDS
        )
        == []
    )


async def test_a_step_covers_minutes_from_the_beginning_of_the_time_on(journal: Journal) -> None:
    await journal.renew([], 600.0, NORTH, counted=[ENDED])
    whole = of_late(journal)

    (minute,) = await journal.stats(of_late(journal, step=MINUTE))
    (quarter,) = await journal.stats(of_late(journal, step=15 * MINUTE))

    assert minute.at % (MINUTE * MICROSECONDS) == 0
    assert 0 <= journal.now() - minute.at < 2 * MINUTE * MICROSECONDS
    assert (quarter.at - whole.since) % (15 * MINUTE * MICROSECONDS) == 0
    assert quarter.at <= minute.at
    assert await journal.stats(whole) == [Stat(whole.since, ENDED)]


async def test_a_long_time_is_read_from_the_hours_that_begin_in_it(journal: Journal) -> None:
    before = hour_of(journal.now())
    await journal.renew([], 600.0, NORTH, counted=[ENDED])
    day = of_late(journal, since=before - 23 * HOUR * MICROSECONDS, step=HOUR)

    (stat,) = await journal.stats(day)

    assert before <= stat.at <= hour_of(journal.now())
    assert stat.at == hour_of(stat.at)


def test_steps_are_minutes_and_few() -> None:
    with pytest.raises(InvalidOption, match="a step of statistics is a number of minutes, not 90 s"):
        StatsWanted(0, 10**9, EVERY, step=90)
    with pytest.raises(InvalidOption, match="statistics have at most 500 steps"):
        StatsWanted(0, 501 * MINUTE * MICROSECONDS, EVERY, step=MINUTE)
