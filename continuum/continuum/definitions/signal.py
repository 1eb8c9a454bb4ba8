"""Typed signals: messages from outside to a running workflow."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar, cast, overload

from continuum.codec.codec import completeness_check, decoder_for, encode
from continuum.definitions.effects import require
from continuum.definitions.name_rules import check_name
from continuum.engine.call_site import declare_wrapper
from continuum.engine.execution import Execution
from continuum.engine.retry import seconds
from continuum.errors import DurableTermError, InvalidDefinition
from continuum.quoting import quoted
from continuum.source.definition import Definition

declare_wrapper(__name__)

T = TypeVar("T")
D = TypeVar("D")


class _Missing:
    """No default was given."""


MISSING: Final = _Missing()


class Signal(Definition, Generic[T]):
    """A named signal whose value has type `T`; buffered, first in first out, from the run's start."""

    __slots__ = ("_check", "_decode", "name", "type")

    kind = "signal"

    def __init__(self, name: str, type: type[T]) -> None:
        check_name(name, "a signal's name")
        self.name = name
        self.type = type
        self._decode = decoder_for(type, path=f"signal {name}")
        self._check = completeness_check(type)

    def __repr__(self) -> str:
        return f"Signal({self.name!r}, {getattr(self.type, '__name__', self.type)})"

    def encode(self, value: T) -> bytes:
        """Return the stored form of a value; `DurableTermError` when it does not fit the signal's type."""
        data = encode(value, path=f"signal {self.name}", check=self._check)
        self._decode(data)
        return data

    def decode(self, data: bytes) -> T:
        """Read a stored value; `DurableTermError` when it does not fit the signal's type."""
        return cast(T, self._decode(data))

    @overload
    async def wait(self, timeout: float | timedelta | None = None) -> T: ...
    @overload
    async def wait(self, timeout: float | timedelta | None, default: D) -> T | D: ...
    @overload
    async def wait(self, timeout: float | timedelta | None = None, *, default: D) -> T | D: ...
    async def wait(self, timeout: float | timedelta | None = None, default: D | _Missing = MISSING) -> T | D:
        """Return the next value, waiting at most `timeout`.

        On a timeout it returns `default`, or raises `TimeoutError` when there is none; a value that arrives
        later is kept for the next wait.
        """
        execution = require(f"waiting for signal {self.name}")
        _check_declared(execution, self.name)
        limit = None if timeout is None else seconds(timeout)
        if limit is None or not execution.needs_timer(self.name):
            data = await execution.next_signal(self.name)
        else:
            try:
                data = await _next_within(execution, self.name, limit)
            except TimeoutError:
                if isinstance(default, _Missing):
                    raise
                return default
        try:
            return cast(T, self._decode(data))
        except DurableTermError as error:
            execution.log.unreadable(None, error)


async def wait_signal(name: str, timeout: float | timedelta | None = None, default: Any = MISSING) -> Any:
    """Return the next value of the signal `name` without a type; otherwise like `Signal.wait`."""
    return await Signal(name, cast(type[Any], Any)).wait(timeout, default)


def _check_declared(execution: Execution, name: str) -> None:
    workflow = execution.definition
    if workflow is not None and workflow.signals and name not in workflow.signals:
        raise InvalidDefinition(
            f"{workflow.name} declares the signals {', '.join(workflow.signals)} and "
            f"waits for {quoted(name)}; "
            "nobody can send that, add it to signals=[...]"
        )


async def _next_within(execution: Execution, name: str, limit: float) -> bytes:
    try:
        async with asyncio.timeout(limit):
            return await execution.next_signal(name, timed=limit > 0)
    except TimeoutError:
        raise TimeoutError(f"signal {name} did not come within {limit:g} s") from None
