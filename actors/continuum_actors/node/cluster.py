"""The cluster actor: forwards notifications to nodes that cannot LISTEN.

Postgres carries everything that must not be lost. Over TCP go only notifications for nodes behind a
pooler, which cannot LISTEN: one node that can listens for them and forwards. A notification that does
not arrive costs latency; the poll finds the row.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from continuum.journal.port import Notifications, Topic
from continuum_actors.host.messages import Forwarded, NodeHello
from continuum_supervision import Actor, ActorRef, ExitReason
from continuum_supervision.process.events import PeerDown, PeerUp

_TOPICS = (Topic.WAKE, Topic.WORK, Topic.TASKS, Topic.LOST)


class Links(Protocol):
    """How this process reaches others."""

    def to_node(self, node: str, message: object) -> None:
        """Send to another node's cluster actor."""
        ...

    def to_hosts(self, message: object) -> None:
        """Send to every run host and activity host of this node."""
        ...


class Cluster(Actor):
    """Knows the peers, and forwards notifications to those that cannot LISTEN."""

    def __init__(
        self,
        journal: Notifications,
        node: str,
        links: Links,
        *,
        listens: bool,
        peers: dict[str, bool | None] | None = None,
    ) -> None:
        self._journal = journal
        self._node = node
        self._links = links
        self._listens = listens
        # Peers that are up, and whether each can listen; None until its greeting arrives. The dict is
        # passed in so that it outlives this actor: a peer greets only once.
        self._peers = {} if peers is None else peers
        self._listening: asyncio.Task[None] | None = None

    def handle_cast(self, message: PeerUp | PeerDown | NodeHello | Forwarded) -> None:
        """A peer came, went or greeted, or forwards a notification."""
        match message:
            case PeerUp(node):
                self._peers.setdefault(node, None)
                self._links.to_node(node, NodeHello(self._node, self._listens))
            case PeerDown(node):
                self._peers.pop(node, None)
                self._listen_for_others()
            case NodeHello(node, listens):
                self._greeted(node, listens)
            case Forwarded():
                if not self._listens:
                    self._links.to_hosts(message)

    def handle_info(self, message: BaseException) -> None:
        """Listening failed: so does this actor."""
        raise message

    def init(self) -> None:
        self.ref.on_exit(self._end_listening)
        self._listen_for_others()

    def _end_listening(self, ref: ActorRef, reason: ExitReason) -> None:
        """Stop listening after a kill too, which does not call `terminate`."""
        if self._listening is not None:
            self._listening.cancel()

    def _greeted(self, node: str, listens: bool) -> None:
        known = self._peers.get(node)
        self._peers[node] = listens
        if known is None:
            # It may have greeted us before it could receive our own greeting.
            self._links.to_node(node, NodeHello(self._node, self._listens))
        self._listen_for_others()

    def _listen_for_others(self) -> None:
        """Forward if this node is the first by name that can listen: a second would send everything twice."""
        needed = any(listens is False for listens in self._peers.values())
        first = min([self._node, *(node for node, listens in self._peers.items() if listens)])
        wanted = needed and self._listens and first == self._node
        if wanted and self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._forward())
            self._listening.add_done_callback(self._failed)
        elif not wanted and self._listening is not None:
            self._listening.cancel()
            self._listening = None

    def _failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.ref.send(task.exception())

    async def _forward(self) -> None:
        async for notification in self._journal.notifications(_TOPICS):
            for node, listens in self._peers.items():
                if listens is False:
                    self._links.to_node(node, Forwarded(notification.topic, notification.ids))
