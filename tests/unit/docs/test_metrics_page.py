"""`docs/metrics.md` and the dashboard name the metrics that the code has."""

from __future__ import annotations

import json
import re
from pathlib import Path

from continuum.telemetry.metrics import METRICS, Kind, Metric
from continuum.telemetry.prometheus_text import prometheus_name

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")
DASHBOARD = (DOCS / "grafana-dashboard.json").read_text(encoding="utf-8")
NAMED = re.compile(r"\bcontinuum_[a-z_]+\b")


def row_of(metric: Metric) -> str:
    """Return the row of a metric in the page."""
    ending = "_total" if metric.kind is Kind.COUNTER else ""
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
    where = "nodes, database" if metric.stored else "database"
    return (
        f"| `{metric.otel_name}` | `{prometheus_name(metric)}{ending}` | {metric.kind.value}, "
        f"`{metric.unit}` | {labels} | {where} | {metric.meaning} |"
    )


def test_the_page_lists_the_metrics_as_the_code_does() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `continuum.")]

    assert rows == [row_of(metric) for metric in METRICS]


def test_every_name_in_a_query_is_a_metric() -> None:
    known = set()
    for metric in METRICS:
        endings = {Kind.COUNTER: ["_total"], Kind.HISTOGRAM: ["_bucket", "_count", "_sum"], Kind.GAUGE: [""]}
        known |= {prometheus_name(metric) + ending for ending in endings[metric.kind]}
        known.add(prometheus_name(metric))

    assert set(NAMED.findall(PAGE)) | set(NAMED.findall(DASHBOARD)) <= known


def test_every_metric_that_can_be_charted_is_in_the_dashboard() -> None:
    missing = [metric.name for metric in METRICS if prometheus_name(metric) not in DASHBOARD]

    assert missing == []


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD)["panels"]

    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
