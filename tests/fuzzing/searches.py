"""Queries for runs as a program writes them: conditions, orders, limits, cursors, attributes."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import msgpack

from continuum import ContinuumError
from continuum.client import Client
from continuum.client.queries import question_of
from continuum.engine.ids import RunId
from continuum.journal.announced_run import NewRun
from continuum.journal.memory.journal import MemoryJournal
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.target import Target

_RUN = "00000000-0000-4000-8000-000000000001"


class Searches(Target):
    """`[where, order_by, limit, cursor, namespace]` as msgpack; tuples are lists in it."""

    name = "searches"

    def __init__(self) -> None:
        self._journal = MemoryJournal(clock=lambda: 1_700_000_000_000_000)
        facts = {"region": "eu", "n": 3, "nested": {"a": [1, "x"]}}
        run = NewRun(RunId(_RUN), "orders", b"\x01\x92\x90\x80", attributes=facts)
        other = NewRun(RunId(_RUN[:-1] + "2"), "orders", b"\x01\x92\x90\x80")
        _result_of(self._journal.start([run, other]))
        self._client = Client(self._journal)
        page = _result_of(self._client.query([("workflow", "eq", "orders")], limit=1))
        self._cursor = page.next_cursor

    def seeds(self) -> Sequence[bytes]:
        fields: list[list[Any]] = [
            [["workflow", "eq", "orders"]],
            [["state", "in", ["running", "suspended"]], ["started_at", "gt", "2025-01-31T12:00:00+00:00"]],
            [[["attributes", "region"], "eq", "eu"], [["attributes", "nested", "a"], "ne", [1, "x"]]],
            [["id", "lt", _RUN], ["parent_run_id", "eq", None], ["version", "ne", 3]],
            [[["attributes", "n"], "ge", 2.5], ["completed_at", "le", "2030-01-01T00:00:00Z"]],
            [],
        ]
        asks: list[list[Any]] = [[where, ["started_at", "desc"], 25, None, None] for where in fields]
        asks += [[where, "id", 1, None, "default"] for where in fields]
        asks.append([fields[0], ["started_at", "desc"], 1, self._cursor, None])
        return [msgpack.packb(ask) for ask in asks]

    def mutate(self, mutator: Mutator, data: bytes, others: Sequence[bytes]) -> bytes:
        try:
            tree = msgpack.unpackb(data, strict_map_key=False)
            for _ in range(mutator.random.randint(1, 3)):
                tree = mutator.tree_of(tree)
            packed: bytes = msgpack.packb(tree)
            return packed
        except (ValueError, TypeError, OverflowError, msgpack.exceptions.UnpackException):
            return mutator.bytes_of(data, others)

    def read(self, data: bytes) -> None:
        try:
            ask = _with_tuples(msgpack.unpackb(data, strict_map_key=False))
        except (ValueError, TypeError, msgpack.exceptions.UnpackException):
            return
        if not isinstance(ask, tuple) or len(ask) != 5:
            return
        where, order_by, limit, cursor, namespace = ask
        try:
            question_of(where, order_by, limit, cursor, namespace)
            _result_of(
                self._client.query(where, order_by=order_by, limit=limit, cursor=cursor, namespace=namespace)
            )
        except ContinuumError:
            return


T = TypeVar("T")


def _result_of(asking: Coroutine[Any, Any, T]) -> T:
    """Return the result of a call that waits for nothing, because its journal is in memory."""
    try:
        asking.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits")


def _with_tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_with_tuples, value))
    return value
