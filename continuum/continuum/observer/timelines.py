"""What a run did over time, as bars: attempts, back-off, waits, children. Pure functions.

A command has a lane with the bars of its attempts. What has not ended is open. `fewer` joins lanes where
there are more than a page shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from continuum.engine.events import ANSWERS, CHILD_ENDS, SCHEDULES, Event, EventType, is_whole, summary_of
from continuum.journal.wait import Wait

ATTEMPT, BACKOFF, TIMER, CHILD, SIGNAL, COMPENSATION, MANY = (
    "attempt",
    "back-off",
    "timer",
    "child",
    "signal",
    "compensation",
    "many",
)
_FAILURES = frozenset((EventType.ACTIVITY_FAILED, EventType.COMPENSATION_FAILED, EventType.CHILD_FAILED))


@dataclass(frozen=True, slots=True)
class Bar:
    """Something from `since` until `until` (None: not ended), in microseconds, begun by event `seq`.

    `attempt` counts from 1. `run` is that of a child.
    """

    kind: str
    name: str
    seq: int
    since: int
    until: int | None
    failed: bool = False
    attempt: int = 1
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """What became of one command: its attempts and the time between them; or `count` commands together.

    `failed` says that the last attempt has failed, or one of the commands.
    """

    kind: str
    name: str
    seq: int
    bars: tuple[Bar, ...]
    since: int
    until: int | None
    failed: bool
    attempts: int
    run: str | None
    count: int = 1
    failures: int = 0


def bars_of(events: Sequence[Event], *, summaries: bool = True) -> list[Bar]:
    """Return the bars of these events, which may begin in the middle of a history.

    Without `summaries` calls have their names alone: a summary is made of what the run works with.
    """
    reader = _Reader(summaries)
    for event in events:
        if is_whole(event):
            reader.read(event)
    return sorted(reader.all(), key=lambda bar: (bar.since, bar.seq))


def waiting_lanes(waits: Sequence[Wait]) -> list[Lane]:
    """Return a lane for each signal that a run waits for: its history has nothing of it."""
    return [
        _lane([Bar(SIGNAL, f"waits for signal {wait.name}", -1, wait.since, None)])
        for wait in waits
        if wait.kind == SIGNAL
    ]


def lanes_of(bars: Iterable[Bar]) -> list[Lane]:
    """Return the bars of each command in a lane of its own, in the order in which the commands were given."""
    lanes: dict[int, list[Bar]] = {}
    for bar in bars:
        lanes.setdefault(bar.seq, []).append(bar)
    return [_lane(own) for own in lanes.values()]


def _lane(bars: Sequence[Bar]) -> Lane:
    first, last = bars[0], bars[-1]
    return Lane(
        first.kind if first.kind != BACKOFF else ATTEMPT,
        first.name,
        first.seq,
        tuple(bars),
        first.since,
        last.until,
        last.failed,
        max(bar.attempt for bar in bars),
        first.run,
    )


def fewer(lanes: Sequence[Lane], most: int) -> list[Lane]:
    """Return at most so many lanes: neighbours are joined, each time so many into one that counts them."""
    if len(lanes) <= most:
        return list(lanes)
    size = -(-len(lanes) // most)
    return [_joined(lanes[place : place + size]) for place in range(0, len(lanes), size)]


def _joined(lanes: Sequence[Lane]) -> Lane:
    if len(lanes) == 1:
        return lanes[0]
    ends = [lane.until for lane in lanes]
    names = list(dict.fromkeys(lane.name for lane in lanes))
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    until = None if None in ends else max(end for end in ends if end is not None)
    failures = sum(lane.failed for lane in lanes)
    seq, since = lanes[0].seq, lanes[0].since
    bar = Bar(MANY, name, seq, since, until, failures > 0)
    return Lane(MANY, name, seq, (bar,), since, until, failures > 0, 1, None, len(lanes), failures)


class _Reader:
    """Turns events into bars, one after the other."""

    def __init__(self, summaries: bool) -> None:
        self._summaries = summaries
        self._open: dict[int, Bar] = {}
        self._ended: list[Bar] = []

    def all(self) -> Iterable[Bar]:
        return [*self._ended, *self._open.values()]

    def read(self, event: Event) -> None:
        kind, body = event.type, event.body
        if kind in SCHEDULES:
            what = ATTEMPT if kind == EventType.ACTIVITY_SCHEDULED else COMPENSATION
            self._open[event.seq] = Bar(what, self._name(event), event.seq, event.at, None)
        elif kind == EventType.TIMER_STARTED:
            self._open[event.seq] = Bar(
                TIMER, f"timer at {body[2]}" if body[2] else "timer", event.seq, event.at, None
            )
        elif kind == EventType.CHILD_STARTED:
            self._open[event.seq] = Bar(CHILD, body[0], event.seq, event.at, None, run=str(body[3]))
        elif kind == EventType.SIGNAL_RECEIVED:
            self._ended.append(Bar(SIGNAL, f"signal {body[0]}", event.seq, event.at, event.at))
        elif kind == EventType.ACTIVITY_RETRIED:
            self._retry(event)
        elif kind in (EventType.ACTIVITY_CRASHED, EventType.ACTIVITY_RESTARTED):
            self._again(event)
        elif kind in ANSWERS or kind in CHILD_ENDS or kind == EventType.TIMER_FIRED:
            self._end(body[0], event.at, failed=kind in _FAILURES)

    def _end(self, seq: int, at: int, *, failed: bool) -> Bar | None:
        bar = self._open.pop(seq, None)
        if bar is not None:
            self._ended.append(replace(bar, until=at, failed=failed))
        return bar

    def _retry(self, event: Event) -> None:
        seq, due = event.body[0], event.body[4]
        bar = self._end(seq, event.at, failed=True)
        if bar is None:
            return
        attempt = event.body[3] + 1
        if due > event.at:
            self._open[seq] = replace(bar, kind=BACKOFF, since=event.at, attempt=attempt)
        else:
            self._open[seq] = replace(bar, since=event.at, attempt=attempt)

    def _again(self, event: Event) -> None:
        """An attempt begins: after its back-off, or after its process died."""
        seq = event.body[0]
        bar = self._end(seq, event.at, failed=event.type == EventType.ACTIVITY_CRASHED)
        if bar is not None:
            self._open[seq] = replace(bar, kind=ATTEMPT, since=event.at)

    def _name(self, event: Event) -> str:
        return (summary_of(event) if self._summaries else None) or str(event.body[0])
