"""`Silence`: what a node says of a process of its own whose loop does not turn. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from continuum.engine.ids import RunId


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
    except (TypeError, ValueError):
        return {}


def _silence(seconds: Any, limit: Any, run_id: Any, seq: Any) -> Silence:
    return Silence(
        float(seconds),
        None if limit is None else float(limit),
        None if run_id is None else RunId(str(run_id)),
        None if seq is None else int(seq),
    )
