"""The timeline of a run: what it did when, each command in a lane; of a long history a part at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from continuum.engine.ids import RunId
from continuum.journal.history_port import HistoryBin
from continuum.observer.limits import LANES, OUTLINE_BINS, TIMELINE_EVENTS
from continuum.observer.page import Page
from continuum.observer.pages.history import Head, head_of, number_of
from continuum.observer.part import Part, part
from continuum.observer.timelines import Lane, bars_of, fewer, lanes_of, waiting_lanes
from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class Drawn:
    """The lanes of the events from `first` to `last`, between two times in microseconds."""

    lanes: tuple[Lane, ...]
    first: int
    last: int
    since: int
    until: int
    joined: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """A part of a long history."""

    first: int
    last: int
    since: int
    until: int
    events: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """A timeline; a long history also has an outline, whose parts are shown one at a time."""

    run: Head
    length: int
    drawn: Part[Drawn]
    outline: Part[tuple[Bin, ...]]


async def read(visit: Visit) -> Timeline:
    """Read the part of a history that is asked for, by default the latest."""
    first = number_of(visit, "from")
    head = await head_of(visit)
    id = RunId(head.id)
    length = await visit.journal.length_of(id)
    if first is None:
        first = max(length - TIMELINE_EVENTS, 0)
    drawn, outline = await asyncio.gather(part(_drawn(visit, head, first)), part(_outline(visit, id, length)))
    return Timeline(head, length, drawn, outline)


async def _drawn(visit: Visit, run: Head, first: int) -> Drawn:
    events = await visit.journal.load_part(RunId(run.id), first, TIMELINE_EVENTS)
    lanes = lanes_of(bars_of(events, summaries=visit.sees_payloads))
    shown = fewer(lanes, LANES)
    row = await visit.journal.get_run(RunId(run.id))
    is_open = row is not None and not row.state.terminal
    if row is not None and is_open and len(events) < TIMELINE_EVENTS:
        shown += waiting_lanes(row.waits or ())
    whole = [event for event in events if event.seq >= 0]
    now = visit.journal.now()
    since = min((event.at for event in whole), default=now)
    until = max((event.at for event in whole), default=now)
    last = max((event.seq for event in whole), default=first)
    if is_open and any(lane.until is None for lane in shown):
        until = max(until, now)
    return Drawn(
        tuple(shown), first, last, since, max(until, since + 1), any(lane.count > 1 for lane in shown)
    )


async def _outline(visit: Visit, id: RunId, length: int) -> tuple[Bin, ...]:
    if length <= TIMELINE_EVENTS:
        return ()
    bins: Sequence[HistoryBin] = await visit.journal.outline(id, OUTLINE_BINS)
    return tuple(Bin(*each) for each in bins)


TIMELINE = Page("/runs/{run}/timeline", "timeline.html", read, Timeline, "what a run did over time")
