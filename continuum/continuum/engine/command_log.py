"""What a run's code asks for, in order: matched against its history while that lasts, journaled after.

Two commands are the same when type, target and calling function agree and they
stand at the same place. Nothing may be asked for once something has ended the run in
the middle of a step (`verdict`), while its coroutine is put away, or inside `side_effect`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from continuum.engine.call_site import Site, caller, where
from continuum.engine.control import Closed, Halted
from continuum.engine.drift_messages import drift, unreadable
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Verdict
from continuum.engine.snapshot_history import CompactHistory
from continuum.engine.snapshot_replay import command_ahead
from continuum.errors import DeterminismError, DurableTermError

# Code that swallows a refusal and asks again, for ever, never gives the process back;
# refused this often, an effect waits instead of raising.
REFUSALS = 1_000


class CommandLog:
    """One run's commands. `Execution` drives the code that issues them."""

    __slots__ = (
        "_at",
        "_cursor",
        "_history",
        "_log",
        "_next_seq",
        "_refusals",
        "closing",
        "compact",
        "in_side_effect",
        "misfit",
        "verdict",
    )

    def __init__(self) -> None:
        # What ended the run in the middle of a step. It sticks: code that swallows the
        # `Halted` it is told with does not get past the next effect, nor past its own end.
        self.verdict: Verdict | None = None
        self.in_side_effect = False
        self.closing = False
        # What is left of the compact part of the history, which comes before the rest of it.
        self.compact: CompactHistory | None = None
        self.misfit = False
        self._history: Sequence[Event] = ()
        self._cursor = 0
        self._next_seq = 0
        self._at = 0
        self._log: list[Event] = []
        self._refusals = 0

    @property
    def at(self) -> int:
        """When the current step began on the journal's clock; not the same in a replay."""
        return self._at

    @property
    def replaying(self) -> bool:
        """Whether the code is still going over what it did before."""
        return self._cursor < len(self._history) or self.compact is not None

    @property
    def events_written(self) -> int:
        """How many events the history has, the ones not yet taken included."""
        return self._next_seq

    @property
    def weary(self) -> bool:
        """Whether the code was refused so often that it is to wait instead."""
        return self._refusals >= REFUSALS

    def take_log(self) -> list[Event]:
        """Hand over the events journaled since the last call."""
        events, self._log = self._log, []
        return events

    def preface(self, event: Event) -> None:
        """Have an event that the history already ends with written before any other."""
        self._log.append(event)

    def command(self, type: EventType, target: Any, site: Site, rest: tuple[Any, ...]) -> Event:
        """Match a command against history, or journal it when history has ended.

        A timer's target, its due time, is the journal's.
        """
        if self.closing or self.in_side_effect or self.verdict is not None:
            self.check()
        if self.compact is not None:
            return command_ahead(self, self.compact, type, target, site)
        author = caller(site)
        cursor = self._cursor
        if cursor < len(self._history):
            event = self._history[cursor]
            body = event.body
            if (
                event.type != type
                or body[1] != author
                or (body[0] != target and type is not EventType.TIMER_STARTED)
            ):
                self.refuse(drift(event, type, target, author, where(site)))
            self._cursor = cursor + 1
            return event
        event = Event(self._next_seq, type, self._at, (target, author, where(site), *rest))
        self._next_seq += 1
        self._log.append(event)
        return event

    def next_recorded(self) -> Event | None:
        """Return the event the history goes on with, None at its end."""
        if self.compact is not None:
            return self.compact.next_recorded()
        return self._history[self._cursor] if self._cursor < len(self._history) else None

    def check(self) -> None:
        """Raise unless the code may ask for something now."""
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
        """End the run here, whatever its code makes of that."""
        self.verdict = verdict
        raise Halted

    def unreadable(self, position: int | None, error: DurableTermError) -> NoReturn:
        """End the run because its code cannot read a value the journal has."""
        self.refuse(unreadable(position, str(error)))
