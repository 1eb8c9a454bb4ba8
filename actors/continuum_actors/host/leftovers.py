"""Leftovers: activities whose attempt is over and whose code still runs in this process.

Code can swallow its cancellation, clean up for hours or block a thread. Its run has its answer by then;
the process keeps the code until that ends. Too many leftovers are a reason to replace the process.
"""

from __future__ import annotations

import asyncio
import linecache
import logging
import traceback
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from continuum_actors.host import limits

log = logging.getLogger("continuum.leftovers")

_OUR_CODE = ("continuum.", "continuum_actors.", "continuum_supervision.", "asyncio.", "threading")


class Leftovers:
    """Counts what still runs, reports each once, and sets `too_many` when there are more than `limit`.

    With a limit of 0 the process is there to be replaced, and one of them is no fault.
    """

    def __init__(self) -> None:
        self.limit = limits.LEFTOVERS_PER_HOST
        self.too_many = asyncio.Event()
        # What the log says about too many; a process that is replaced says so.
        self.remedy = "restart the application that this node is a part of, which ends them"
        self._running: set[asyncio.Future[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def add(self, work: asyncio.Future[Any], what: str, frames: Callable[[], Iterable[FrameType]]) -> None:
        """Count `work` until it is done. `frames` returns where it is now, outermost first."""
        self._running.add(work)
        work.add_done_callback(self._ended)
        if isinstance(work, asyncio.Task):
            # Kept by us alone: the end of `asyncio.run` waits for every task that it can find.
            asyncio.tasks._unregister_task(work)
            work._log_destroy_pending = False  # type: ignore[attr-defined]
        if self.limit:
            asyncio.get_running_loop().call_later(
                limits.REPORT_LEFTOVER_SECONDS, self._report, work, what, frames
            )
        if len(self._running) > self.limit and not self.too_many.is_set():
            self.too_many.set()
            if self.limit == 0:
                log.warning("%s; its code still runs: %s", what, self.remedy)
                return
            log.error(
                "%d activities are over and still run in this process, more than %d: %s",
                len(self._running),
                self.limit,
                self.remedy,
            )

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self._running.discard(work)
        if len(self._running) <= self.limit:
            self.too_many.clear()

    def _report(
        self, work: asyncio.Future[Any], what: str, frames: Callable[[], Iterable[FrameType]]
    ) -> None:
        if not work.done():
            log.warning(
                "%s; its code still runs (%d such here): let it end on cancellation, or run it with "
                'executor="process"\n%s',
                what,
                len(self._running),
                _stack(frames()),
            )


def _stack(frames: Iterable[FrameType]) -> str:
    """Return the user's part of a stack as text."""
    entries = [
        traceback.FrameSummary(
            frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, lookup_line=False
        )
        for frame in frames
        if not str(frame.f_globals.get("__name__", "")).startswith(_OUR_CODE)
    ]
    linecache.checkcache()
    text = "".join(traceback.format_list(entries)).rstrip()
    return text[-limits.TRACEBACK_CHARACTERS :] or "  (outside of Python code)"


def frames_of_coroutine(coroutine: Any) -> list[FrameType]:
    """Return the frames in which a suspended coroutine waits, outermost first."""
    frames: list[FrameType] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        frames.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return frames


def frames_of_thread(frame: FrameType | None) -> list[FrameType]:
    """Return the frames below and including `frame`, outermost first."""
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]
