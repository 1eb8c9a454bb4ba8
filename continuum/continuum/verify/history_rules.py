"""Rules of one history: numbering, decoding, times, one end for each effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from continuum.engine.events import Event, EventType, is_whole
from continuum.journal.event_rows import length_of
from continuum.journal.facts import RunState
from continuum.journal.mend import Mend, MendKind
from continuum.journal.snapshot_codec import (
    SNAPSHOT_FORMAT,
    Part,
    Uncompactable,
    pack_snapshot,
)
from continuum.journal.stored_facts import INFINITE, StoredEvent, StoredRunFacts
from continuum.verify.findings import Finding, way_out
from continuum.verify.open_effects import OpenEffects

# The times of events are a process's idea of the journal's clock, which is off by less.
LATE_SECONDS = 60
_JUDGE = "what its code did with that cannot be taken back; look at the history, and report it"


def history_findings(run: StoredRunFacts, effects: OpenEffects) -> Iterator[Finding]:
    """Check a history by itself. `effects` are those of its readable events."""
    restore = f"only a backup has what was there; restore the run's events from it, or {way_out(run)}"
    yield from _numbering(run, restore)
    unreadable = [event for event in run.events if not _is_readable(event)]
    for event in unreadable:
        yield Finding(run.id, "history-unreadable", f"{_named(event)} cannot be read; {restore}")
    for text in effects.wrong:
        yield Finding(run.id, "two-winners", f"{text}; which of them counts is for you to say; {restore}")
    for text in effects.early:
        yield Finding(run.id, "fired-early", f"{text}; {_JUDGE}")
    yield from _times(run)
    yield from _deliveries(run)
    yield from _end(run, restore)
    if not unreadable:
        yield from _snapshots(run)


def _numbering(run: StoredRunFacts, restore: str) -> Iterator[Finding]:
    expected = 0
    for event in run.events:
        if event.seq != expected:
            what = (
                f"event {expected} is missing: the next one is {event.seq}"
                if event.seq > expected
                else f"event {event.seq} is stored twice"
            )
            yield Finding(run.id, "history-gap", f"{what}; {restore}")
            return
        expected += length_of(event.type)


def _named(event: StoredEvent) -> str:
    """Return the event in words, or the row of events that cannot be read."""
    last = event.seq + length_of(event.type) - 1
    return f"event {event.seq}" if last == event.seq else f"the row of events {event.seq} to {last}"


def _is_readable(event: StoredEvent) -> bool:
    whole = event.body is not None and is_whole(Event(event.seq, event.type, event.at, event.body))
    return whole and abs(event.at) < INFINITE


def _times(run: StoredRunFacts) -> Iterator[Finding]:
    for before, event in zip(run.events, run.events[1:], strict=False):
        if event.at < before.at:
            yield Finding(
                run.id,
                "history-time",
                f"event {event.seq} is earlier than event {before.seq}; "
                "replay takes the later time, so the run continues correctly; report it",
            )
            return


def _deliveries(run: StoredRunFacts) -> Iterator[Finding]:
    received = Counter(
        (event.body[0], event.body[2])
        for event in run.events
        if event.type == EventType.SIGNAL_RECEIVED and event.body is not None and len(event.body) > 2
    )
    for (name, delivery), times in received.items():
        if delivery is not None and times > 1:
            text = f"signal {name!r} with delivery id {delivery!r} was received {times} times"
            yield Finding(run.id, "signal-twice", f"{text}; {_JUDGE}")


def _end(run: StoredRunFacts, restore: str) -> Iterator[Finding]:
    for event in run.events[:-1]:
        if event.type == EventType.RUN_CONTINUED_AS_NEW:
            text = f"events follow event {event.seq}, with which the run continued as new; {restore}"
            yield Finding(run.id, "after-the-end", text)
    if run.completed_at is None or run.state < RunState.COMPLETED:
        return
    for event in run.events:
        if run.completed_at + LATE_SECONDS * 1_000_000 < event.at < INFINITE:
            text = f"event {event.seq} is later than the end of the run; {restore}"
            yield Finding(run.id, "after-the-end", text)
            return


def _snapshots(run: StoredRunFacts) -> Iterator[Finding]:
    # A gap between parts is no fault: what other code had packed is removed, and replay reads events there.
    for stored in sorted(run.snapshots, key=lambda snapshot: snapshot.part.first):
        part = stored.part
        if part.first + part.events > len(run.events):
            # The history has lost its end, or a gap.
            continue
        if stored.format == SNAPSHOT_FORMAT and _packed(run, part) != part.blob:
            yield _snapshot_finding(run, part, "differs from the events")


def _packed(run: StoredRunFacts, part: Part) -> bytes | None:
    events = run.events[part.first : part.first + part.events]
    try:
        return pack_snapshot([Event(e.seq, e.type, e.at, e.body or ()) for e in events])
    except Uncompactable:
        return None


def _snapshot_finding(run: StoredRunFacts, part: Part, what: str) -> Finding:
    text = f"the snapshot of {part.events} events from event {part.first} on {what}"
    return Finding(run.id, "snapshot-differs", text, (Mend(MendKind.DROP_SNAPSHOTS),))
