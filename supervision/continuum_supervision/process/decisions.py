"""The decisions of the root supervisor: when deaths are too many, and which process stops next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


def recent_deaths(deaths: Sequence[float], *, now: float, within: float) -> tuple[float, ...]:
    """Return the deaths that still count."""
    return tuple(died_at for died_at in deaths if now - died_at < within)


def too_many_deaths(deaths: Sequence[float], *, now: float, max_restarts: int, within: float) -> bool:
    """Whether the process may not be restarted after the latest of these deaths."""
    return len(recent_deaths(deaths, now=now, within=within)) > max_restarts


@dataclass(frozen=True, slots=True)
class Stopping:
    """One process as a shutdown sees it; it is killed at the deadline."""

    process_id: str
    alive: bool
    deadline: float | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class AskToStop:
    """Ask the process to stop: it is the last started of those alive."""

    process_id: str


@dataclass(frozen=True, slots=True)
class KillOverdue:
    """Kill the process: it has outlived its budget."""

    process_id: str


@dataclass(frozen=True, slots=True)
class WaitForExit:
    """Do nothing yet: the process has been asked to stop."""

    process_id: str


@dataclass(frozen=True, slots=True)
class AllStopped:
    """No process is alive."""


ShutdownStep = AskToStop | KillOverdue | WaitForExit | AllStopped


def next_shutdown_step(in_start_order: Sequence[Stopping], *, now: float) -> ShutdownStep:
    """Stop one process at a time, the last started first; kill any that outlives its budget."""
    alive = [process for process in reversed(in_start_order) if process.alive]
    if not alive:
        return AllStopped()
    for process in alive:
        if process.deadline is not None and now >= process.deadline:
            return KillOverdue(process.process_id)
    if not alive[0].asked:
        return AskToStop(alive[0].process_id)
    return WaitForExit(alive[0].process_id)
