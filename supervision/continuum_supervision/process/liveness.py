"""The liveness board: one small mapped file per node in which each process leaves traces that survive it.

Each process id has a fixed slot: how often its loop has beaten and when last, its worker id, and traces of
the user code that is executing right now: in its loop, and in each of its threads. Only that process writes
it; every sibling may read it: the watchdog to find a hung process, recovery to find what was executing when
a process died. Nothing is locked: a reader may see the count of one beat with the time of the next, which
changes no decision.
"""

import mmap
import os
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from continuum_supervision.errors import ProcessSystemError

# A trace names user code, in a form that only its writer and its reader know.
TRACE_BYTES = 24
# The slot of the root supervisor, which the launcher watches; no process can have this id.
SUPERVISOR_SLOT = "root supervisor"
_MAGIC = b"CTLIVE01"
_HEAD = struct.Struct("=8sI")
_PROCESS_ID_BYTES = 64
_BEAT = struct.Struct("=Qd")
_WORKER = struct.Struct("=q")
# beat, worker id, traces; a slot has its cache lines to itself, so that writers do not slow each other.
_WORKER_AT = _BEAT.size
_TRACES_AT = 32
# The place of the loop needs no number of a thread: there stands how much work waits.
_BACKLOG_AT = _TRACES_AT + TRACE_BYTES
# The trace of the loop comes first, then what ended the process and what is on trial, then those of
# threads: more than the threads that usually work.
_LOOP, _ENDED_BY, _ON_TRIAL, _FIRST_THREAD = range(4)
_TRACES = 65
_TRACE = struct.Struct(f"={TRACE_BYTES}s")
_THREAD = struct.Struct("=Q")
_TIME = struct.Struct("=d")
_LOOP_THREAD_AT = 24
_PLACE_BYTES = TRACE_BYTES + _THREAD.size
_SLOT_BYTES = 2112
# Nor does the place of what is on trial: there stands when the process ends itself.
_ENDS_AT = _TRACES_AT + _ON_TRIAL * _PLACE_BYTES + TRACE_BYTES
assert _TRACES_AT + _TRACES * _PLACE_BYTES == _SLOT_BYTES
_NO_TRACE = bytes(TRACE_BYTES)
# In place of a trace: code that nobody has named ended the process.
UNNAMED = b"\xff" * TRACE_BYTES


@dataclass(frozen=True, slots=True)
class Liveness:
    """The content of a slot. `beat_at` is on the machine's monotonic clock.

    `executing` is the trace of the loop, `in_threads` are those of other threads, each with its thread's
    number. `ended_by` is the trace of the code that asked for the end of the process, UNNAMED if it had
    none; with `ended_by_helper` that code ran in a thread that the named code had started. `on_trial` is the
    trace of the code that was started alone, to see whether it is what kills its processes. `backlog` is how
    much work waited at the last beat. `ends_at` is when the process ends itself, 0 if it does not.
    """

    beats: int
    beat_at: float
    worker_id: int
    executing: bytes | None = None
    in_threads: tuple[tuple[int, bytes], ...] = ()
    ended_by: bytes | None = None
    on_trial: bytes | None = None
    loop_thread: int = 0
    backlog: int = 0
    ended_by_helper: bool = False
    ends_at: float = 0.0


class LivenessSlot:
    """Writes the slot of one process.

    Without `__slots__`, and with its calls declared below: otherwise pyright takes those for methods.
    """

    def __init__(self, slot: memoryview, monotonic: Callable[[], float]) -> None:
        self._slot = slot
        self._traces = [_trace_at(slot, number) for number in range(_TRACES)]
        self._loop = self._traces[_LOOP]
        # Built-in calls: each step makes four.
        self.executing: Callable[[bytes], None] = partial(_TRACE.pack_into, self._loop, 0)
        """Record whose code the loop executes from now on."""
        self.clear: Callable[[], None] = partial(_TRACE.pack_into, self._loop, 0, _NO_TRACE)
        """Record that the loop executes no user code."""
        self._free = list(range(_FIRST_THREAD, _TRACES))
        self._monotonic = monotonic
        self._beats = 0
        # How much work waits in the process; every beat records it.
        self.backlog: Callable[[], int] = int

    def beat(self) -> None:
        """Record that the loop is running."""
        self._beats += 1
        _THREAD.pack_into(self._slot, _BACKLOG_AT, self.backlog())
        _BEAT.pack_into(self._slot, 0, self._beats, self._monotonic())

    def thread_begins(self, trace: bytes) -> int | None:
        """Record whose code another thread executes; return its place, None when all are taken."""
        try:
            place = self._free.pop()
        except IndexError:
            return None
        self._traces[place][:] = trace
        _THREAD.pack_into(self._slot, _place_at(place) + TRACE_BYTES, threading.get_ident())
        return place

    def thread_ends(self, place: int | None) -> None:
        """Record that the code at this place has returned."""
        if place is not None:
            self._traces[place][:] = _NO_TRACE
            self._free.append(place)

    def ended_by(self, trace: bytes | None, *, helper: bool = False) -> None:
        """Record which code ends this process now; without a trace, what this thread executes.

        `helper` if it runs in a thread that the named code has started.
        """
        _THREAD.pack_into(self._slot, _place_at(_ENDED_BY) + TRACE_BYTES, helper)
        if trace is None and threading.get_ident() == _THREAD.unpack_from(self._slot, _LOOP_THREAD_AT)[0]:
            trace = bytes(self._loop)
        self._traces[_ENDED_BY][:] = UNNAMED if trace is None or trace == _NO_TRACE else trace

    def survived(self) -> None:
        """Record that this process has not ended after all."""
        self._traces[_ENDED_BY][:] = _NO_TRACE

    def on_trial(self, trace: bytes | None) -> None:
        """Record which code was started alone, to see whether it kills its process."""
        self._traces[_ON_TRIAL][:] = _NO_TRACE if trace is None else trace

    def ends_itself(self, seconds: float | None) -> None:
        """Record that this process ends itself in `seconds`; None if it does not after all."""
        _TIME.pack_into(self._slot, _ENDS_AT, 0.0 if seconds is None else self._monotonic() + seconds)

    def set_worker_id(self, worker_id: int) -> None:
        _WORKER.pack_into(self._slot, _WORKER_AT, worker_id)

    def reset(self) -> None:
        """Begin a new incarnation, in its loop: the traces of the one before were reported with its death."""
        self._slot[:_SLOT_BYTES] = bytes(_SLOT_BYTES)
        _THREAD.pack_into(self._slot, _LOOP_THREAD_AT, threading.get_ident())
        self.beat()


class LivenessBoard:
    """The slots of all processes of a node."""

    def __init__(
        self, mapped: mmap.mmap, process_ids: tuple[str, ...], monotonic: Callable[[], float]
    ) -> None:
        self._view = memoryview(mapped)
        self._monotonic = monotonic
        names = _HEAD.size + len(process_ids) * _PROCESS_ID_BYTES
        first = -(-names // _SLOT_BYTES) * _SLOT_BYTES
        self._offsets = {process_id: first + n * _SLOT_BYTES for n, process_id in enumerate(process_ids)}

    @classmethod
    def create(
        cls, path: Path, process_ids: Iterable[str], *, monotonic: Callable[[], float] = time.monotonic
    ) -> "LivenessBoard":
        """Make the file of the board in a private directory."""
        ids = tuple(process_ids)
        names = [process_id.encode() for process_id in ids]
        if len(set(ids)) != len(ids) or any(not 0 < len(name) <= _PROCESS_ID_BYTES for name in names):
            raise ProcessSystemError(
                f"process ids must differ and have 1 to {_PROCESS_ID_BYTES} bytes: {', '.join(ids)}"
            )
        _refuse_shared_directory(path.parent)
        content = _HEAD.pack(_MAGIC, len(ids)) + b"".join(
            name.ljust(_PROCESS_ID_BYTES, b"\0") for name in names
        )
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, (-(-len(content) // _SLOT_BYTES) + len(ids)) * _SLOT_BYTES)
            os.pwrite(descriptor, content, 0)
            return cls(mmap.mmap(descriptor, 0), ids, monotonic)
        finally:
            os.close(descriptor)

    @classmethod
    def open(cls, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> "LivenessBoard":
        """Map a board that another process has made."""
        _refuse_shared_directory(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            mapped = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        magic, count = _HEAD.unpack_from(mapped, 0)
        if magic != _MAGIC:
            raise ProcessSystemError(f"{path} is not a liveness board: remove it and start the node again")
        starts = range(_HEAD.size, _HEAD.size + count * _PROCESS_ID_BYTES, _PROCESS_ID_BYTES)
        ids = tuple(mapped[at : at + _PROCESS_ID_BYTES].rstrip(b"\0").decode() for at in starts)
        return cls(mapped, ids, monotonic)

    @property
    def process_ids(self) -> tuple[str, ...]:
        return tuple(self._offsets)

    def slot(self, process_id: str) -> LivenessSlot:
        """Return the writer of a slot; for the process of that id only."""
        at = self._offsets[process_id]
        return LivenessSlot(self._view[at : at + _SLOT_BYTES], self._monotonic)

    def read(self, process_id: str) -> Liveness:
        """Read the slot of a process, dead or alive."""
        at = self._offsets[process_id]
        beats, beat_at = _BEAT.unpack_from(self._view, at)
        (worker_id,) = _WORKER.unpack_from(self._view, at + _WORKER_AT)
        slot = self._view[at : at + _SLOT_BYTES]
        loop, ended_by, on_trial, *threads = (_read_trace(slot, number) for number in range(_TRACES))
        running = tuple(
            (_THREAD.unpack_from(slot, _place_at(number) + TRACE_BYTES)[0], trace)
            for number, trace in enumerate(threads, _FIRST_THREAD)
            if trace is not None
        )
        (loop_thread,) = _THREAD.unpack_from(slot, _LOOP_THREAD_AT)
        (backlog,) = _THREAD.unpack_from(slot, _BACKLOG_AT)
        (helper,) = _THREAD.unpack_from(slot, _place_at(_ENDED_BY) + TRACE_BYTES)
        (ends_at,) = _TIME.unpack_from(slot, _ENDS_AT)
        return Liveness(
            beats,
            beat_at,
            worker_id,
            loop,
            running,
            ended_by,
            on_trial,
            loop_thread,
            backlog,
            bool(helper),
            ends_at,
        )


def _place_at(number: int) -> int:
    return _TRACES_AT + number * _PLACE_BYTES


def _trace_at(slot: memoryview, number: int) -> memoryview:
    at = _place_at(number)
    return slot[at : at + TRACE_BYTES]


def _read_trace(slot: memoryview, number: int) -> bytes | None:
    trace = bytes(_trace_at(slot, number))
    return None if trace == _NO_TRACE else trace


def _refuse_shared_directory(directory: Path) -> None:
    facts = os.stat(directory)
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise ProcessSystemError(f"{directory} is not a private directory of ours: make it with mode 0700")
