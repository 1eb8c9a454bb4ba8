"""What the root supervisor decides, without doing it: when deaths are too many, who is stopped next."""

from collections.abc import Sequence
from dataclasses import dataclass


def recent_deaths(deaths: Sequence[float], *, now: float, within: float) -> tuple[float, ...]:
    """Keep the deaths that still count."""
    return tuple(died_at for died_at in deaths if now - died_at < within)


def too_many_deaths(deaths: Sequence[float], *, now: float, max_restarts: int, within: float) -> bool:
    """Whether the latest death, counted among `deaths`, may no longer be answered with a restart."""
    return len(recent_deaths(deaths, now=now, within=within)) > max_restarts


@dataclass(frozen=True, slots=True)
class Stopping:
    """One process as a shutdown sees it: alive or not, and until when it may take its time once asked."""

    process_id: str
    alive: bool
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class AskToStop:
    process_id: str


@dataclass(frozen=True, slots=True)
class KillOverdue:
    process_id: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    deadline: float


@dataclass(frozen=True, slots=True)
class AllStopped:
    pass


ShutdownStep = AskToStop | KillOverdue | WaitUntil | AllStopped


def next_shutdown_step(in_start_order: Sequence[Stopping], *, now: float) -> ShutdownStep:
    """Stop one process at a time, the last started first; kill the one that outlives its budget."""
    for process in reversed(in_start_order):
        if not process.alive:
            continue
        if process.deadline is None:
            return AskToStop(process.process_id)
        if now >= process.deadline:
            return KillOverdue(process.process_id)
        return WaitUntil(process.deadline)
    return AllStopped()
