"""What a process of this node died of: a decision from the traces that it left on the liveness board."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from continuum.journal.suspect_port import UNEXPLAINED, Death
from continuum_actors.host.traces import read_trace
from continuum_supervision.process.events import ProcessDied
from continuum_supervision.process.liveness import UNNAMED, Liveness


@dataclass(frozen=True, slots=True)
class EndOfProcess:
    """How a process ended.

    `hung` if its loop did not turn, so that it was killed. `faulty_thread` is where the processor met a
    fault. `by_signal` unless it has ended its loop. `one_at_a_time` if it executes nothing else beside an
    activity.
    """

    hung: bool = False
    faulty_thread: int | None = None
    by_signal: bool = True
    one_at_a_time: bool = False


def death_of(last: Liveness, end: EndOfProcess) -> Death:
    """Return what killed the process, or what may have.

    What is proven is what asked for the end of its process, what the faulty thread executed, and what the
    loop executed when it hung, or when nothing else executed. Otherwise an attempt that was on trial did it.
    Without one, what executed is suspected: what has started the thread that ended the process, and what
    executed in a thread when a signal came, may have nothing to do with it.
    """
    proven, named = _proven(last, end), _named(last, end)
    if proven is None and end.one_at_a_time and len(named) == 1:
        (proven,) = named
    if proven is None:
        proven = last.on_trial
    if proven is not None:
        return Death(read_trace(proven))
    return Death(named=tuple(map(read_trace, named))) if named else UNEXPLAINED


def manner_of(notice: ProcessDied, watchdog: float) -> str | None:
    """Return how a process ended, for people; None if nobody knows. `watchdog` is in seconds."""
    if notice.hung:
        return f"it did not answer for {watchdog:g} s, so it was killed"
    if notice.exit_code is None:
        return None
    if notice.exit_code >= 0:
        return f"it ended with exit code {notice.exit_code}"
    try:
        return f"it was killed by {signal.Signals(-notice.exit_code).name}"
    except ValueError:
        return f"it was killed by signal {-notice.exit_code}"


def _proven(last: Liveness, end: EndOfProcess) -> bytes | None:
    if last.ended_by is not None:
        return None if last.ended_by == UNNAMED or last.ended_by_helper else last.ended_by
    if end.faulty_thread is not None and end.faulty_thread != last.loop_thread:
        return dict(last.in_threads).get(end.faulty_thread)
    if end.hung or end.faulty_thread is not None or not last.in_threads:
        return last.executing
    return None


def _named(last: Liveness, end: EndOfProcess) -> list[bytes]:
    if last.ended_by is not None:
        return [last.ended_by] if last.ended_by_helper else []
    if end.faulty_thread is not None:
        # It was not where any attempt executed.
        return []
    threads_count = end.by_signal or end.hung or end.one_at_a_time
    in_threads = [trace for _, trace in last.in_threads] if threads_count else []
    return in_threads if last.executing is None else [last.executing, *in_threads]
