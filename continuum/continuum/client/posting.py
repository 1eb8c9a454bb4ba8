"""What the outside tells a run: signals and cancel requests. Those of many callers share commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from continuum.client.argument_checks import short_text, signal_name
from continuum.client.group_commit import GroupCommit, in_order
from continuum.client.histories import INTERNAL_DELIVERY
from continuum.client.run_lookup import Looking
from continuum.client.signal_checking import Contracts
from continuum.codec.codec import encode
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.errors import RunNotFound, RunTerminal
from continuum.journal.facts import InboxKind, Post, Posted
from continuum.journal.port import Journal


class Mail:
    """Posts into the inboxes of runs; what a run does not take is refused before it is written."""

    def __init__(self, journal: Journal, looking: Looking, randomness: Callable[[int], bytes]) -> None:
        self._journal = journal
        self._looking = looking
        self._randomness = randomness
        self._contracts = Contracts(journal, looking)
        self._posts = GroupCommit(self._post_all)

    async def close(self) -> None:
        """Finish the posts under way."""
        await self._contracts.close()
        await self._posts.close()

    async def signal(
        self,
        run_id: RunId,
        workflow: Workflow[..., Any] | None,
        signal: Signal[Any] | str,
        value: Any,
        delivery_id: str | None,
    ) -> None:
        """Send a signal, durable on return."""
        if isinstance(signal, Signal):
            name, data = signal.name, signal.encode(value)
        else:
            name = signal_name(signal)
            data = encode(value, path=f"signal {name}")
        if delivery_id is None:
            # With a key of its own, a post whose answer was lost can be repeated.
            key = INTERNAL_DELIVERY + self._randomness(16).hex()
        else:
            key = short_text(delivery_id, "delivery_id")
        await self._contracts.check(run_id, workflow, signal, data)
        await self._post(Post(run_id, InboxKind.SIGNAL, name, (data,), key))

    async def cancel(self, run_id: RunId, *, force: bool) -> None:
        """Ask a run to stop, or end it at once."""
        if force:
            await self._check(run_id, await self._journal.force_cancel(run_id))
        else:
            await self._post(Post(run_id, InboxKind.CANCEL, "cancel", (), "cancel"))

    async def _post(self, post: Post) -> None:
        await self._check(post.run_id, await self._posts.add(post))

    async def _check(self, run_id: RunId, posted: Posted) -> None:
        match posted:
            case Posted.NOT_FOUND:
                raise RunNotFound(run_id)
            case Posted.TERMINAL:
                tip = await self._looking.tip(await self._looking.row(run_id))
                raise RunTerminal(run_id, tip.state.name.lower())

    async def _post_all(self, posts: Sequence[Post]) -> Sequence[Posted]:
        # In the order of the runs, as everyone locks them (I3); each run's own posts stay in line.
        return await in_order(posts, lambda post: post.run_id, self._journal.post)
