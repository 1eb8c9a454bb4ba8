"""`python -m tests.simulation`: runs seeds, reports the first that fails, and shrinks it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from collections.abc import Sequence

from tests.simulation.broken import BROKEN
from tests.simulation.pieces import outcomes
from tests.simulation.shrinking import Failure, run_seeds, shrunk, trace_hash, traced
from tests.simulation.universe import Parts

HASH_SEED = "PYTHONHASHSEED"


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def main(arguments: Sequence[str]) -> int:
    """Return 0 if every seed holds, 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--seed", type=int, help="only this one, with its trace")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--hash", action="store_true", help="print the hash of the traces, and no trace")
    parser.add_argument("--broken", choices=sorted(BROKEN), help="run an engine that is broken on purpose")
    parser.add_argument("--whole", action="store_true", help="print a failure as it is, not shrunk")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    # A process may die before it begins what it has created.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited")
    parts = None if given.broken is None else BROKEN[given.broken]
    if given.hash:
        seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
        say(trace_hash(line for seed in seeds for line in traced(seed, parts=parts)))
        return 0
    if given.seed is not None:
        found = run_seeds([given.seed], parts).failures
        if not found:
            say("\n".join(traced(given.seed, parts=parts)))
            say(f"seed {given.seed} holds")
            return 0
    else:
        found = _search(given.first, given.seeds, given.jobs, given.broken)
    if not found:
        return 0
    failure = found[0]
    say(f"seed {failure.seed} fails: {failure.text}\n")
    say("\n".join(_shown(failure, parts, whole=given.whole)))
    repeated = f"python -m tests.simulation --seed {failure.seed}"
    say(f"\nrun it again with: {repeated}{f' --broken {given.broken}' if given.broken else ''}")
    return 1


def _search(first: int, seeds: int, jobs: int, broken: str | None) -> list[Failure]:
    began = time.monotonic()
    done = faults = writes = 0
    for outcome in outcomes(first, seeds, jobs, broken):
        done += outcome.seeds
        faults += outcome.faults
        writes += outcome.writes
        if outcome.failures:
            return outcome.failures
    seconds = time.monotonic() - began
    say(f"{done} seeds hold, with {faults} faults and {writes} writes, in {seconds:.0f} s")
    return []


def _shown(failure: Failure, parts: Parts | None, *, whole: bool) -> list[str]:
    if whole:
        return traced(failure.seed, parts=parts)
    smallest = shrunk(failure, parts)
    kept = f"shrunk from {len(failure.taken)} choices to {len(smallest.taken)}:"
    return [kept, *traced(smallest.seed, smallest.taken, parts)]


if __name__ == "__main__":
    if os.environ.get(HASH_SEED) != "0":
        # The order of sets of texts must be the same each time.
        os.environ[HASH_SEED] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
