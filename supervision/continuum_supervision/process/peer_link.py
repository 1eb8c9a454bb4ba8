"""Carries out what `peers.py` decides: sends at most one hello and one batch at a time to each peer."""

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


class SendResult(Enum):
    """How a send to another node has ended."""

    ARRIVED = "arrived"
    REFUSED = "refused"
    LOST = "lost"


# Sends a message to the supervisor at an address, and calls back with the result.
SendToNode = Callable[[Address, object, Callable[[SendResult], None]], None]
PeerEvent = PeerUp | PeerDown | JoinUnanswered


class PeerLink:
    """Connects this node to its peers."""

    def __init__(
        self,
        plan: NodePlan,
        address: Address,
        send: SendToNode,
        report: Callable[[list[PeerEvent]], None],
        monotonic: Callable[[], float],
    ) -> None:
        card = NodeCard(plan.node, *address, incarnation=os.urandom(16).hex())
        self._membership = Membership(card, plan.join, monotonic())
        self._card = card
        self._send_to_node = send
        self._report = report
        self._monotonic = monotonic
        self._greeting: set[Address] = set()
        self._next_greeting: dict[Address, Hello] = {}
        self._waiting: dict[NodeCard, deque[tuple[str, bytes]]] = {}
        self._sending: set[NodeCard] = set()
        self._goodbyes = 0

    def tick(self) -> None:
        self._carry_out(self._membership.tick(self._monotonic()))

    def receive(self, message: Hello | Goodbye) -> None:
        if isinstance(message, Hello):
            self._carry_out(self._membership.receive_hello(self._monotonic(), message))
        else:
            self._carry_out(self._membership.receive_goodbye(self._monotonic(), message))

    def present(self) -> list[PeerUp]:
        """Return an event for each peer that is up, for a watcher that has just started."""
        return [PeerUp(c.node, c.host, c.port, c.incarnation) for c in self._membership.peers()]

    def send(self, node: str, target: str, payload: bytes) -> None:
        """Send to a process of a peer, in one batch with whatever else waits for that peer."""
        card = self._membership.find(node)
        if card is None:
            logger.info("a message for %s on node %s was dropped: no such node is up", target, node)
            return
        waiting = self._waiting.setdefault(card, deque(maxlen=MESSAGES_KEPT_FOR_PEER))
        waiting.append((target, payload))
        self._send_batch(card)

    def accept(self, message: PeerDeliveries) -> tuple[tuple[str, bytes], ...]:
        """Return the messages of a batch that a known peer sent to this incarnation, or none."""
        if message.echo != self._card.incarnation or not self._membership.knows(message.card):
            return ()
        return message.deliveries

    def say_goodbye(self, then: Callable[[], None]) -> None:
        """Tell every peer that this node leaves in order, then call `then`."""
        peers = self._membership.peers()
        self._goodbyes = len(peers)

        def sent(_result: SendResult) -> None:
            self._goodbyes -= 1
            if self._goodbyes <= 0:
                then()

        if not peers:
            then()
        for card in peers:
            self._send_to_node(card.address, Goodbye(self._card, card.incarnation), sent)

    def _carry_out(self, steps: list[PeerStep]) -> None:
        events: list[PeerEvent] = []
        for step in steps:
            match step:
                case Greet(address, hello):
                    self._greet(address, hello)
                case PeerDown():
                    self._forget(NodeCard(step.node, step.host, step.port, step.incarnation))
                    events.append(step)
                case PeerUp() | JoinUnanswered():
                    events.append(step)
                case never:
                    assert_never(never)
        if events:
            self._report(events)

    def _greet(self, address: Address, hello: Hello) -> None:
        # If a peer does not respond, every hello would add one more pending send: keep only the newest.
        if address in self._greeting:
            self._next_greeting[address] = hello
            return
        self._greeting.add(address)

        def greeted(result: SendResult) -> None:
            self._greeting.discard(address)
            if result is SendResult.REFUSED:
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

        def sent(result: SendResult) -> None:
            self._sending.discard(card)
            if result is not SendResult.ARRIVED:
                logger.warning(
                    "%d messages for node %s were lost on the way", len(batch.deliveries), card.node
                )
            self._send_batch(card)

        self._send_to_node(card.address, batch, sent)

    def _forget(self, card: NodeCard) -> None:
        self._waiting.pop(card, None)
