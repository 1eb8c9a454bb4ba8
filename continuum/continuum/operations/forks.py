"""Plans of runs that begin with the events of another: `restart`, `reset` and `fork`.

`plan` reads the run that is cut, and the children and the parent that the cut concerns. It writes nothing and
needs no workflow code. What it returns is one moment; a journal carries it out only if that still holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from continuum.engine.events import CHILD_ENDS, Event, EventType, Forking
from continuum.engine.ids import RunId, parse_run_id
from continuum.errors import CutRefused, InvalidOption
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.facts import InboxKind, Query, RunRow, RunState
from continuum.journal.forked_run import ForkedRun, ForkMail, SeenHistory
from continuum.journal.port import Runs
from continuum.operations.call_ends import COMPLETED
from continuum.operations.cut_facts import Cut, CutChild, History
from continuum.operations.failure_cuts import restart_cut
from continuum.operations.family_walk import CutRuns
from continuum.operations.history_cuts import cut_of, readable, unreadable, unreported_children
from continuum.operations.relatives import family_of, shared_with_successor

_ENDS: dict[int, InboxKind] = {
    EventType.CHILD_COMPLETED: InboxKind.CHILD_COMPLETED,
    EventType.CHILD_FAILED: InboxKind.CHILD_FAILED,
    EventType.CHILD_CANCELLED: InboxKind.CHILD_CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A cut, and what carries it out: the run as it was read, and the mail of the new run.

    `forked_at` is when the run itself was made from another, 0 if it was not.
    """

    cut: Cut
    origin: RunRow
    prefix: Sequence[Event]
    version: str | None
    mail: Sequence[ForkMail]
    # The latest runs of the children that the plan says have ended.
    children: Sequence[RunId]
    parent_next: RunId | None
    drop_signals: bool
    forked_at: int = 0
    relatives: Sequence[tuple[RunId, int]] = ()

    def new_run(self, id: RunId, now: int) -> ForkedRun:
        """Return the run to create; `now` is the journal's time."""
        cut, prefix = self.cut, self.prefix
        at = max(now, prefix[-1].at if prefix else self.origin.started_at)
        return ForkedRun(
            id,
            self.origin.id,
            cut.how is not Forking.FORK,
            prefix,
            Event(cut.at, EventType.RUN_FORKED, at, (self.origin.id, cut.how.value, id)),
            self.version,
            SeenHistory(self.origin.state, cut.events, self.parent_next),
            self.mail,
            self.children,
            sorted({str(event.body[0]) for event in prefix if event.type == EventType.STATE_PUBLISHED}),
            keeps_signals=not self.drop_signals,
            relatives=self.relatives,
        )


async def plan(
    journal: CutRuns, origin: RunRow, how: Forking, at: int | None, *, drop_signals: bool = False
) -> Plan:
    """Return how a run is cut; `at` None is the place of its failure. Raises `CutRefused`."""
    _check_state(origin, how)
    parent_next = None if how is Forking.FORK else await _next_of_parent(journal, origin)
    events = readable((await journal.load([origin.id]))[origin.id])
    ends, removed = await _ends_of(journal, unreported_children(events))
    broken = unreadable(events)
    stored = len(events) if broken is None else await journal.length_of(origin.id)
    if at is None and broken is not None:
        # The failure is found by the events that belong to it.
        why = f"event {broken} cannot be read, so that the place of its failure is not known"
        way_out = f"`continuum runs reset {origin.id} --at SEQ` goes back to an event before it"
        raise CutRefused(origin.id, None, f"{why}; restore it, or {way_out}")
    family = await family_of(journal, origin, events)
    is_open = not origin.state.terminal
    history = History(
        origin.id,
        events,
        lambda child: child in ends,
        family.relatives,
        family.undone,
        family.inherits,
        is_open,
        removed,
        stored,
    )
    if at is None:
        cut = restart_cut(history, error_text(origin), drop_signals=drop_signals)
        at = cut.at
    else:
        cut = cut_of(history, at, how, drop_signals=drop_signals, keep_results=how is Forking.RESTART)
    mail = [*_reports(cut.children, events[at:], ends), *_again(cut, events[at:])]
    version = _version_at(events, at, origin.version)
    latest = [ends[child.run_id].id for child in cut.children if child.run_id in ends]
    forked_at = max((event.at for event in events if event.type == EventType.RUN_FORKED), default=0)
    return Plan(
        cut, origin, events[:at], version, mail, latest, parent_next, drop_signals, forked_at, family.seen
    )


def _check_state(origin: RunRow, how: Forking) -> None:
    state = origin.state.name.lower()
    if how is Forking.RESTART and origin.state is not RunState.FAILED:
        if origin.state is RunState.BLOCKED:
            way_out = f"mend its cause, then `continuum runs unblock {origin.id}`"
        else:
            way_out = f"`continuum runs reset {origin.id} --at SEQ` goes back to any event"
        raise CutRefused(origin.id, None, f"it is {state}, and has not failed; {way_out}")
    if how is Forking.RESET and origin.continued_to is not None:
        raise InvalidOption(
            f"run {origin.id} has continued as {origin.continued_to}; its events are not those of the latest "
            "run: name the run whose event is meant, or fork this one"
        )


async def _next_of_parent(journal: CutRuns, origin: RunRow) -> RunId | None:
    """Refuse a run whose end its parent has heard; return the successor of the parent."""
    heard = await parent_that_heard(journal, origin)
    if heard is not None:
        raise CutRefused(
            origin.id,
            None,
            f"its parent {heard.id} has received its end; reset the parent to before it, or "
            f"`continuum runs fork {origin.id} --at SEQ` makes a run beside it",
        )
    if not origin.state.terminal or origin.parent is None:
        return None
    parent = await journal.get_run(origin.parent)
    return None if parent is None else parent.continued_to


async def parent_that_heard(journal: CutRuns, origin: RunRow) -> RunRow | None:
    """Return the parent of a run that has ended, if it has received that end or was reset to after it."""
    if not origin.state.terminal or origin.parent is None or origin.parent_seq is None:
        return None
    parent = await journal.get_run(origin.parent)
    if parent is None:
        return None
    if parent.state.terminal and (parent.completed_at or 0) < (origin.completed_at or 0):
        # It heard nothing. What it was reset to since began with the ends of the children that it has.
        shared = await shared_with_successor(journal, parent)
        if shared <= origin.parent_seq:
            return None
    return parent


async def _ends_of(journal: Runs, children: Sequence[CutChild]) -> tuple[dict[str, RunRow], frozenset[str]]:
    """Return the latest run of each child that has ended, by the id of the child; and those without a row."""
    ends: dict[str, RunRow] = {}
    removed: set[str] = set()
    for child in children:
        row = await journal.get_run(parse_run_id(child.run_id))
        while row is not None and row.continued_to is not None:
            chain = [("root", "eq", row.root or row.id), ("continued_to", "eq", None)]
            latest = await journal.query(Query(None, chain, ("started_at", True), 1, None))
            row = latest[0] if latest else await journal.get_run(row.continued_to)
        if row is None:
            removed.add(child.run_id)
        elif row.state.terminal:
            ends[child.run_id] = row
    return ends, frozenset(removed)


def _reports(children: Iterable[CutChild], later: Sequence[Event], ends: dict[str, RunRow]) -> list[ForkMail]:
    """Return the ends of children, as they were reported before or else as their rows have them."""
    reported = {event.body[0]: event for event in later if event.type in CHILD_ENDS}
    mail = []
    for child in children:
        event = reported.get(child.seq)
        if event is not None:
            mail.append(ForkMail(_ENDS[event.type], str(child.seq), event.body[1:]))
        else:
            mail.append(_report(child, ends[child.run_id]))
    return mail


def _report(child: CutChild, row: RunRow) -> ForkMail:
    name = str(child.seq)
    match row.state:
        case RunState.COMPLETED:
            return ForkMail(InboxKind.CHILD_COMPLETED, name, (row.result or b"",))
        case RunState.FAILED:
            return ForkMail(InboxKind.CHILD_FAILED, name, unpack_body(row.error or b""))
        case _:
            return ForkMail(InboxKind.CHILD_CANCELLED, name, ())


def _again(cut: Cut, later: Sequence[Event]) -> list[ForkMail]:
    """Return what came after the cut and is delivered again, in its order."""
    kept = {call.seq for call in cut.keeps}
    mail = []
    for event in later:
        if event.type == EventType.SIGNAL_RECEIVED and cut.signals:
            name, value, key = event.body[:3]
            mail.append(ForkMail(InboxKind.SIGNAL, name, (value,), key))
        elif event.type in COMPLETED and event.body[0] in kept:
            mail.append(ForkMail(InboxKind.ACTIVITY_COMPLETED, str(event.body[0]), (event.body[1],)))
    return mail


def _version_at(events: Sequence[Event], at: int, version: str | None) -> str | None:
    """Return the version of the code that the run had at a place in its history."""
    changes = [event for event in events if event.type == EventType.VERSION_CHANGED]
    before = [event for event in changes if event.seq < at]
    if before:
        return str(before[-1].body[1])
    return str(changes[0].body[0]) if changes else version


def error_text(origin: RunRow) -> str:
    """Return message and traceback of what a run failed with."""
    try:
        return "\n".join(map(str, unpack_body(origin.error or b"")))
    except CorruptBody:
        return ""
