"""Carries out what `peers.py` decides: one hello and one batch under way per peer."""

import logging
import os
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import assert_never

from continuum_supervision.process.events import JoinUnanswered, PeerDown, PeerUp
from continuum_supervision.process.limits import MESSAGES_KEPT_FOR_PEER
from continuum_supervision.process.peers import Greet, Membership, PeerStep
from continuum_supervision.process.plan import NodePlan
from continuum_supervision.process.wire import Address, Goodbye, Hello, NodeCard, PeerDeliveries

logger = logging.getLogger("continuum.process")


class Fate(Enum):
    """How a send to another node has ended."""

    ARRIVED = "arrived"
    REFUSED = "refused"
    LOST = "lost"


# Sends to the supervisor that listens there, and calls back when its fate is known.
SendToNode = Callable[[Address, object, Callable[[Fate], None]], None]
PeerNews = PeerUp | PeerDown | JoinUnanswered


class PeerLink:
    def __init__(
        self,
        plan: NodePlan,
        address: Address,
        send: SendToNode,
        tell: Callable[[list[PeerNews]], None],
        monotonic: Callable[[], float],
    ) -> None:
        card = NodeCard(plan.node, *address, incarnation=os.urandom(16).hex())
        self._membership = Membership(card, plan.join, monotonic())
        self._card = card
        self._send_to_node = send
        self._tell = tell
        self._monotonic = monotonic
        self._greeting: set[Address] = set()
        self._next_greeting: dict[Address, Hello] = {}
        self._waiting: dict[NodeCard, deque[tuple[str, bytes]]] = {}
        self._sending: set[NodeCard] = set()
        self._goodbyes = 0

    def tick(self) -> None:
        self._carry_out(self._membership.tick(self._monotonic()))

    def hear(self, message: Hello | Goodbye) -> None:
        if isinstance(message, Hello):
            self._carry_out(self._membership.hear(self._monotonic(), message))
        else:
            self._carry_out(self._membership.leave(self._monotonic(), message))

    def present(self) -> list[PeerUp]:
        """Tell which peers are up, as they are told to a watcher that has just started."""
        return [PeerUp(c.node, c.host, c.port, c.incarnation) for c in self._membership.peers()]

    def send(self, node: str, target: str, payload: bytes) -> None:
        """Send to a process of a peer with whatever else waits for that peer."""
        card = self._membership.find(node)
        if card is None:
            logger.info("a message for %s on node %s was dropped: no such node is up", target, node)
            return
        waiting = self._waiting.setdefault(card, deque(maxlen=MESSAGES_KEPT_FOR_PEER))
        waiting.append((target, payload))
        self._send_batch(card)

    def taken(self, message: PeerDeliveries) -> tuple[tuple[str, bytes], ...]:
        """Give out what a peer sent to this life of ours; a batch shown to a later one is void."""
        if message.echo != self._card.incarnation or not self._membership.knows(message.card):
            return ()
        return message.deliveries

    def say_goodbye(self, then: Callable[[], None]) -> None:
        """Tell every peer that this node leaves in order, then go on."""
        peers = self._membership.peers()
        self._goodbyes = len(peers)

        def said(_fate: Fate) -> None:
            self._goodbyes -= 1
            if self._goodbyes <= 0:
                then()

        if not peers:
            then()
        for card in peers:
            self._send_to_node(card.address, Goodbye(self._card, card.incarnation), said)

    def _carry_out(self, steps: list[PeerStep]) -> None:
        news: list[PeerNews] = []
        for step in steps:
            match step:
                case Greet(address, hello):
                    self._greet(address, hello)
                case PeerDown():
                    self._forget(NodeCard(step.node, step.host, step.port, step.incarnation))
                    news.append(step)
                case PeerUp() | JoinUnanswered():
                    news.append(step)
                case never:
                    assert_never(never)
        if news:
            self._tell(news)

    def _greet(self, address: Address, hello: Hello) -> None:
        # A peer that swallows frames would hold one more intent with every hello; only the newest waits.
        if address in self._greeting:
            self._next_greeting[address] = hello
            return
        self._greeting.add(address)

        def greeted(fate: Fate) -> None:
            self._greeting.discard(address)
            if fate is Fate.REFUSED:
                self._carry_out(self._membership.unreachable(self._monotonic(), address))
            newer = self._next_greeting.pop(address, None)
            if newer is not None:
                self._greet(address, newer)

        self._send_to_node(address, hello, greeted)

    def _send_batch(self, card: NodeCard) -> None:
        waiting = self._waiting.get(card)
        if not waiting or card in self._sending:
            return
        batch = PeerDeliveries(self._card, card.incarnation, tuple(waiting))
        waiting.clear()
        self._sending.add(card)

        def sent(fate: Fate) -> None:
            self._sending.discard(card)
            if fate is not Fate.ARRIVED:
                logger.warning(
                    "%d messages for node %s were lost on the way", len(batch.deliveries), card.node
                )
            self._send_batch(card)

        self._send_to_node(card.address, batch, sent)

    def _forget(self, card: NodeCard) -> None:
        self._waiting.pop(card, None)
