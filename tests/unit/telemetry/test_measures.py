"""The measures of a process: what is reported is counted once, and names are few."""

from __future__ import annotations

import pytest

from continuum.telemetry.measures import Measures
from continuum.telemetry.metrics import METRIC_OF_NAME, METRICS, MOST_NAMES, OTHER, Kind
from continuum.telemetry.tallies import Sums, Tally


def report_everything(to: Measures) -> None:
    """Make each report once."""
    to.run_started("orders")
    to.run_ended("orders", "completed", 2.0)
    to.run_claimed(0.002)
    to.activity_ended("charge", "failed", 0.04)
    to.task_claimed("mail", 3.0)
    to.committed(7, 0.004)
    to.replayed(0.02)
    to.timer_fired(0.0004)
    to.process_restarted("run_host")
    to.lease_lost()


def everything_counted() -> list[Tally]:
    """Return what one report of each kind counts."""
    measures = Measures()
    report_everything(measures)
    return measures.drain()


def test_every_report_is_counted_under_a_metric_of_the_list_and_all_stored_ones_are_reported() -> None:
    measures = Measures()
    report_everything(measures)

    counted = measures.drain()

    assert {tally.metric for tally in counted} == {metric.name for metric in METRICS if metric.stored}
    assert {tally.number for tally in counted} == {1}
    assert {tally[:3] for tally in counted} >= {
        ("run.ended", "orders", "completed"),
        ("activity.duration", "charge", "failed"),
        ("process.restarts", "run_host", ""),
    }


def test_each_label_has_its_value_and_each_histogram_its_buckets() -> None:
    measures = Measures()
    report_everything(measures)

    for tally in measures.drain():
        metric = METRIC_OF_NAME[tally.metric]
        assert [bool(tally.subject), bool(tally.outcome)] == [len(metric.labels) > 0, len(metric.labels) > 1]
        assert bool(tally.buckets) == (metric.kind is Kind.HISTOGRAM)
        assert sum(tally.buckets) in (0, tally.number)


def test_a_count_is_taken_once() -> None:
    measures = Measures()
    measures.committed(7, 0.004)
    measures.drain()

    assert measures.drain() == []

    measures.committed(3, 0.2)
    assert [(tally.metric, tally.number, tally.total) for tally in measures.drain()] == [
        ("commit.duration", 1, 0.2),
        ("commit.batch", 1, 3.0),
    ]


def test_a_value_below_zero_counts_as_none() -> None:
    measures = Measures()
    measures.timer_fired(-0.5)

    assert measures.drain() == [Tally("timer.lateness", "", "", 1, 0.0, (1,))]


def test_the_names_beyond_the_limit_are_counted_as_other_in_all_metrics() -> None:
    measures = Measures()
    for number in range(MOST_NAMES + 50):
        measures.run_started(f"flow {number}")
    for number in range(MOST_NAMES + 50):
        measures.run_ended(f"flow {number}", "completed", 1.0)

    counted = {tally[:3]: tally.number for tally in measures.drain()}

    assert counted["run.started", OTHER, ""] == counted["run.ended", OTHER, "completed"] == 50
    assert counted["run.ended", f"flow {MOST_NAMES - 1}", "completed"] == 1
    assert len(counted) == 3 * (MOST_NAMES + 1)


def test_sums_add_what_several_processes_have_counted() -> None:
    sums = Sums()
    first, second = (
        Tally("queue.wait", "mail", "", 2, 0.3, (1, 1)),
        Tally("queue.wait", "mail", "", 1, 9.0, (0, 0, 1)),
    )
    sums.add([first])
    sums.add([second, Tally("lease.lost", "", "", 4)])

    added = Tally("queue.wait", "mail", "", 3, 9.3, (1, 1, 1))
    assert sums.all() == [added, Tally("lease.lost", "", "", 4)]
    assert sums.take() == [added, Tally("lease.lost", "", "", 4)]
    assert sums.take() == []


def test_sums_of_many_processes_have_few_names_too_and_no_metric_that_is_unknown() -> None:
    sums = Sums()
    for process in range(3):
        sums.add([Tally("run.started", f"flow {process} {number}", "", 1) for number in range(MOST_NAMES)])
    sums.add([Tally("of.a.later.release", "", "", 1)])

    assert len(sums.all()) == MOST_NAMES + 1
    assert sums.all()[-1] == Tally("run.started", OTHER, "", 2 * MOST_NAMES)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_has_at_most_two_labels_and_none_is_an_id(metric: object) -> None:
    labels = getattr(metric, "labels", ())
    assert len(labels) <= 2
    assert set(labels) <= {"workflow", "state", "activity", "outcome", "queue", "role", "code"}
