"""The commands of a run's code, in order: matched against its history first, journaled after its end.

Two commands are the same when type, target and calling function agree and they
have the same position. No command is accepted once something has ended the run in
the middle of a step (`verdict`), while its coroutine is closed, or inside `side_effect`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from continuum.engine.call_site import Site, caller, where
from continuum.engine.control import Closed, Halted
from continuum.engine.drift_messages import corrupt_history, drift, unreadable
from continuum.engine.events import ABOUT_THE_HISTORY, Event, EventType, is_whole
from continuum.engine.outcome import Blocked, Verdict
from continuum.engine.snapshot_history import CompactHistory
from continuum.errors import DeterminismError, DurableTermError

# Code that catches a refusal and tries again, for ever, would never give the process back.
# After this many refusals an effect waits instead of raising.
REFUSALS = 1_000


class CommandLog:
    """The commands of one run. `Execution` drives the code that issues them."""

    __slots__ = (
        "_refusals",
        "at",
        "closing",
        "compact",
        "cursor",
        "forks",
        "history",
        "in_side_effect",
        "new",
        "next_seq",
        "snapshot_mismatch",
        "verdict",
    )

    def __init__(self) -> None:
        # What ended the run in the middle of a step. It stays set: code that catches the `Halted`
        # raised then can neither issue another command nor end the run in its own way.
        self.verdict: Verdict | None = None
        self.in_side_effect = False
        self.closing = False
        # The rest of the compact part of the history, which comes before the rest of `history`.
        self.compact: CompactHistory | None = None
        # Whether the code did not match the compact part.
        self.snapshot_mismatch = False
        # What the code is matched against, and the position of the next event in it.
        self.history: Sequence[Event] = ()
        self.cursor = 0
        # The events of the history that say where it was cut and continues in a new run.
        self.forks: list[Event] = []
        # The seq of the next event: how many the history has, those not yet taken included.
        self.next_seq = 0
        # When the current step began on the journal's clock; a replay does not repeat it.
        self.at = 0
        # The events journaled since the last write took them.
        self.new: list[Event] = []
        self._refusals = 0

    def begin(self, history: Sequence[Event], compact: CompactHistory | None, at: int) -> None:
        """Match commands against `compact`, then `history`; a broken history sets the verdict."""
        self.at = at
        first = compact.end if compact is not None else 0
        self.next_seq = first + len(history)
        described = False
        for position, event in enumerate(history, first):
            if event.seq != position or not is_whole(event):
                self.verdict = corrupt_history(position, event)
                return
            if event.type in ABOUT_THE_HISTORY:
                described = True
        if described:
            self.forks = [event for event in history if event.type == EventType.RUN_FORKED]
            history = [event for event in history if event.type not in ABOUT_THE_HISTORY]
        self.history = history
        self.compact = compact

    def end_replay(self) -> None:
        """Drop the history: every command is new from here on."""
        self.history = ()
        self.cursor = 0

    @property
    def replaying(self) -> bool:
        """Whether the code repeats what it did before."""
        return self.cursor < len(self.history) or self.compact is not None

    def passes_on(self, error: BaseException) -> bool:
        """Whether an error that leaves the code is not of the run, and leaves the execution as well."""
        return False

    @property
    def refused_too_often(self) -> bool:
        """Whether the code has been refused so often that it must wait instead."""
        return self._refusals >= REFUSALS

    def take_events(self) -> list[Event]:
        """Return the events journaled since the last call, and forget them."""
        events, self.new = self.new, []
        return events

    def write_before_everything(self, event: Event) -> None:
        """Write an event first that is already the last one of the history to replay."""
        self.new.append(event)

    def command(self, type: EventType, target: Any, site: Site, rest: tuple[Any, ...]) -> Event:
        """Match a command against the history, or journal it when the history has ended.

        The target of a timer is its due time, which the journal decides.
        """
        if self.closing or self.in_side_effect or self.verdict is not None:
            self.check()
        if self.compact is not None:
            return self._compact_command(self.compact, type, target, site)
        author = caller(site)
        cursor = self.cursor
        if cursor < len(self.history):
            event = self.history[cursor]
            body = event.body
            if (
                event.type != type
                or body[1] != author
                or (body[0] != target and type is not EventType.TIMER_STARTED)
            ):
                self.refuse(drift(event, type, target, author, where(site)))
            self.cursor = cursor + 1
            return event
        event = Event(self.next_seq, type, self.at, (target, author, where(site), *rest))
        self.next_seq += 1
        self.new.append(event)
        return event

    def _compact_command(self, compact: CompactHistory, type: EventType, target: Any, site: Site) -> Event:
        event = compact.take_command(type, target, caller(site))
        if event is None:
            self.refuse_compact()
            raise Halted
        if compact.ended:
            self.compact = compact.following
        return event

    def refuse_compact(self) -> None:
        """Give up on the compact history, which does not match: the caller starts over without it."""
        self.compact = None
        self.snapshot_mismatch = True
        self.verdict = Blocked("drift", "a snapshot of its history does not match its code")

    def next_recorded(self) -> Event | None:
        """Return the next event of the history, None at its end."""
        if self.compact is not None:
            return self.compact.next_recorded()
        return self.history[self.cursor] if self.cursor < len(self.history) else None

    @property
    def position(self) -> int:
        """The seq of the command that the code would issue now."""
        event = self.next_recorded()
        return self.next_seq if event is None else event.seq

    def check(self) -> None:
        """Raise unless the code may issue a command now."""
        if self.closing:
            self._refusals += 1
            raise Closed
        if self.verdict is not None:
            self._refusals += 1
            raise Halted
        if self.in_side_effect:
            raise DeterminismError(
                "an effect was used inside side_effect(), where replay would skip it; move it outside"
            )

    def refuse(self, verdict: Verdict) -> NoReturn:
        """End the run here, even if its code catches the exception."""
        self.verdict = verdict
        raise Halted

    def unreadable(self, position: int | None, error: DurableTermError) -> NoReturn:
        """End the run because its code cannot read a value in the journal."""
        self.refuse(unreadable(position, str(error)))
