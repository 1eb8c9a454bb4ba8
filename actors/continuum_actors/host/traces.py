"""Traces: what the processes of a node leave on the liveness board about the user code that they execute.

A trace is 24 bytes: the run, then the activity's seq plus one (0 for the code of the run itself), then the
dispatch number of the attempt.
"""

from __future__ import annotations

import struct
import uuid

from continuum.engine.ids import RunId, run_id_bytes
from continuum.journal.suspect_port import Executed

_TRACE = struct.Struct("=16sII")
_LARGEST = 0xFFFF_FFFF


def trace_of_code(run_id: RunId) -> bytes:
    """Return the trace of a run's own code."""
    return _TRACE.pack(run_id_bytes(run_id), 0, 0)


def trace_of_attempt(run_id: RunId, seq: int, dispatch: int) -> bytes:
    """Return the trace of an attempt."""
    # Odd numbers, written into a row by hand, must not end the actor that claims it.
    return _TRACE.pack(run_id_bytes(run_id), (seq + 1) & _LARGEST, dispatch & _LARGEST)


def read_trace(trace: bytes) -> Executed:
    """Return what a trace names."""
    run, place, dispatch = _TRACE.unpack(trace)
    return Executed(RunId(str(uuid.UUID(bytes=run))), place - 1 if place else None, dispatch)


def name_of(executed: Executed) -> str:
    """Return what a person calls it."""
    if executed.seq is None:
        return f"the code of run {executed.run_id}"
    return f"activity {executed.seq} of run {executed.run_id}"
