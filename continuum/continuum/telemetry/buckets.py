"""The buckets of histograms: fixed bounds on a logarithmic scale, and quantiles of what is in them.

A bound belongs to the bucket below it, as in Prometheus; what is above the last bound is in one more bucket.
With the same bounds everywhere, the buckets of processes, minutes and nodes can be added.
"""

from __future__ import annotations

from collections.abc import Sequence

# From half a millisecond, a commit on a fast disk, to a week, about a factor of two and a half apart.
SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(30.0, 60.0, 300.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0),
)
# A commit has one event, or up to four thousand.
EVENTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 4_000.0)
# The most buckets that a histogram has.
MOST_BUCKETS = max(len(SECONDS), len(EVENTS)) + 1


def added(some: Sequence[int], others: Sequence[int]) -> tuple[int, ...]:
    """Return the sums of two histograms, bucket by bucket; the rest of the shorter one is empty."""
    longer, shorter = (some, others) if len(some) >= len(others) else (others, some)
    return (
        *(one + other for one, other in zip(longer, shorter, strict=False)),
        *longer[len(shorter) :],
    )


def quantile(buckets: Sequence[int], fraction: float, bounds: Sequence[float] = SECONDS) -> float | None:
    """Return the value that this fraction of what was counted does not exceed; None if nothing was.

    Inside of a bucket the values are taken for evenly spread; what is above the last bound counts as that.
    """
    rank = fraction * sum(buckets)
    if not any(buckets):
        return None
    seen = 0
    for place, number in enumerate(buckets[: len(bounds)]):
        if number and seen + number >= rank:
            lower = bounds[place - 1] if place else 0.0
            return lower + (bounds[place] - lower) * max(rank - seen, 0.0) / number
        seen += number
    return bounds[-1]
