"""The liveness board: one small mapped file per node in which each process leaves traces that survive it.

Each process id has a fixed slot: how often its loop has beaten and when last, its worker id, and the run
whose user code is executing right now. Only that process writes it; every sibling may read it: the watchdog
to find a hung process, recovery to find the run that was executing when a process died. Nothing is locked: a
reader may see the count of one beat with the time of the next, which changes no decision.
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
# The slot of the root supervisor, which the launcher watches; no process can have this id.
SUPERVISOR_SLOT = "root supervisor"
_MAGIC = b"CTLIVE01"
_HEAD = struct.Struct("=8sI")
_PROCESS_ID_BYTES = 64
_BEAT = struct.Struct("=Qd")
_WORKER = struct.Struct("=q")
# beat, worker id, run id; a slot has two cache lines to itself, so that writers do not slow each other.
_WORKER_AT = _BEAT.size
_RUN_AT = 32
_SLOT_BYTES = 128
_NO_RUN = bytes(RUN_ID_BYTES)


@dataclass(frozen=True, slots=True)
class Liveness:
    """The content of a slot. `beat_at` is on the machine's monotonic clock; `executing` is a run id."""

    beats: int
    beat_at: float
    worker_id: int
    executing: bytes | None


class LivenessSlot:
    """Writes the slot of one process."""

    __slots__ = ("_beats", "_monotonic", "_run", "_slot")

    def __init__(self, slot: memoryview, monotonic: Callable[[], float]) -> None:
        self._slot = slot
        self._run = slot[_RUN_AT : _RUN_AT + RUN_ID_BYTES]
        self._monotonic = monotonic
        self._beats = 0

    def beat(self) -> None:
        """Record that the loop is running."""
        self._beats += 1
        _BEAT.pack_into(self._slot, 0, self._beats, self._monotonic())

    def executing(self, run_id: bytes) -> None:
        """Record the run whose code executes from now on: 16 bytes."""
        self._run[:] = run_id

    def clear(self) -> None:
        """Record that no run's code executes."""
        self._run[:] = _NO_RUN

    def set_worker_id(self, worker_id: int) -> None:
        _WORKER.pack_into(self._slot, _WORKER_AT, worker_id)

    def reset(self) -> None:
        """Begin a new incarnation: the traces of the one before were reported with its death."""
        self._slot[:_SLOT_BYTES] = bytes(_SLOT_BYTES)
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
        run = bytes(self._view[at + _RUN_AT : at + _RUN_AT + RUN_ID_BYTES])
        return Liveness(beats, beat_at, worker_id, None if run == _NO_RUN else run)


def _refuse_shared_directory(directory: Path) -> None:
    facts = os.stat(directory)
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise ProcessSystemError(f"{directory} is not a private directory of ours: make it with mode 0700")
