"""The reference model: the outcome of a `Work`. It knows nothing of tasks, journals or replay.

An effect is a name and the number of its step. Effects that are `sure` happen exactly once; only
`possible` ones happen at all. The two differ where the order of results decides: next to a failure
in a group, and in work that is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.property.composed_works import TASKS, Node, Work, child_works

Effect: TypeAlias = tuple[str, int]
FAILED = "failed"

# The activity that a step of this kind calls.
CALLS = {
    "act": "composed.act",
    "queued": "composed.act",
    "flaky": "composed.flaky",
    "values": "composed.echo",
    "fail": "composed.fail",
    "broken": "composed.fail",
}


class Fails(Exception): ...


@dataclass(slots=True)
class Truth:
    """The outcome of a work: its result (`FAILED` without one), its effects, its last published value."""

    result: Any = None
    sure: set[Effect] = field(default_factory=set)
    possible: set[Effect] = field(default_factory=set)
    last: int | None = None

    def happens(self, name: str, number: int, sure: bool) -> None:
        """Record an effect."""
        self.possible.add((name, number))
        if sure:
            self.sure.add((name, number))


def truth_of(work: Work, *, stopped: bool = False) -> Truth:
    """Return the outcome of a work; for a `stopped` one, only possible effects are known."""
    truth = Truth()
    try:
        truth.result = _Walk(truth).work(work, not stopped)
    except Fails:
        truth.result = FAILED
    return truth


class _Walk:
    """Walks through a work once, in order; `sure` is True while nothing can stop the current step."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._mail = 0
        # Calls of this run that can be compensated and are not yet: number -> sure; and the outer block's.
        self._open: dict[int, bool] = {}
        self._block: list[int] = []

    def work(self, work: Work, sure: bool) -> list[Any]:
        around = self._open, self._block
        try:
            return [self._stage(stage, work.strict, sure) for stage in work.stages]
        finally:
            self._open, self._block = around

    def _stage(self, stage: tuple[Node, ...], strict: bool, sure: bool) -> list[Any]:
        self._open, self._block = {}, []
        return [self.step(node, sure) if strict else self._settled(node, sure) for node in stage]

    def _settled(self, node: Node, sure: bool) -> Any:
        try:
            return self.step(node, sure)
        except Fails:
            return FAILED

    def _sequence(self, node: Node, sure: bool) -> list[Any]:
        return [self.step(child, sure) for child in node.children]

    def step(self, node: Node, sure: bool) -> Any:
        match node.kind:
            case "seq" | "in_time":
                return self._sequence(node, sure)
            case "catch":
                return self._settled(Node("seq", node.number, node.children), sure)
            case "saga" | "booked" | "undone" | "torn":
                return self._undoing(node, sure)
            case "child" | "chain" | "fan_out" | "left":
                return self._children(node, sure)
            case kind if kind in TASKS:
                return self._tasks(node, sure)
            case _:
                return self._alone(node, sure)

    def _alone(self, node: Node, sure: bool) -> Any:
        kind, number, happens = node.kind, node.number, self._truth.happens
        if kind in CALLS:
            happens(CALLS[kind], number, sure)
        match kind:
            case "act" | "queued" | "flaky" | "side" | "signal":
                return number
            case "fail" | "broken":
                raise Fails
            case "mail":
                self._mail += 1
                return self._mail - 1
            case "publish":
                happens("published", number, sure)
            case "tell":
                self._truth.last = number
            case "stopped" | "outrun":
                happens("child", number, sure)
            case "undo_all":
                self._undo(list(self._open), sure)
        return kind

    def _tasks(self, node: Node, sure: bool) -> Any:
        if node.kind != "group":
            results = [self._settled(child, sure) for child in node.children]
            return {"gather": results, "completed": sorted(results, key=repr), "wait": len(results)}[
                node.kind
            ]
        # A failure in a group stops the others at an unknown step.
        doomed = any(_fails(child) for child in node.children)
        results = [self._settled(child, sure and not doomed) for child in node.children]
        if doomed:
            raise Fails
        return results

    def _undoing(self, node: Node, sure: bool) -> Any:
        kind, number = node.kind, node.number
        around, self._block = self._block, []
        if kind in ("booked", "undone"):
            self._truth.happens("composed.act", number, sure)
            self._open[number] = sure
            self._block.append(number)
        try:
            if kind == "undone":
                results = [self.step(Node("catch", number, node.children), sure), number]
                self._undo([number], sure)
            else:
                results = self._sequence(node, sure)
            if kind == "torn":
                self._undo_block(node, sure)
                results.append(1)
            elif not sure:
                self._undo_block(node, sure)
            # The outer block may still have to compensate the calls of an inner block.
            around += self._block
            return results
        except Fails:
            self._undo_block(node, sure)
            raise
        finally:
            self._block = around

    def _undo_block(self, node: Node, sure: bool) -> None:
        if node.kind in ("saga", "torn"):
            self._truth.happens("composed.undo", node.number, sure)
        if node.kind == "torn":
            self._truth.happens("composed.torn", node.number, sure)
        self._undo(self._block, sure)

    def _undo(self, numbers: list[int], sure: bool) -> None:
        for number in numbers:
            certain = self._open.pop(number, None)
            if certain is not None:
                self._truth.happens("composed.undo", number, sure and certain)

    def _children(self, node: Node, sure: bool) -> Any:
        # One of the three kinds of children is stopped when its parent ends without awaiting it.
        sure_to_end = sure and not (node.kind == "left" and node.number % 3 == 1)
        results: list[Any] = []
        for work in child_works(node, 0):
            self._truth.happens("child", work.number, sure)
            try:
                results.append(self.work(work, sure_to_end))
                self._truth.happens("answer", work.number, sure_to_end)
            except Fails:
                if node.kind in ("child", "chain"):
                    raise
                results.append(FAILED)
        return {"left": "left", "fan_out": results}.get(node.kind, results[0])


def _fails(node: Node) -> bool:
    try:
        _Walk(Truth()).step(node, True)
    except Fails:
        return True
    return False
