"""The liveness board: one small mapped file per node where every process leaves traces that outlive it.

One fixed slot per process id: how often and when its loop has last turned, which worker it is, and which
run its user code is in right now. Its one writer is that process; every sibling reads it: the watchdog
to find a hung process, recovery to find which run was executing when a process died. Nothing is locked:
a reader may see a count and a time of two neighbouring beats, which decides nothing.
"""

import mmap
import os
import stat
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from continuum_supervision.errors import ProcessSystemError

RUN_ID_BYTES = 16
_MAGIC = b"CTLIVE01"
_HEAD = struct.Struct("=8sI")
_PROCESS_ID_BYTES = 64
_BEAT = struct.Struct("=Qd")
_WORKER = struct.Struct("=q")
# beat, worker id, run id; a slot has two cache lines of its own, so that writers do not slow each other.
_WORKER_AT = _BEAT.size
_RUN_AT = 32
_SLOT_BYTES = 128
_NOTHING = bytes(RUN_ID_BYTES)


@dataclass(frozen=True, slots=True)
class Liveness:
    """What a process's slot says. `beat_at` is on the machine's monotonic clock; `executing` is a run id."""

    beats: int
    beat_at: float
    worker_id: int
    executing: bytes | None


class LivenessSlot:
    """The writing end of one process's slot."""

    __slots__ = ("_beats", "_monotonic", "_run", "_slot")

    def __init__(self, slot: memoryview, monotonic: Callable[[], float]) -> None:
        self._slot = slot
        self._run = slot[_RUN_AT : _RUN_AT + RUN_ID_BYTES]
        self._monotonic = monotonic
        self._beats = 0

    def beat(self) -> None:
        """Say that the loop turns."""
        self._beats += 1
        _BEAT.pack_into(self._slot, 0, self._beats, self._monotonic())

    def executing(self, run_id: bytes) -> None:
        """Say whose code runs from now on: 16 bytes."""
        self._run[:] = run_id

    def clear(self) -> None:
        """Say that nobody's code runs."""
        self._run[:] = _NOTHING

    def set_worker_id(self, worker_id: int) -> None:
        _WORKER.pack_into(self._slot, _WORKER_AT, worker_id)

    def reset(self) -> None:
        """Begin a new incarnation: whoever needed its predecessor's traces has been told of its death."""
        self._slot[:_SLOT_BYTES] = bytes(_SLOT_BYTES)
        self.beat()


class LivenessBoard:
    """All slots of a node."""

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
        """Make the board's file in a directory that is ours alone."""
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
        """Map the board another process has made."""
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
        """Take the writing end of a slot; only its own process does."""
        at = self._offsets[process_id]
        return LivenessSlot(self._view[at : at + _SLOT_BYTES], self._monotonic)

    def read(self, process_id: str) -> Liveness:
        """Read what a process has left, whether it lives or not."""
        at = self._offsets[process_id]
        beats, beat_at = _BEAT.unpack_from(self._view, at)
        (worker_id,) = _WORKER.unpack_from(self._view, at + _WORKER_AT)
        run = bytes(self._view[at + _RUN_AT : at + _RUN_AT + RUN_ID_BYTES])
        return Liveness(beats, beat_at, worker_id, None if run == _NOTHING else run)


def _refuse_shared_directory(directory: Path) -> None:
    facts = os.stat(directory)
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise ProcessSystemError(f"{directory} is not a private directory of ours: make it with mode 0700")
