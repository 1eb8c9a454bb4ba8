"""The pure decisions of the root supervisor, and the membership of peers."""

from hypothesis import given
from hypothesis import strategies as st

from continuum_supervision.process.decisions import (
    AllStopped,
    AskToStop,
    KillOverdue,
    Stopping,
    WaitForExit,
    next_shutdown_step,
    recent_deaths,
    too_many_deaths,
)
from continuum_supervision.process.events import JoinUnanswered, PeerDown, PeerUp
from continuum_supervision.process.limits import (
    JOIN_DEADLINE_S,
    LOST_PEER_HELLO_EVERY_S,
    PEER_FORGOTTEN_AFTER_S,
    PEER_SILENT_AFTER_S,
)
from continuum_supervision.process.peers import Greet, Membership
from continuum_supervision.process.wire import Goodbye, Hello, NodeCard

ONE = NodeCard("one", "10.0.0.1", 7000, "life 1 of one")
TWO = NodeCard("two", "10.0.0.2", 7000, "life 1 of two")
THREE = NodeCard("three", "10.0.0.3", 7000, "life 1 of three")


@given(st.lists(st.floats(0, 100), max_size=20), st.integers(0, 5))
def test_deaths_are_too_many_exactly_when_more_than_allowed_are_recent(
    deaths: list[float], allowed: int
) -> None:
    recent = [died_at for died_at in deaths if 100 - died_at < 30]
    assert recent_deaths(deaths, now=100, within=30) == tuple(recent)
    assert too_many_deaths(deaths, now=100, max_restarts=allowed, within=30) == (len(recent) > allowed)


def test_shutdown_asks_the_last_started_first() -> None:
    assert next_shutdown_step([Stopping("a", True), Stopping("b", True)], now=0) == AskToStop("b")


def test_shutdown_waits_for_the_asked_process_within_its_budget() -> None:
    asked = Stopping("b", True, 5.0, asked=True)
    assert next_shutdown_step([Stopping("a", True), asked], now=4.9) == WaitForExit("b")


def test_shutdown_kills_a_process_past_its_budget() -> None:
    asked = Stopping("b", True, 5.0, asked=True)
    assert next_shutdown_step([Stopping("a", True), asked], now=5.0) == KillOverdue("b")


def test_shutdown_kills_a_process_past_its_budget_before_its_turn() -> None:
    draining = [Stopping("a", True, 5.0), Stopping("b", True, 6.0, asked=True)]
    assert next_shutdown_step(draining, now=5.0) == KillOverdue("a")


def test_shutdown_asks_a_draining_process_in_its_turn() -> None:
    draining = [Stopping("a", True, 5.0), Stopping("b", True, 5.0)]
    assert next_shutdown_step(draining, now=1) == AskToStop("b")


def test_shutdown_continues_with_the_process_started_before() -> None:
    ended = Stopping("b", False, 5.0, asked=True)
    assert next_shutdown_step([Stopping("a", True), ended], now=1) == AskToStop("a")


def test_shutdown_is_over_when_no_process_is_left() -> None:
    assert next_shutdown_step([Stopping("a", False)], now=1) == AllStopped()


def up(card: NodeCard) -> PeerUp:
    return PeerUp(card.node, card.host, card.port, card.incarnation)


def down(card: NodeCard) -> PeerDown:
    return PeerDown(card.node, card.host, card.port, card.incarnation)


def membership() -> Membership:
    return Membership(ONE, None, 0.0)


def met_two() -> Membership:
    peers = membership()
    assert up(TWO) in peers.receive_hello(0.0, Hello(TWO, ONE.incarnation))
    return peers


def test_a_hello_without_incarnation_is_answered_but_not_accepted() -> None:
    steps = membership().receive_hello(0.0, Hello(TWO, None))
    assert steps == [Greet(TWO.address, Hello(ONE, TWO.incarnation))]


def test_a_hello_to_an_earlier_incarnation_is_not_accepted() -> None:
    peers = membership()
    peers.receive_hello(0.0, Hello(TWO, "an earlier incarnation of one"))
    assert peers.peers() == []


def test_a_hello_that_names_our_incarnation_is_accepted_and_answered() -> None:
    steps = membership().receive_hello(0.0, Hello(TWO, ONE.incarnation))
    assert steps == [up(TWO), Greet(TWO.address, Hello(ONE, TWO.incarnation, (TWO.address,)))]


def test_the_peers_of_a_peer_are_greeted_at_once() -> None:
    steps = met_two().receive_hello(1.0, Hello(TWO, ONE.incarnation, (THREE.address, ONE.address)))
    assert [step.address for step in steps if isinstance(step, Greet)] == [THREE.address]


def test_a_silent_peer_is_down_but_still_greeted() -> None:
    peers = met_two()
    assert peers.tick(PEER_SILENT_AFTER_S) == [down(TWO)]
    steps = peers.tick(LOST_PEER_HELLO_EVERY_S)
    assert TWO.address in [step.address for step in steps if isinstance(step, Greet)]


def test_a_peer_that_says_goodbye_is_down_at_once() -> None:
    assert met_two().receive_goodbye(1.0, Goodbye(TWO, ONE.incarnation)) == [down(TWO)]


def test_a_goodbye_to_an_earlier_incarnation_is_ignored() -> None:
    assert met_two().receive_goodbye(1.0, Goodbye(TWO, "an earlier incarnation of one")) == []


def test_a_restarted_peer_goes_down_before_it_comes_up() -> None:
    again = NodeCard(TWO.node, TWO.host, TWO.port, "life 2 of two")
    steps = met_two().receive_hello(1.0, Hello(again, ONE.incarnation))
    assert [step for step in steps if not isinstance(step, Greet)] == [down(TWO), up(again)]


def test_a_peer_that_is_lost_for_long_is_dropped() -> None:
    peers = met_two()
    peers.tick(PEER_SILENT_AFTER_S)
    assert peers.tick(PEER_SILENT_AFTER_S + PEER_FORGOTTEN_AFTER_S) == []


def test_an_unanswered_join_is_reported_once_and_retried() -> None:
    peers = Membership(ONE, TWO.address, 0.0)
    assert [type(step) for step in peers.tick(0.0)] == [Greet]
    assert [type(step) for step in peers.tick(JOIN_DEADLINE_S)] == [Greet, JoinUnanswered]
    assert [type(step) for step in peers.tick(JOIN_DEADLINE_S * 2)] == [Greet]


def test_a_node_that_joins_itself_stays_alone() -> None:
    peers = Membership(ONE, ("localhost alias", 7000), 0.0)
    assert peers.receive_hello(0.0, Hello(ONE, ONE.incarnation)) == []
    assert peers.peers() == []
