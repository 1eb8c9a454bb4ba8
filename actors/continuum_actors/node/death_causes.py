"""What a process of this node died of: a decision from the traces that it left on the liveness board."""

from __future__ import annotations

from continuum.journal.suspect_port import UNEXPLAINED, Death
from continuum_actors.host.traces import read_trace
from continuum_supervision.process.liveness import UNNAMED, Liveness


def death_of(last: Liveness, *, hung: bool = False, faulty_thread: int | None = None) -> Death:
    """Return what killed the process, or what may have.

    One that hung did so in its loop; if that executed nothing, a thread may have kept the interpreter lock.
    What asked for the end of its process is known, and the thread of a fault; otherwise what was executing
    killed it, if that was one thing. If it was several, or none that left a trace, an attempt that was on
    trial did.
    """
    named = _named(last, hung=hung, faulty_thread=faulty_thread)
    if len(named) == 1 and not (hung and last.executing is None):
        return Death(read_trace(named[0]))
    if last.on_trial is not None:
        return Death(read_trace(last.on_trial))
    return Death(named=tuple(map(read_trace, named))) if named else UNEXPLAINED


def _named(last: Liveness, *, hung: bool, faulty_thread: int | None) -> list[bytes]:
    if last.ended_by is not None:
        return [] if last.ended_by == UNNAMED else [last.ended_by]
    in_loop = [] if last.executing is None else [last.executing]
    in_threads = [trace for _, trace in last.in_threads]
    if hung:
        return in_loop or in_threads
    if faulty_thread == last.loop_thread:
        return in_loop
    if faulty_thread is not None:
        return [trace for thread, trace in last.in_threads if thread == faulty_thread]
    return in_loop + in_threads
