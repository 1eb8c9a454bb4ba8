"""Checking whether code does what a history says, without any effect.

The code runs through the history and stops at its first command beyond it: nothing is read from
the outside, no random bytes are made, nothing is logged or started.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from continuum.engine.call_site import Site, caller
from continuum.engine.command_log import CommandLog
from continuum.engine.drift_messages import continues_after_end, describe_command
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.outcome import Blocked

END_OF_HISTORY = Blocked("drift", "the history ends here")
"""The outcome of a dry replay whose code has a command that the history does not have."""


class DryCommandLog(CommandLog):
    """A command log that stops the code where the history ends; `asked` is the command it stopped at.

    `interruptible` says that a `KeyboardInterrupt` in the code may be a person's.
    """

    __slots__ = ("asked", "interruptible")

    asked: str

    def __init__(self) -> None:
        super().__init__()
        self.interruptible = False

    @property
    def replaying(self) -> bool:
        """Always: nothing that a new command would journal, read or log may happen."""
        return True

    def passes_on(self, error: BaseException) -> bool:
        """A person who waits for the replay has pressed Ctrl-C: the code has not ended."""
        return self.interruptible and isinstance(error, KeyboardInterrupt)

    def command(self, type: EventType, target: Any, site: Site, rest: tuple[Any, ...]) -> Event:
        """Match a command against the history, or stop."""
        if self.cursor < len(self.history):
            return super().command(type, target, site, rest)
        self.check()
        self.asked = describe_command(type, target, caller(site))
        self.refuse(END_OF_HISTORY)


def dry_execution(info: Any, definition: Any = None, depth: int = 0) -> tuple[Execution, DryCommandLog]:
    """Return an execution that only replays, and its log."""
    log = DryCommandLog()
    return Execution(info, no_random_bytes, definition, depth, log), log


def no_random_bytes(size: int) -> bytes:
    """Refuse: a dry replay takes every random value from its history."""
    raise AssertionError("a dry replay makes no random bytes")


def dry_pass(
    program: Coroutine[Any, Any, Any],
    history: Sequence[Event],
    info: Any,
    *,
    started_at: int,
    now: int,
    definition: Any = None,
    depth: int = 0,
    complete: bool = False,
) -> Blocked | None:
    """Return why `program` cannot continue from `history`; None when it can.

    `complete` means that the run ended with the last event: code that continues after it has drifted too.
    """
    execution, log = dry_execution(info, definition, depth)
    outcome = execution.begin(program, history, started_at=started_at, now=now)
    execution.close()
    if outcome is END_OF_HISTORY:
        return continues_after_end(len(history), log.asked) if complete else None
    if outcome is None and complete:
        return continues_after_end(len(history), None)
    return outcome if isinstance(outcome, Blocked) else None
