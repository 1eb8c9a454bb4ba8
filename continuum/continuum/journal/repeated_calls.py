"""Calls from one place of the code: the first of a run is stored whole, later ones refer to it.

Name, caller and place of a call are most of its bytes, and a loop repeats them with every step. A run refers
only to its own events, so a history needs nothing but its rows, and only to events that are stored whole. A
writer remembers the calls of a run for as long as its token holds, for the runs that were written last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from continuum.engine.events import EventType
from continuum.engine.ids import WorkerId
from continuum.journal.event_codec import CorruptBody
from continuum.journal.limits import REMEMBERED_CALLS, REMEMBERED_RUNS

# The first parts of the body of a call: name, calling function, place.
Call: TypeAlias = tuple[Any, ...]

_LENGTH = 3
# By plain numbers: a member of an enum hashes slowly.
CALLS = frozenset(
    {
        int(EventType.ACTIVITY_SCHEDULED),
        int(EventType.COMPENSATION_SCHEDULED),
        int(EventType.SIDE_EFFECT),
        int(EventType.CHILD_STARTED),
    }
)
_TEXTS = (str, str, str)


class MissingCall(CorruptBody):
    """A row refers to the call with this seq, which was not among those that are known."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"it refers to event {seq}, which is no call")
        self.seq = seq


class WrittenCalls:
    """The calls that the rows of a run have whole, each with its seq."""

    __slots__ = ("_known", "token")

    def __init__(self, token: int) -> None:
        self.token = token
        self._known: dict[Call, int] = {}

    def shortened(self, seq: int, type: int, body: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
        """Return type and body of a call as they are stored."""
        call = body[:_LENGTH]
        try:
            earlier = self._known.get(call)
        except TypeError:
            return type, body  # something that cannot be looked up, which no engine writes
        if earlier is not None and earlier < seq:
            return -type, (earlier, *body[_LENGTH:])
        # True and 1.0 look like 1; texts are only like themselves.
        if tuple(map(_type, call)) == _TEXTS and len(self._known) < REMEMBERED_CALLS:
            self._known[call] = seq
        return type, body

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()


_type = type


class CallsOfRuns:
    """What a process has written, for the runs that it wrote last."""

    def __init__(self) -> None:
        self._runs: dict[bytes, WrittenCalls] = {}
        # The last batch of each worker whose outcome is unknown.
        self._doubted: dict[WorkerId, int] = {}

    def of(self, run: bytes, token: int) -> WrittenCalls:
        """Return the calls of a run under a token: another owner may have written since an earlier one."""
        found = self._runs.get(run)
        if found is None or found.token != token:
            if len(self._runs) >= REMEMBERED_RUNS:
                del self._runs[next(iter(self._runs))]
            found = self._runs[run] = WrittenCalls(token)
        return found

    @contextmanager
    def doubted(self, worker: WorkerId, batch: int, runs: Iterable[bytes]) -> Iterator[None]:
        """Forget runs if their batch fails here, and once it is repeated.

        After a failure it may be stored or not, as that attempt wrote it: a repetition has other rows for it.
        """
        repeated = self._doubted.pop(worker, None) == batch
        try:
            yield
        except BaseException:
            self._doubted[worker] = batch
            self.forget(runs)
            raise
        if repeated:
            self.forget(runs)

    def forget(self, runs: Iterable[bytes]) -> None:
        """Forget what was written of these runs."""
        for run in runs:
            self._runs.pop(run, None)


def whole(seq: int, body: tuple[Any, ...], calls: Mapping[int, Call]) -> tuple[Any, ...]:
    """Return the body of a call that refers to one of these. Raises `CorruptBody`."""
    earlier = body[0] if body else None
    # By type, not by isinstance: True is no seq.
    if type(earlier) is not int or not 0 <= earlier < seq:
        raise CorruptBody("it refers to no earlier event")
    found = calls.get(earlier)
    if found is None:
        raise MissingCall(earlier)
    return (*found, *body[1:])
