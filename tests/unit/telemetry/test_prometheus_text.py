"""The text that Prometheus reads: names, units, labels, cumulative buckets."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from continuum.telemetry.gauges import Gauge
from continuum.telemetry.metrics import METRICS, RUN_DURATION, Kind
from continuum.telemetry.prometheus_text import exposed, prometheus_name
from continuum.telemetry.tallies import Tally
from tests.unit.telemetry.test_measures import everything_counted


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples of a scrape by name and labels, as a scraper reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_counters_histograms_and_gauges_have_the_names_that_opentelemetry_exports() -> None:
    tallies = [
        Tally("run.ended", "orders", "failed", 3),
        Tally("activity.duration", "charge", "completed", 3, 0.75, (0, 0, 1, 2)),
        Tally("commit.batch", "", "", 2, 9.0, (1, 0, 1)),
    ]

    found = samples(
        exposed(tallies, [Gauge("run.oldest_due", "", 1.5), Gauge("run.open", "blocked", 4)]).text
    )

    assert found["continuum_run_ended_total", (("state", "failed"), ("workflow", "orders"))] == 3
    assert found["continuum_run_oldest_due_seconds", ()] == 1.5
    assert found["continuum_run_open", (("state", "blocked"),)] == 4
    assert found["continuum_commit_batch_sum", ()] == 9.0
    labels = (("activity", "charge"), ("outcome", "completed"))
    name = "continuum_activity_duration_seconds"
    assert found[f"{name}_count", labels] == 3
    assert found[f"{name}_sum", labels] == 0.75
    assert found[f"{name}_bucket", (labels[0], ("le", "0.0025"), labels[1])] == 1
    assert found[f"{name}_bucket", (labels[0], ("le", "0.005"), labels[1])] == 3
    assert found[f"{name}_bucket", (labels[0], ("le", "+Inf"), labels[1])] == 3


def test_a_histogram_has_all_of_its_buckets_however_few_are_stored() -> None:
    found = samples(exposed([Tally("run.duration", "orders", "", 1, 0.0001, (1,))]).text)

    buckets = [value for (name, _), value in found.items() if name.endswith("_bucket")]
    assert buckets == [1] * (len(RUN_DURATION.bounds) + 1)


def test_a_scraper_may_ask_for_openmetrics() -> None:
    accept = "application/openmetrics-text; version=1.0.0"

    exposition = exposed([Tally("run.started", "orders", "", 1)], accept=accept)

    assert exposition.content_type.startswith("application/openmetrics-text")
    assert exposition.text.endswith(b"# EOF\n")


def test_names_of_workflows_may_have_any_character() -> None:
    odd = 'a "quoted" name \\ with\na line'

    found = samples(exposed([Tally("run.started", odd, "", 1)]).text)

    assert found["continuum_run_started_total", (("workflow", odd),)] == 1


def test_everything_that_is_counted_is_exposed() -> None:
    names = {name for name, _ in samples(exposed(everything_counted()).text)}

    for metric in METRICS:
        ending = {Kind.COUNTER: "_total", Kind.HISTOGRAM: "_bucket"}.get(metric.kind)
        if ending is not None:
            assert f"{prometheus_name(metric)}{ending}" in names


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_has_no_character_that_prometheus_replaces(metric: object) -> None:
    name = prometheus_name(metric)  # type: ignore[arg-type]
    assert name.replace("_", "").isalnum()
