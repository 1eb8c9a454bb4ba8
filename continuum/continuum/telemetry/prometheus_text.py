"""Tallies and gauges as Prometheus reads them: the only file that knows its client library.

A name is OpenTelemetry's with underscores; a counter ends in ``_total``, and what is measured in seconds in
``_seconds``, as OpenTelemetry's own exporters name them. The extra `metrics` has the library.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from continuum.telemetry.gauges import Gauge
from continuum.telemetry.metrics import METRICS, Kind, Metric
from continuum.telemetry.tallies import Tally


class Exposition(NamedTuple):
    """The text of a scrape, and its content type."""

    text: bytes
    content_type: str


def exposed(tallies: Iterable[Tally], gauges: Iterable[Gauge] = (), *, accept: str = "") -> Exposition:
    """Return counters, histograms and gauges in the format that a scraper accepts."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected(tallies, gauges))
    return Exposition(encode(registry), content_type)


def prometheus_name(metric: Metric) -> str:
    """Return the name of a metric, without what a counter or the parts of a histogram add."""
    unit = "_seconds" if metric.unit == "s" else ""
    return metric.otel_name.replace(".", "_") + unit


class Collected(Collector):
    """A collector of what was counted before the scrape."""

    def __init__(self, tallies: Iterable[Tally], gauges: Iterable[Gauge]) -> None:
        self._tallies: defaultdict[str, list[Tally]] = defaultdict(list)
        for tally in tallies:
            self._tallies[tally.metric].append(tally)
        self._gauges: defaultdict[str, list[Gauge]] = defaultdict(list)
        for gauge in gauges:
            self._gauges[gauge.metric].append(gauge)

    def collect(self) -> Iterator[Family]:
        """Yield each metric that has a value."""
        for metric in METRICS:
            if found := self._tallies.get(metric.name):
                yield _counter(metric, found) if metric.kind is Kind.COUNTER else _histogram(metric, found)
            if known := self._gauges.get(metric.name):
                family = GaugeMetricFamily(prometheus_name(metric), metric.meaning, labels=metric.labels)
                for gauge in known:
                    family.add_metric([gauge.subject][: len(metric.labels)], gauge.value)
                yield family


def _labels(metric: Metric, tally: Tally) -> Sequence[str]:
    return (tally.subject, tally.outcome)[: len(metric.labels)]


def _counter(metric: Metric, tallies: Iterable[Tally]) -> Family:
    family = CounterMetricFamily(prometheus_name(metric), metric.meaning, labels=metric.labels)
    for tally in tallies:
        family.add_metric(_labels(metric, tally), tally.number)
    return family


def _histogram(metric: Metric, tallies: Iterable[Tally]) -> Family:
    family = HistogramMetricFamily(prometheus_name(metric), metric.meaning, labels=metric.labels)
    bounds = [*map(str, metric.bounds), "+Inf"]
    for tally in tallies:
        # The stored buckets end with the last one that is not empty.
        buckets = (*tally.buckets, *[0] * (len(bounds) - len(tally.buckets)))[: len(bounds)]
        family.add_metric(
            _labels(metric, tally), list(zip(bounds, accumulate(buckets), strict=True)), tally.total
        )
    return family
