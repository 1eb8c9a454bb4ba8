"""The cluster actor: forwards notifications to nodes that cannot LISTEN, and finds out where runs are live.

Postgres carries everything that must not be lost. Over TCP go only notifications for nodes behind a
pooler, which cannot LISTEN: one node that can listens for them and forwards. A host that cannot listen also
tells this actor which runs it has written mail for: it finds the owner and sends the notification straight
there, so that no node needs to listen. A notification that does not arrive costs latency; the poll finds the
row.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, assert_never

from continuum.engine.ids import RunId
from continuum.journal.port import Notifications, Topic
from continuum_actors.host import limits
from continuum_actors.host.messages import (
    CallsOfCluster,
    FindRun,
    Forwarded,
    HasMail,
    NodeHello,
    Place,
    RunFound,
    SearchOver,
    ToCluster,
)
from continuum_supervision import NO_REPLY, Actor, ActorRef, Cancellable, ExitReason, ReplyTo
from continuum_supervision.process.events import PeerDown, PeerUp

_TOPICS = (Topic.WAKE, Topic.WORK, Topic.TASKS, Topic.LOST, Topic.PAUSED)


class Links(Protocol):
    """How this process reaches others."""

    def to_node(self, node: str, message: object) -> None:
        """Send to another node's cluster actor."""
        ...

    def to_process(self, node: str, process_id: str, message: object) -> None:
        """Send to one process, of this node or of another."""
        ...

    def to_hosts(self, message: object) -> None:
        """Send to every run host and activity host of this node."""
        ...


class Search:
    """A search for the process of a run, with its callers."""

    def __init__(self) -> None:
        self.callers: list[ReplyTo] = []
        self.has_mail = False
        self.deadline: Cancellable | None = None


class Cluster(Actor):
    """Knows the peers, finds runs in them, and forwards notifications to those that cannot LISTEN."""

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
        self._searches: dict[RunId, Search] = {}

    def handle_call(self, request: CallsOfCluster) -> object:
        """Reply with the `Place` where a run is live, or None: a snapshot, for only the lease decides."""
        search = self._search(RunId(str(request.name)))
        if search is None:
            return None
        search.callers.append(self.reply_to())
        return NO_REPLY

    def handle_cast(self, message: ToCluster) -> None:
        """A peer came, went or greeted, forwards a notification, or a run is looked for or found."""
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
            case HasMail(run_ids):
                for run_id in run_ids:
                    if (search := self._search(run_id)) is not None:
                        search.has_mail = True
            case FindRun():
                self._links.to_hosts(message)
            case RunFound(run_id, asker, place):
                if asker == self._node:
                    self._found(run_id, place)
                else:
                    self._links.to_node(asker, message)
            case never:
                assert_never(never)

    def handle_info(self, message: BaseException | SearchOver) -> None:
        """The time of a search is over; or listening failed, and so does this actor."""
        if isinstance(message, BaseException):
            raise message
        self._found(message.run_id, None)

    def _search(self, run_id: RunId) -> Search | None:
        """Ask every process of the cluster for a run, once at a time; None if too much is looked for."""
        search = self._searches.get(run_id)
        if search is None:
            if len(self._searches) >= limits.SEARCHES:
                return None
            search = self._searches[run_id] = Search()
            search.deadline = self.send_after(limits.FIND_RUN_SECONDS, SearchOver(run_id))
            self._links.to_hosts(FindRun(run_id, self._node))
            self._to_peers(FindRun(run_id, self._node))
        return search

    def _found(self, run_id: RunId, place: Place | None) -> None:
        """Answer those who look for a run, and send the notification of its mail."""
        search = self._searches.pop(run_id, None)
        if search is None:
            return
        if search.deadline is not None:
            search.deadline.cancel()
        for caller in search.callers:
            caller.reply(place)
        if search.has_mail and place is not None:
            self._links.to_process(place.node, place.process_id, Forwarded(Topic.WAKE, (run_id,)))
        elif search.has_mail:
            # It is asleep, and its mail has made it claimable.
            self._links.to_hosts(Forwarded(Topic.WORK, ()))
            self._to_peers(Forwarded(Topic.WORK, ()))

    def _to_peers(self, message: object) -> None:
        for node in self._peers:
            self._links.to_node(node, message)

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
