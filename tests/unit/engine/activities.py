"""Activities for the engine tests."""

from __future__ import annotations

from continuum import Retry, activity


class Declined(Exception):
    """Raised by `fail`."""


@activity(name="engine.echo")
def echo(value: int) -> int:
    return value


@activity(name="engine.fail")
def fail(message: str = "no") -> int:
    raise Declined(message)


@activity(name="engine.stubborn", retry=Retry(max_attempts=3, base=1.0))
def stubborn() -> int:
    raise Declined("again")


@activity(name="engine.undo")
def undo(value: int) -> None:
    """Undo `value`."""


@activity(name="engine.undo_badly")
def undo_badly(value: int) -> None:
    raise Declined(f"cannot undo {value}")
