"""The history of a run, a part of it at a time, each command beside its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from continuum.client.histories import history_of
from continuum.engine.ids import RunId
from continuum.errors import CutRefused, InvalidQuery
from continuum.observer.histories import ShownEvent, found, listed, shown_events
from continuum.observer.limits import EVENTS_PER_PAGE, EVENTS_SEARCHED
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.quoting import quoted


@dataclass(frozen=True, slots=True)
class Head:
    """Which run it is."""

    id: str
    workflow: str
    state: str


@dataclass(frozen=True, slots=True)
class CutShown:
    """Whether a run can be cut at an event: `refused` says why not, `nearest` where it can be."""

    at: int
    refused: str | None
    nearest: int | None
    again: tuple[str, ...] = ()
    keeps: int = 0


@dataclass(frozen=True, slots=True)
class Events:
    """Events from one on, or those of them in which a text is found; `next` is where the others begin."""

    events: tuple[ShownEvent, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class History:
    """A part of a history of `length` events; `whole` is one event in full, `cut` what a cut at one means."""

    run: Head
    length: int
    first: int
    find: str
    events: Part[Events]
    whole: Part[ShownEvent | None]
    cut: Part[CutShown] | None


async def head_of(visit: Visit) -> Head:
    """Return which run the address names; `RunNotFound` if there is none."""
    run = await visit.reads.get_run(visit.parameter("run"))
    return Head(run.id, run.workflow, run.state)


async def read(visit: Visit) -> History:
    """Read a part of a history."""
    first, event, at = number_of(visit, "from"), number_of(visit, "event"), number_of(visit, "at")
    head = await head_of(visit)
    find = visit.asked.get("find", "").strip()
    length, events, whole, cut = await asyncio.gather(
        visit.journal.length_of(RunId(head.id)),
        part(_events(visit, RunId(head.id), first or 0, find)),
        part(_whole(visit, RunId(head.id), event)),
        part(_cut(visit, head.id, at)),
    )
    return History(head, length, first or 0, find, events, whole, None if at is None else cut)


async def _events(visit: Visit, id: RunId, first: int, find: str) -> Events:
    most = EVENTS_SEARCHED if find else 2 * EVENTS_PER_PAGE
    # Twice as many as are shown: most answers of the last ones are among them.
    stored = await visit.journal.load_part(id, first, most + 1)
    events = shown_events(history_of(stored[:most]), visit.payloads)
    if not find:
        more = first + EVENTS_PER_PAGE if len(events) > EVENTS_PER_PAGE else None
        on_page = [listed(each) for each in events[:EVENTS_PER_PAGE]]
        return Events(tuple(on_page), more)
    matching = found(events, find)
    if len(matching) > EVENTS_PER_PAGE:
        return Events(tuple(map(listed, matching[:EVENTS_PER_PAGE])), matching[EVENTS_PER_PAGE].seq)
    return Events(tuple(map(listed, matching)), first + most if len(stored) > most else None)


async def _whole(visit: Visit, id: RunId, seq: int | None) -> ShownEvent | None:
    if seq is None:
        return None
    events = shown_events(history_of(await visit.journal.load_part(id, seq, 1)), visit.payloads)
    return events[0] if events else None


async def _cut(visit: Visit, id: str, at: int | None) -> CutShown:
    """Say whether a reset at an event is possible."""
    if at is None:
        return CutShown(0, None, None)
    try:
        cut = await visit.reads.cut(id, "reset", at=at)
    except CutRefused as refused:
        return CutShown(at, refused.why, refused.nearest)
    names = dict.fromkeys(call.name for call in (*cut.runs_again, *cut.may_run_again))
    return CutShown(at, None, None, tuple(names), len(cut.keeps))


def number_of(visit: Visit, name: str) -> int | None:
    """Return a number in the address, None if there is none; `InvalidQuery` for something else."""
    text = visit.asked.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise InvalidQuery(f"{name} is the number of an event, not {quoted(text)}")
    return int(text)


HISTORY = Page(
    "/runs/{run}/history", "history.html", read, History, "what a run did, event by event", live=False
)
