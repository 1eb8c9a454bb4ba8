"""The faults of a simulation: when, what, to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.choices import Choices

if TYPE_CHECKING:
    from tests.simulation.machine import NodeProcess
    from tests.simulation.split_node import PartProcess
    from tests.simulation.universe import Universe

SECOND = 1_000_000
MOST_FAULTS = 6
# A worker is lost this often at most: an activity that crashed more often has failed, as it should.
MOST_LOSSES = 4


class Fault(NamedTuple):
    """A fault; `numbers` are in [0, 1) and choose its target and how long it lasts."""

    at: int
    kind: str
    numbers: tuple[float, float]

    def strike(self, universe: Universe) -> None:
        """Let it happen."""
        {
            "kill": _kill,
            "lose": _lose,
            "kill-at-write": _kill_at_write,
            "pause": _pause,
            "cut": _cut,
            "outage": _outage,
            "deaf": _deaf,
            "steal": _steal,
            "stop": _stop,
            "deploy": _deploy,
            "client": _client,
        }[self.kind](universe, *self.numbers)


KINDS = (
    *("kill", "kill-at-write", "kill-at-write", "lose", "pause", "cut"),
    *("outage", "deaf", "steal", "steal", "stop", "deploy", "client"),
)


def planned(choices: Choices) -> list[Fault]:
    """Return the faults of a seed, in no order."""
    faults: list[Fault] = []
    for number in range(MOST_FAULTS):
        chances = choices.stream(f"fault/{number}")
        if chances.fraction() < 0.4:
            continue
        # Most of them early, while much is under way.
        at = int(chances.fraction() ** 2 * 12 * SECOND)
        kind = KINDS[chances.below(len(KINDS))]
        faults.append(Fault(at, kind, (chances.fraction(), chances.fraction())))
    return faults


def _node(universe: Universe, chance: float) -> NodeProcess | PartProcess | None:
    living = [node for node in universe.nodes if not node.stopping]
    return living[int(chance * len(living))] if living else None


def _kill(universe: Universe, target: float, how: float) -> None:
    node = _node(universe, target)
    if node is not None:
        universe.kill(node, reported=True, returns_after=int(how * SECOND))


def _lose(universe: Universe, target: float, how: float) -> None:
    node = _node(universe, target)
    if node is not None:
        universe.kill(node, reported=False, returns_after=int(how * SECOND))


def _kill_at_write(universe: Universe, target: float, how: float) -> None:
    node = _node(universe, target)
    if node is None:
        return
    left = int(how * 24)

    def fuse(moment: str) -> bool:
        nonlocal left
        left -= 1
        if left > 0 or universe.calm:
            return False
        if universe.tracing:
            universe.trace(node.name, "dies", moment)
        node.link.fuse = None
        universe.kill(node, reported=how < 0.5, returns_after=50_000)
        return True

    node.link.fuse = fuse


def _pause(universe: Universe, target: float, how: float) -> None:
    node = _node(universe, target)
    if node is not None:
        node.pause(int(how * 20 * SECOND))


def _cut(universe: Universe, target: float, how: float) -> None:
    node = _node(universe, target)
    if node is not None:
        node.link.cut_until = universe.timeline.now + int(how * 20 * SECOND)


def _outage(universe: Universe, target: float, how: float) -> None:
    for process in [*universe.nodes, *universe.clients]:
        process.link.cut_until = universe.timeline.now + int(how * 14 * SECOND)


def _deaf(universe: Universe, target: float, how: float) -> None:
    for process in [*universe.nodes, *universe.clients]:
        process.link.deaf_until = universe.timeline.now + int(how * 20 * SECOND)


def _steal(universe: Universe, target: float, how: float) -> None:
    node = _node(universe, target)
    if node is not None and node.worker is not None:
        universe.retire(node.worker)


def _stop(universe: Universe, target: float, how: float) -> None:
    node = _node(universe, target)
    if node is not None:
        node.stop()


def _deploy(universe: Universe, target: float, how: float) -> None:
    from tests.simulation.workflows import CHANGED

    universe.code = CHANGED
    _stop(universe, target, how)


def _client(universe: Universe, target: float, how: float) -> None:
    universe.restart_client(int(target * len(universe.clients)))
