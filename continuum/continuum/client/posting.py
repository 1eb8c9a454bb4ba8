"""Posts signals and cancel requests into the inboxes of runs. Posts of many callers share commits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from continuum.client.argument_checks import signal_name
from continuum.client.group_commit import GroupCommit
from continuum.client.histories import INTERNAL_DELIVERY
from continuum.client.run_lookup import RunLookup
from continuum.client.signal_checking import SignalChecks
from continuum.codec.codec import encode
from continuum.definitions.name_rules import short_text
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.journal.audit_facts import Action, SeenRun
from continuum.journal.facts import InboxKind, Post
from continuum.journal.port import Runs, Versions
from continuum.operations.actor import Recorder
from continuum.telemetry.current_trace import current_traceparent


class SignalledRuns(Runs, Versions, Protocol):
    """Runs, and the signals that their versions declare."""


class Posting:
    """Posts into the inboxes of runs, after checking that the run accepts the signal."""

    def __init__(self, journal: SignalledRuns, lookup: RunLookup, randomness: Callable[[int], bytes]) -> None:
        self._journal = journal
        self._lookup = lookup
        self._randomness = randomness
        self._checks = SignalChecks(journal, lookup)
        self._posts = GroupCommit(journal.post, _again)

    async def close(self) -> None:
        """Finish the posts that are under way."""
        await self._checks.close()
        await self._posts.close()

    async def post_signal(
        self,
        run_id: RunId,
        workflow: Workflow[..., Any] | None,
        signal: Signal[Any] | str,
        value: Any,
        delivery_id: str | None,
        record: Recorder,
    ) -> None:
        """Send a signal, durable on return."""
        if isinstance(signal, Signal):
            name, data = signal.name, signal.encode(value)
        else:
            name = signal_name(signal)
            data = encode(value, path=f"signal {name}")
        if delivery_id is None:
            # With a key of its own, a post whose result was lost can be repeated.
            key, attempt = INTERNAL_DELIVERY + self._randomness(16).hex(), 1
        else:
            key, attempt = short_text(delivery_id, "delivery_id"), 0
        await self._checks.check(run_id, workflow, signal, data)
        audit = record(Action.SIGNAL, run_id, signal=name, value=data)
        trace = current_traceparent()
        body = (data,) if trace is None else (data, trace)
        await self._post(Post(run_id, InboxKind.SIGNAL, name, body, key, attempt, audit))

    async def post_cancel(self, run_id: RunId, record: Recorder) -> None:
        """Ask a run to stop, durable on return."""
        audit = record(Action.CANCEL, run_id)
        await self._post(Post(run_id, InboxKind.CANCEL, "cancel", (), "cancel", audit=audit))

    async def force_cancel(self, run_id: RunId, seen: SeenRun | None, record: Recorder) -> None:
        """End a run at once, if it is as it was seen."""
        audit = record(Action.FORCE_CANCEL, run_id)
        await self._lookup.check_taken(
            run_id, await self._journal.force_cancel(run_id, seen=seen, audit=audit)
        )

    async def _post(self, post: Post) -> None:
        await self._lookup.check_taken(post.run_id, await self._posts.add(post))


def _again(post: Post) -> Post:
    """Return a post for its next attempt; only whether it is the first one matters."""
    return post._replace(attempt=2) if post.attempt else post
