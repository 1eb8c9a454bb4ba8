"""The metrics of a whole database, on each journal."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.port import Journal
from continuum.journal.workload_port import QueueLoad
from continuum.operations import database_metrics
from continuum.operations.database_metrics import read_database_metrics
from continuum.operations.health_codes import HEALTH_CODES
from continuum.telemetry.gauges import Gauge
from continuum.telemetry.metrics import METRICS, MOST_NAMES, OTHER, Kind
from continuum.telemetry.tallies import Tally
from tests.contract.builders import begin, new_task, owned_run, queue_tasks, worker_of

ENDED = Tally("run.ended", "orders", "failed", 3)


async def gauges_of(journal: Journal) -> dict[tuple[str, str], float]:
    """Return the gauges by metric and label."""
    found = await read_database_metrics(journal)
    return {(gauge.metric, gauge.subject): gauge.value for gauge in found.gauges}


async def test_an_empty_database_has_a_value_for_whatever_an_alert_needs(journal: Journal) -> None:
    found = await gauges_of(journal)

    assert found["run.oldest_due", ""] == 0
    assert {code: found["finding", code] for code in HEALTH_CODES} == dict.fromkeys(HEALTH_CODES, 0)


async def test_open_runs_waiting_tasks_and_sums_are_read(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2), new_task(3, queue="print"))
    waiting: RunId = await begin(journal)
    await journal.renew([worker.id], 600.0, None, counted=[ENDED])

    found = await gauges_of(journal)

    assert waiting
    assert found["run.open", "running"] == 2
    assert found["queue.depth", "mail"] == 2
    assert found["queue.depth", "print"] == 1
    assert 0 <= found["run.oldest_due", ""] < 60
    assert (await read_database_metrics(journal)).tallies == [ENDED]


async def test_gauges_are_those_of_the_list(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1))

    assert {metric for metric, _ in await gauges_of(journal)} == {
        metric.name for metric in METRICS if metric.kind is Kind.GAUGE
    }


def test_the_queues_beyond_the_limit_are_one() -> None:
    loads = [QueueLoad(f"queue {number}", number, None, 0, False) for number in range(MOST_NAMES + 3)]

    gauges = list(database_metrics._queues(loads))

    assert len(gauges) == MOST_NAMES + 1
    assert gauges[-1] == Gauge("queue.depth", OTHER, 0 + 1 + 2)
