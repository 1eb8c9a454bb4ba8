"""The other nodes that are up: a pure state machine, driven by hellos and the clock.

Thespian's own membership ("convention") is not used: only its leader knows all members, it needs minutes to
notice that one is lost, and it then cuts every connection to the machine of that member. Instead supervisors
greet each other directly, name each other's incarnation, and list the peers they know: a node that joins
through one peer is soon known to all.

A hello counts only if it echoes our incarnation: a captured hello that is replayed to a later incarnation of
this node has no effect.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from continuum_supervision.process.events import JoinUnanswered, PeerDown, PeerUp
from continuum_supervision.process.limits import (
    JOIN_DEADLINE_S,
    LOST_PEER_HELLO_EVERY_S,
    PEER_FORGOTTEN_AFTER_S,
    PEER_HELLO_EVERY_S,
    PEER_SILENT_AFTER_S,
)
from continuum_supervision.process.wire import Address, Goodbye, Hello, NodeCard


@dataclass(frozen=True, slots=True)
class Greet:
    """Send this hello to the address."""

    address: Address
    hello: Hello


PeerStep = Greet | PeerUp | PeerDown | JoinUnanswered


@dataclass(slots=True)
class _Contact:
    known_since: float
    card: NodeCard | None = None
    up: bool = False
    last_hello_at: float = 0.0
    greeted_at: float | None = None
    lost_at: float | None = None


@dataclass(slots=True)
class Membership:
    """The peers of one node. Its methods take the time and return the steps to carry out."""

    card: NodeCard
    join: Address | None
    started_at: float
    _contacts: dict[Address, _Contact] = field(default_factory=dict)
    _met_a_peer: bool = False
    _reported_unanswered: bool = False

    def tick(self, now: float) -> list[PeerStep]:
        """Greet the peers that are due, and drop those that have been silent for too long."""
        steps: list[PeerStep] = []
        for contact in self._contacts.values():
            if contact.up and now - contact.last_hello_at >= PEER_SILENT_AFTER_S:
                steps += self._mark_down(now, contact)
        for address in [a for a, c in self._contacts.items() if self._is_forgotten(now, c)]:
            del self._contacts[address]
        if self.join is not None and not any(contact.up for contact in self._contacts.values()):
            self._contacts.setdefault(self.join, _Contact(now))
        for address, contact in self._contacts.items():
            joining = address == self.join and not self._met_a_peer
            pause = PEER_HELLO_EVERY_S if contact.up or joining else LOST_PEER_HELLO_EVERY_S
            if contact.greeted_at is None or now - contact.greeted_at >= pause:
                steps.append(self._greet(now, address, contact))
        if self._join_is_overdue(now):
            self._reported_unanswered = True
            steps.append(JoinUnanswered(_unanswered(self.join)))
        return steps

    def receive_hello(self, now: float, hello: Hello) -> list[PeerStep]:
        """Accept a hello that names our incarnation; reply to any other one, so that the next names it."""
        card = hello.card
        if card.incarnation == self.card.incarnation:
            # We have greeted ourselves, through another address of this machine.
            return []
        contact = self._contacts.setdefault(card.address, _Contact(now))
        if hello.echo != self.card.incarnation:
            return [Greet(card.address, self._hello(card.incarnation))]
        steps: list[PeerStep] = []
        if contact.up and contact.card != card:
            steps += self._mark_down(now, contact)
        contact.card, contact.last_hello_at = card, now
        if not contact.up:
            contact.up, contact.lost_at = True, None
            self._met_a_peer = True
            steps.append(PeerUp(card.node, card.host, card.port, card.incarnation))
            steps.append(self._greet(now, card.address, contact))
        steps += self._greet_unknown(now, hello.known)
        return steps

    def receive_goodbye(self, now: float, goodbye: Goodbye) -> list[PeerStep]:
        """Mark a peer as down that says goodbye to our incarnation."""
        contact = self._contacts.get(goodbye.card.address)
        if contact is None or goodbye.echo != self.card.incarnation or contact.card != goodbye.card:
            return []
        return self._mark_down(now, contact)

    def unreachable(self, now: float, address: Address) -> list[PeerStep]:
        """Mark a peer as down whose address refuses connections."""
        contact = self._contacts.get(address)
        return self._mark_down(now, contact) if contact is not None else []

    def peers(self) -> list[NodeCard]:
        return [
            contact.card for contact in self._contacts.values() if contact.up and contact.card is not None
        ]

    def find(self, node: str) -> NodeCard | None:
        """Return the peer of that name; if two have it, the one that greeted last."""
        named = [c for c in self._contacts.values() if c.up and c.card is not None and c.card.node == node]
        return max(named, key=lambda contact: contact.last_hello_at).card if named else None

    def knows(self, card: NodeCard) -> bool:
        contact = self._contacts.get(card.address)
        return contact is not None and contact.up and contact.card == card

    def _greet_unknown(self, now: float, known: Iterable[Address]) -> list[PeerStep]:
        steps: list[PeerStep] = []
        for address in known:
            if address != self.card.address and address not in self._contacts:
                contact = self._contacts[address] = _Contact(now)
                steps.append(self._greet(now, address, contact))
        return steps

    def _mark_down(self, now: float, contact: _Contact) -> list[PeerStep]:
        if not contact.up or contact.card is None:
            return []
        contact.up, contact.lost_at = False, now
        card = contact.card
        return [PeerDown(card.node, card.host, card.port, card.incarnation)]

    def _greet(self, now: float, address: Address, contact: _Contact) -> Greet:
        contact.greeted_at = now
        return Greet(address, self._hello(contact.card.incarnation if contact.card else None))

    def _hello(self, echo: str | None) -> Hello:
        return Hello(self.card, echo, tuple(card.address for card in self.peers()))

    def _is_forgotten(self, now: float, contact: _Contact) -> bool:
        return not contact.up and now - (contact.lost_at or contact.known_since) >= PEER_FORGOTTEN_AFTER_S

    def _join_is_overdue(self, now: float) -> bool:
        waiting = self.join is not None and not self._met_a_peer and not self._reported_unanswered
        return waiting and now - self.started_at >= JOIN_DEADLINE_S


def _unanswered(join: Address | None) -> str:
    assert join is not None
    return (
        f"no node with this cookie answered at {join[0]}:{join[1]} within {JOIN_DEADLINE_S:.0f} s: "
        f"check the address and that both nodes use the same cookie; this node runs alone and keeps trying"
    )
