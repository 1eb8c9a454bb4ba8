"""`Silence`: what a node says of a process of its own whose loop does not turn. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from continuum.engine.ids import RunId

# No node reports a longer silence, or has a watchdog that waits so long: ten years.
LONGEST_SECONDS = 10 * 365 * 86_400.0


class Silence(NamedTuple):
    """For how many seconds a process had not answered when its node said so, and what its loop executed.

    That is the code of run `run_id`, or with `seq` that activity of it; nothing that is known without a run.
    The watchdog kills the process after `limit` seconds, None if it does not.
    """

    seconds: float
    limit: float | None
    run_id: RunId | None = None
    seq: int | None = None


def silences_as_json(silent: Mapping[int, Silence]) -> list[tuple[Any, ...]]:
    """Return what a JSON column stores of silent processes, by their pids."""
    return [(pid, *silence) for pid, silence in silent.items()]


def silences_from_json(about: object) -> dict[int, Silence]:
    """Return the silent processes in what a node reports about itself; none if it holds something else."""
    stored = about.get("silent") if isinstance(about, Mapping) else None
    try:
        return {int(pid): _silence(*rest) for pid, *rest in stored or ()}
    except (TypeError, ValueError, OverflowError):
        return {}


def _silence(seconds: Any, limit: Any, run_id: Any, seq: Any) -> Silence:
    if not (0 <= seconds <= LONGEST_SECONDS and (limit is None or 0 <= limit <= LONGEST_SECONDS)):
        raise ValueError("no time that a process has been silent for")
    return Silence(
        float(seconds),
        None if limit is None else float(limit),
        None if run_id is None else RunId(str(run_id)),
        None if seq is None else int(seq),
    )
