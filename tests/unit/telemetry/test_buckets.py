"""Buckets and quantiles: what is counted is found again, in the bucket that its value belongs to."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis.strategies import floats, lists

from continuum.telemetry.buckets import EVENTS, MOST_BUCKETS, SECONDS, added, quantile


def counted(values: list[float], bounds: tuple[float, ...] = SECONDS) -> list[int]:
    """Return the buckets of these values."""
    buckets = [0] * (len(bounds) + 1)
    for value in values:
        buckets[bisect_left(bounds, value)] += 1
    return buckets


@pytest.mark.parametrize("bounds", [SECONDS, EVENTS])
def test_bounds_grow_and_fit_into_the_buckets_that_are_stored(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
    assert len(bounds) < MOST_BUCKETS


def test_without_values_there_is_no_quantile() -> None:
    assert quantile((), 0.5) is None
    assert quantile((0, 0), 0.99) is None


def test_a_value_above_the_last_bound_counts_as_that() -> None:
    assert quantile(counted([1e9]), 0.5) == SECONDS[-1]


def test_values_are_taken_for_evenly_spread_in_their_bucket() -> None:
    assert quantile(counted([0.2] * 4), 0.5) == pytest.approx(0.175)
    assert quantile(counted([3.0] * 100, EVENTS), 1.0, EVENTS) == pytest.approx(5.0)


@given(lists(floats(0, 1e6), min_size=1), floats(0, 1))
def test_a_quantile_is_in_the_bucket_of_the_value_of_that_rank(values: list[float], fraction: float) -> None:
    found = quantile(counted(values), fraction)

    assert found is not None
    exact = sorted(values)[min(max(-int(-fraction * len(values) // 1) - 1, 0), len(values) - 1)]
    place = bisect_left(SECONDS, exact)
    lower = SECONDS[place - 1] if place else 0.0
    upper = SECONDS[min(place, len(SECONDS) - 1)]
    assert min(lower, upper) <= found <= upper


@given(lists(floats(0, 1e6)), lists(floats(0, 1e6)))
def test_histograms_are_added_bucket_by_bucket(some: list[float], others: list[float]) -> None:
    assert list(added(counted(some), counted(others))) == counted([*some, *others])
    trimmed = tuple(counted(others)[:5])
    assert added((), trimmed) == trimmed == added(trimmed, ())
