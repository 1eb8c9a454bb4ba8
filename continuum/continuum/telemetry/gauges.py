"""Gauges: values that are read from the journal when somebody asks, and that nothing adds up."""

from __future__ import annotations

from typing import NamedTuple


class Gauge(NamedTuple):
    """The value of a metric now; `subject` is that of its label, "" without one."""

    metric: str
    subject: str
    value: float
