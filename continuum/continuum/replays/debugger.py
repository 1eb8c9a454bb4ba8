"""`WorkflowDebugger`: pdb for the code of a replay, without the frames of the engine and of asyncio.

It differs from pdb in three ways: it can prompt in a suspended coroutine, it steps through coroutines as
through functions (a wait is no return, and the end leads to the code that awaits), and quitting ends the
replay instead of failing the run.
"""

from __future__ import annotations

import dis
import os
import pdb  # noqa: T100 - this is its door
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE
from types import FrameType, TracebackType
from typing import Any

from continuum.replays.workflow_frames import DRIVER, Frames, is_passed_over, is_workflow_code

_YIELD, _RESUME = dis.opmap["YIELD_VALUE"], dis.opmap["RESUME"]
# The argument of RESUME says where: 0 at the beginning, otherwise after a yield or an await.
_RESUMED = 3


class WorkflowDebugger(pdb.Pdb):
    """A debugger of workflow code; `quit` is called when the person quits it."""

    def __init__(self, quit: Callable[[], None]) -> None:
        super().__init__()
        self._quit = quit
        self._shown: Frames = ()

    def prompt_in(self, frames: Frames) -> None:
        """Prompt in the last of these frames, and have the code continue as the person says."""
        self.reset()
        # No frame of the run is the bottom: a stop in that one would mean to continue.
        self.botframe = sys._getframe()
        self._shown = frames
        try:
            self.interaction(frames[-1], None)
        finally:
            self._shown = ()
        continues = self.stopframe is self.botframe
        if not self.quitting and (self.breaks or not continues):
            for frame in frames:
                frame.f_trace = self.trace_dispatch
            sys.settrace(self.trace_dispatch)

    def prompt_after(self, error: BaseException) -> None:
        """Prompt where workflow code raised an error, or where it called what did."""
        traceback = _of_workflow_code(error.__traceback__)
        if traceback is not None:
            self.reset()
            self.interaction(None, traceback)

    def rest(self) -> None:
        """Trace no more."""
        if sys.gettrace() == self.trace_dispatch:
            sys.settrace(None)

    def stop_here(self, frame: FrameType) -> bool:
        """Whether stepping stops in a frame: it passes over the engine and what the engine calls."""
        return not is_passed_over(frame) and super().stop_here(frame)

    def get_stack(
        self, f: FrameType | None, t: TracebackType | None
    ) -> tuple[list[tuple[FrameType, int]], int]:
        """Return the stack that the person sees, and the place in it to begin at."""
        if self._shown and f is self._shown[-1]:
            return [(frame, frame.f_lineno) for frame in self._shown], len(self._shown) - 1
        stack, place = super().get_stack(f, t)
        # Stopped at an error, pdb would begin where that was raised: in the engine.
        chosen = stack[place] if f is None else next(entry for entry in stack if entry[0] is f)
        drivers = [i for i, (frame, _) in enumerate(stack) if frame.f_globals.get("__name__") == DRIVER]
        above = stack[drivers[-1] + 1 :] if drivers else stack
        own = [entry for entry in above if entry is chosen or is_workflow_code(entry[0])]
        return own, own.index(chosen)

    def dispatch_call(self, frame: FrameType, arg: Any) -> Any:
        """Do not take it for a call that a coroutine resumes."""
        if _is_coroutine(frame) and not _begins(frame) and self.stopframe is None:
            return self.trace_dispatch if self.stop_here(frame) or self.break_anywhere(frame) else None
        return super().dispatch_call(frame, arg)

    def dispatch_return(self, frame: FrameType, arg: Any) -> Any:
        """Stop where a coroutine ends that the person steps through, and not where it waits."""
        if _is_coroutine(frame) and not _has_ended(frame):
            return self.trace_dispatch
        if frame is self.stopframe:
            # As for a function; for a coroutine pdb would miss the end.
            caller = frame.f_back
            if caller is not None and caller.f_trace is None:
                caller.f_trace = self.trace_dispatch
            self.set_step()
        return super().dispatch_return(frame, arg)

    def set_quit(self) -> None:
        """Quit, and end the replay."""
        super().set_quit()
        self._quit()


def another_is_chosen() -> bool:
    """Whether `breakpoint()` belongs to another debugger: that of an editor, or one that the user has set."""
    by_environment = os.environ.get("PYTHONBREAKPOINT", "") not in ("", "0")
    return sys.breakpointhook is not sys.__breakpointhook__ or by_environment


@contextmanager
def serving_breakpoints(debugger: WorkflowDebugger) -> Iterator[None]:
    """Have `breakpoint()` prompt in this debugger, unless the user has chosen another one, or none."""
    before, tracing = sys.breakpointhook, sys.gettrace()

    def prompt(*args: Any, **kwargs: Any) -> None:
        debugger.set_trace(sys._getframe(1))

    if not another_is_chosen() and os.environ.get("PYTHONBREAKPOINT") != "0":
        sys.breakpointhook = prompt
    try:
        yield
    finally:
        sys.breakpointhook = before
        sys.settrace(tracing)


def _is_coroutine(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR))


def _begins(frame: FrameType) -> bool:
    """Whether a frame that is called runs its first line; a coroutine that has waited resumes."""
    operation, argument = _operation(frame)
    return operation == _RESUME and not argument & _RESUMED


def _has_ended(frame: FrameType) -> bool:
    """Whether a frame that returns has ended; a coroutine that waits only yields.

    Python says of a frame that yields that it is at the yield, or already where it will resume.
    """
    operation, argument = _operation(frame)
    return operation != _YIELD and not (operation == _RESUME and argument & _RESUMED)


def _operation(frame: FrameType) -> tuple[int, int]:
    """Return the operation that a frame is at, and its argument."""
    code = frame.f_code.co_code
    return code[frame.f_lasti], code[frame.f_lasti + 1]


def _of_workflow_code(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback that ends with workflow code, None if none is in it."""
    entries: list[TracebackType] = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    while entries and not is_workflow_code(entries[-1].tb_frame):
        entries.pop()
    shown: TracebackType | None = None
    for entry in reversed(entries):
        shown = TracebackType(shown, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return shown
