"""Replays every golden history through its code: `python -m tests.golden.replaying` in any Python.

It prints a line for each: the outcome, and the commands of the code when it gets only the results.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

from continuum.definitions.effects import RunInfo
from continuum.engine.drift_messages import describe
from continuum.engine.events import COMMANDS, Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.engine.snapshot_history import CompactHistory
from continuum.testing import History, assert_replays, load_history, replay
from tests.golden.programs import PROGRAMS

RUNS = Path(__file__).parent / "runs"
# From the start, the present code issues other commands, or others have these seqs: that is their subject.
NOT_FROM_THE_START = {"patched_old", "changed_version", "forked"}


def history_of(name: str) -> History:
    """Read a golden history."""
    return load_history(RUNS / f"{name}.json")


def begun(
    name: str, history: History, events: Sequence[Event], compact: CompactHistory | None = None
) -> Execution:
    """Return an execution of a program that has replayed some of its history."""
    program, start = PROGRAMS[name], history.beginning
    info = RunInfo(RunId(start.run_id), program.name, program.label, start.namespace, 1)
    execution = Execution(info, random.Random(0).randbytes, program, start.depth)
    args, kwargs = program.arguments.decode_call(start.input)
    now = events[-1].at if events else start.started_at
    execution.begin(
        program.fn(*args, **kwargs), events, started_at=start.started_at, now=now, compact=compact
    )
    return execution


def commands_of(events: Sequence[Event]) -> list[str]:
    """Return the commands of the code in words, in order."""
    return [describe(event) for event in events if event.type in COMMANDS]


def from_the_start(name: str, history: History) -> list[str]:
    """Return the commands of the program when it gets only the results in its history."""
    execution = begun(name, history, ())
    log = execution.log.take_events()
    for event in history.stored:
        if event.type not in COMMANDS:
            assert execution.apply(EventType(event.type), event.body, at=event.at), event
            log += execution.log.take_events()
    execution.close()
    return commands_of(log)


def main() -> None:
    """Replay all of them; stop at the first that fails."""
    for name, program in PROGRAMS.items():
        history = history_of(name)
        assert_replays(program, history)
        replayed = replay(program, history)
        asked = [] if name in NOT_FROM_THE_START else from_the_start(name, history)
        sys.stdout.write(f"{name}: {replayed.state} {replayed.result!r} {asked}\n")


if __name__ == "__main__":
    main()
