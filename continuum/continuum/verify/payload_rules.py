"""Rules of what users' code has given: every payload can be decoded, and what is published was published."""

from __future__ import annotations

from collections.abc import Iterator

from continuum.codec.codec import decode
from continuum.engine.events import VALUE_PLACES, EventType, event_name
from continuum.errors import DurableTermError
from continuum.journal.mend import Mend, MendKind
from continuum.journal.stored_facts import StoredRunFacts
from continuum.verify.findings import Finding, way_out

# Their bytes are digests; those of a side effect are random, unless the user's code has returned them.
_NO_PAYLOADS = (EventType.CHILD_STARTED, EventType.RUN_CONTINUED_AS_NEW)
_RETURNED = "user"


def payload_findings(run: StoredRunFacts) -> Iterator[Finding]:
    """Check the payloads of a run, and the values that its chain has published."""
    for where in _unreadable(run):
        text = (
            f"{where} cannot be decoded, and nothing else has it; restore it from a backup, or {way_out(run)}"
        )
        yield Finding(run.id, "payload-unreadable", text)
    yield from _published(run)


def _unreadable(run: StoredRunFacts) -> Iterator[str]:
    if not _decodes(run.input):
        yield "its input"
    if run.result is not None and not _decodes(run.result):
        yield "its result"
    for event in run.events:
        place = VALUE_PLACES.get(event.type)
        if event.body is None or place is None or event.type in _NO_PAYLOADS:
            continue
        value = event.body[place] if place < len(event.body) else None
        drawn = event.type == EventType.SIDE_EFFECT and event.body[0] != _RETURNED
        if isinstance(value, bytes) and not drawn and not _decodes(value):
            yield f"the value of event {event.seq} ({event_name(event.type)})"
    for name, value in run.published.items():
        if not _decodes(value):
            yield f"the published value {name!r} of its chain"


def _decodes(payload: bytes) -> bool:
    try:
        decode(payload)
    except DurableTermError:
        return False
    return True


def _published(run: StoredRunFacts) -> Iterator[Finding]:
    said = {
        str(event.body[0])
        for event in run.events
        if event.type == EventType.STATE_PUBLISHED and event.body is not None
    }
    for name in sorted(said - run.published.keys()):
        text = f"it published {name!r}, and its chain has no such value, which no event has either"
        restore = f"restore the row of published_values, or {way_out(run)}"
        yield Finding(run.id, "published-differs", f"{text}; {restore}")
    alone = run.continued_from is None and run.continued_to is None
    if alone and all(event.body is not None for event in run.events):
        for name in sorted(run.published.keys() - said):
            text = f"a value {name!r} is published, and no event of its history says so"
            mends = (Mend(MendKind.DROP_PUBLISHED, name=name),)
            yield Finding(run.id, "published-differs", text, mends)
