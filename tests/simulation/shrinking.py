"""Runs seeds, and shrinks one that fails: fewer programs, faults and delays, for the same kind of failure."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from continuum.verify.rules import RULES
from tests.simulation.choices import Key
from tests.simulation.monitor import Wrong
from tests.simulation.universe import Parts, Universe

# A failing seed is run this often at most to make it smaller.
SHRINKING_RUNS = 600
# Garbage is collected between simulations only: what it closes must not depend on chance.
COLLECT_EVERY = 25


class Failure(NamedTuple):
    """A seed that fails, and with which choices."""

    seed: int
    text: str
    taken: Sequence[Key]

    @property
    def kind(self) -> str:
        """What a smaller case has to have in common."""
        kind = self.text.partition(":")[0]
        return kind if kind in RULES or kind == "not finished" else "outcome"


class Outcome(NamedTuple):
    """What happened to a range of seeds."""

    seeds: int
    failures: list[Failure]
    faults: int
    writes: int


def attempt(seed: int, only: Collection[Key] | None = None, parts: Parts | None = None) -> Failure | None:
    """Run one seed; return how it fails."""
    universe = Universe(seed, only, parts=parts or Parts())
    return _failure_of(universe)


def run_seeds(seeds: Iterable[int], parts: Parts | None = None, *, most_failures: int = 1) -> Outcome:
    """Run seeds until so many have failed."""
    failures: list[Failure] = []
    count = faults = writes = 0
    gc.disable()
    gc.freeze()
    try:
        for seed in seeds:
            universe = Universe(seed, parts=parts or Parts())
            failure = _failure_of(universe)
            count += 1
            faults += universe.faults
            writes += universe.monitor.writes
            if failure is not None:
                failures.append(failure)
                if len(failures) >= most_failures:
                    break
            if count % COLLECT_EVERY == 0:
                gc.collect()
    finally:
        gc.unfreeze()
        gc.enable()
    return Outcome(count, failures, faults, writes)


def shrunk(failure: Failure, parts: Parts | None = None) -> Failure:
    """Return a smaller failure of the same kind: delta debugging over the choices that were taken."""
    best = failure
    runs = 0
    size = max(1, len(best.taken) // 2)
    while runs < SHRINKING_RUNS:
        smaller = None
        for left in _without_chunks(best.taken, size):
            runs += 1
            found = attempt(failure.seed, left, parts)
            if found is not None and found.kind == failure.kind and len(found.taken) < len(best.taken):
                smaller = found
                break
            if runs >= SHRINKING_RUNS:
                break
        if smaller is not None:
            best = smaller
            size = min(size, max(1, len(best.taken) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return best


def _without_chunks(taken: Sequence[Key], size: int) -> Iterator[list[Key]]:
    for begin in range(0, len(taken), size):
        yield [*taken[:begin], *taken[begin + size :]]


def traced(seed: int, only: Collection[Key] | None = None, parts: Parts | None = None) -> list[str]:
    """Return what happens with a seed, line by line."""
    universe = Universe(seed, only, tracing=True, parts=parts or Parts())
    failure = _failure_of(universe)
    return [*universe.traced, *([] if failure is None else [failure.text])]


def trace_hash(lines: Iterable[str]) -> str:
    """Return the hash of a trace."""
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def _failure_of(universe: Universe) -> Failure | None:
    try:
        universe.run()
    except Wrong as wrong:
        return Failure(universe.choices.seed, str(wrong), universe.choices.taken)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing here should raise it
        text = f"{type(error).__name__}: {error}"
        return Failure(universe.choices.seed, text, universe.choices.taken)
    return None
