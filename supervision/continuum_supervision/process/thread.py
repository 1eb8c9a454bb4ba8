"""The thread whose loop runs the main function of a process. Knows no Thespian."""

import asyncio
import contextvars
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from continuum_supervision.process.context import ProcessContext
from continuum_supervision.process.lasting_loop import LastingLoop
from continuum_supervision.process.liveness import LivenessBoard
from continuum_supervision.process.plan import StartProcess
from continuum_supervision.process.watchdog import beat_every
from continuum_supervision.process.wire import Deliveries, Finished, Outgoing

logger = logging.getLogger("continuum.process")


class ProcessThread:
    """Runs the main function in an asyncio loop of its own thread, and reports when it has ended."""

    def __init__(self, start: StartProcess, board: LivenessBoard, wake: Callable[[], None]) -> None:
        self._start = start
        self._board = board
        self._wake = wake
        self._outbox: deque[Outgoing] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: ProcessContext | None = None
        self._early: list[Deliveries] = []
        self._lock = threading.Lock()
        # Thespian's thread must respond even while main blocks, so main never gets the main thread.
        self._thread = threading.Thread(target=self._run, name=f"process {start.spec.id}", daemon=True)
        self._thread.start()

    def deliver(self, arrived: Deliveries) -> None:
        """Pass a batch to the loop, but what is urgent to main at once; called from another thread."""
        with self._lock:
            loop, context = self._loop, self._context
            if loop is None or context is None:
                self._early.append(arrived)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(context.deliver, arrived)
        if context is not None and any(delivery.urgent for delivery in arrived.deliveries):
            context.deliver_urgent(arrived)

    def take_outgoing(self) -> tuple[Outgoing, ...]:
        """Take everything that main has sent since the last call."""
        taken = []
        while self._outbox:
            taken.append(self._outbox.popleft())
        return tuple(taken)

    def _send(self, outgoing: Outgoing) -> None:
        self._outbox.append(outgoing)
        self._wake()

    def _run(self) -> None:
        exit_code = 1
        # Never closed: that would wait for tasks that ignore their cancellation, and the process ends anyway.
        runner = asyncio.Runner(loop_factory=LastingLoop)
        try:
            runner.run(self._main(), context=contextvars.copy_context())
            exit_code = 0
        except BaseException:
            logger.exception("process %s ended with an error", self._start.spec.id)
        finally:
            self._end(exit_code)

    def _end(self, exit_code: int) -> None:
        try:
            self._send(Finished(exit_code))
        except OSError:
            # Code in this process has closed all its files. Without a word it would be taken for a hung one.
            os._exit(exit_code or 1)

    def _beat(self, loop: asyncio.AbstractEventLoop, context: ProcessContext, every: float) -> None:
        """Show again and again that the loop turns; not in a task, which main would find among its own."""
        context.own_liveness.beat()
        loop.call_later(every, self._beat, loop, context, every)

    async def _main(self) -> None:
        start = self._start
        context = ProcessContext(
            start.spec.id,
            start.incarnation,
            args=start.spec.args,
            node=start.node,
            directory=Path(start.directory),
            board=self._board,
            send=self._send,
        )
        context.own_liveness.reset()
        self._beat(asyncio.get_running_loop(), context, beat_every(start.spec.hung_after))
        with self._lock:
            self._loop, self._context = asyncio.get_running_loop(), context
        for arrived in self._early:
            context.deliver(arrived)
        await start.spec.main(context)
