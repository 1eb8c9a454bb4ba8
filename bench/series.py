"""Summaries of a series of measurements."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def quantile(values: Sequence[float], fraction: float) -> float:
    """Return the value below which this fraction of the sorted values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))]


def median_ratio(engine: Sequence[float], floor: Sequence[float]) -> float:
    """Return the median of the ratios of each pair, engine over floor."""
    return median(one / other for one, other in zip(engine, floor, strict=True))
