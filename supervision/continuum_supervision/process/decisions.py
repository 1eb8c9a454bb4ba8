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
    """One process as a shutdown sees it: alive or not, until when it may take its time, asked or not."""

    process_id: str
    alive: bool
    deadline: float | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class AskToStop:
    process_id: str


@dataclass(frozen=True, slots=True)
class KillOverdue:
    process_id: str


@dataclass(frozen=True, slots=True)
class WaitForExit:
    process_id: str


@dataclass(frozen=True, slots=True)
class AllStopped:
    pass


ShutdownStep = AskToStop | KillOverdue | WaitForExit | AllStopped


def next_shutdown_step(in_start_order: Sequence[Stopping], *, now: float) -> ShutdownStep:
    """Stop one process at a time, the last started first; kill whichever outlives its budget."""
    alive = [process for process in reversed(in_start_order) if process.alive]
    if not alive:
        return AllStopped()
    for process in alive:
        if process.deadline is not None and now >= process.deadline:
            return KillOverdue(process.process_id)
    if not alive[0].asked:
        return AskToStop(alive[0].process_id)
    return WaitForExit(alive[0].process_id)
