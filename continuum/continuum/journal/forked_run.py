"""A run that begins with the events of another: what a journal needs to create it. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.facts import InboxKind, RunState


class ForkMail(NamedTuple):
    """An entry for the inbox of the new run; see `InboxKind`."""

    kind: InboxKind
    name: str
    body: tuple[Any, ...]
    key: str | None = None


class SeenHistory(NamedTuple):
    """What a plan was made from: the state of the run, and how many events it had, readable or not.

    `parent_next` is the run that its parent continued as. It counts for the successor of an ended run.
    """

    state: RunState
    events: int
    parent_next: RunId | None = None


class StoredFork(NamedTuple):
    """That `fork` began with the first `events` events of `origin`, whose chain begins with `root`.

    `is_lost` says that this chain has been removed since, and was open when the fork was made or later: what
    it may have undone is not known any more.
    """

    fork: RunId
    origin: RunId
    root: RunId
    events: int
    is_lost: bool


class ForkedRun(NamedTuple):
    """A run that begins with the `prefix` of the history of `origin`, and the event that says so.

    It has the origin's workflow, namespace, input, attributes, trace context and the time of its start,
    which its code has seen. `succeeds` makes it the next run of the origin's chain: an open origin ends as
    cancelled, with its children as their close policies say, and one that has ended stays as it is; parent
    and children see a run that continued. Otherwise it is a run of its own, without a parent.

    `mail` is delivered first. Unread results of calls of the prefix follow, and with `keeps_signals` the
    signals that the origin has not read. The `children` have ended, and each is the latest of its chain.
    `published` are the names that the prefix has published: a run of its own begins with the latest values of
    the origin.

    `relatives` are the other runs that count on events of the prefix, each with how many events it had: a
    compensation that one has journaled since is not in the plan.
    """

    id: RunId
    origin: RunId
    succeeds: bool
    prefix: Sequence[Event]
    forked: Event
    version: str | None
    seen: SeenHistory
    mail: Sequence[ForkMail] = ()
    children: Sequence[RunId] = ()
    published: Sequence[str] = ()
    keeps_signals: bool = True
    relatives: Sequence[tuple[RunId, int]] = ()
