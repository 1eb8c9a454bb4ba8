"""The cost of the run-time guard: `python -m bench.guard` measures with and without it, in turn.

Inside a step: the time the engine alone takes for a step of one activity, without journal and actors.
Outside: the time of calls that a step would refuse.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import timeit
import uuid
from typing import Any

from continuum import activity, guard
from continuum.codec.codec import encode
from continuum.engine.events import EventType
from continuum.engine.execution import Execution

ROUNDS = 5
STEPS = 3_000
REPEATS = 15
OUTSIDE = {
    "time.time()": time.time,
    "random.random()": random.random,
    "random.randint()": lambda: random.randint(1, 6),
    "uuid.uuid4()": uuid.uuid4,
    "os.getenv()": lambda: os.getenv("PATH"),
    "open()": lambda: open(os.devnull).close(),
}


@activity(name="bench.guard.step")
def step(number: int) -> int:
    """Return the argument."""
    return number


async def steps(count: int) -> int:
    """Take `count` steps, one after the other."""
    return sum([await step(number) for number in range(count)])


def inside() -> float:
    """Return how many seconds a step takes in the engine alone."""
    execution = Execution(None, os.urandom)
    execution.begin(steps(STEPS), (), started_at=1, now=1)
    result, begin = encode(1), time.perf_counter()
    while execution.outcome is None:
        execution.log.take_events()
        for pending in execution.take_opened():
            execution.apply(EventType.ACTIVITY_COMPLETED, (pending.seq, result), at=2)
    return (time.perf_counter() - begin) / STEPS


def measure() -> dict[str, float]:
    """Return the best time of several repetitions of each, in nanoseconds."""
    figures = {"a step": min(inside() for _ in range(REPEATS)) * 1e9}
    for name, call in OUTSIDE.items():
        count = 20_000
        figures[name] = min(timeit.repeat(call, number=count, repeat=REPEATS)) / count * 1e9
    return figures


def in_a_process(switch: str) -> dict[str, float]:
    """Return the figures of a new process with the guard on or off."""
    figures: dict[str, Any] = json.loads(
        subprocess.run(
            [sys.executable, "-m", "bench.guard", "measure"],
            env={**os.environ, guard.SWITCH: switch},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
    )
    return figures


def main() -> None:
    """Print the best figures with and without the guard side by side."""
    if sys.argv[1:] == ["measure"]:
        guard.install()
        json.dump(measure(), sys.stdout)
        return
    off, on = zip(*((in_a_process("off"), in_a_process("on")) for _ in range(ROUNDS)), strict=True)
    for name in off[0]:
        without, guarded = min(each[name] for each in off), min(each[name] for each in on)
        print(f"{name:18} {without:9,.0f} ns   guarded {guarded:9,.0f} ns   {guarded / without - 1:+.0%}")


if __name__ == "__main__":
    main()
