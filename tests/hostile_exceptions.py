"""Exceptions whose own code raises, and others that are hard to carry or to describe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any


class NoWords(Exception):
    """Its message raises."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class NoText(Exception):
    """Its message is no text."""

    def __str__(self) -> str:
        return None  # type: ignore[return-value]


class Exits(Exception):
    """Its message ends the process."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Stubborn(str):
    """A text without methods."""

    def replace(self, *_: object) -> str:
        raise RuntimeError("no replacing")

    def __getitem__(self, _: object) -> str:
        raise RuntimeError("no slicing")


class StubbornText(Exception):
    """Its message is a text whose methods raise."""

    def __str__(self) -> str:
        return Stubborn("stubborn")


class Forwards(Exception):
    """It looks up unknown attributes elsewhere, and does not find them."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("forwards")
        self.fields = fields

    def __getattr__(self, name: str) -> str:
        return self.fields[name]


class Recursive(Exception):
    """Its lookup of unknown attributes never ends."""

    def __getattr__(self, name: str) -> str:
        value: str = getattr(self.inner, name)
        return value


class Notes(Exception):
    """Its notes raise."""

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise KeyError("notes")


class NoTraceback(Exception):
    """Its traceback, cause and context raise."""

    @property
    def __traceback__(self) -> None:  # type: ignore[override]
        raise KeyError("traceback")

    @property
    def __cause__(self) -> None:  # type: ignore[override]
        raise KeyError("cause")


class Closed(Exception):
    """Every attribute raises."""

    def __getattribute__(self, name: str) -> object:
        raise KeyError(name)


class NoComparison(Exception):
    """It has no hash, and comparing it raises."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")


class Lies(Exception):
    """It says that it has no class."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise ValueError("no class")


class _ClosedClass(type):
    """A metaclass that hides what describes its classes."""

    def __getattribute__(cls, name: str) -> object:
        if name in ("__mro__", "__module__", "__qualname__"):
            raise KeyError(name)
        return super().__getattribute__(name)


class OfClosedClass(Exception, metaclass=_ClosedClass):
    """Its class does not tell its name or its bases."""


class Fatal(BaseException):
    """Not an Exception."""


def _notes() -> BaseException:
    return Notes("the message")


def _lock() -> BaseException:
    return ValueError(threading.Lock(), object())


def _looped() -> BaseException:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    return one


def _syntax() -> BaseException:
    error = SyntaxError("bad")
    error.lineno = "seven"  # type: ignore[assignment]
    error.text = b"bytes"  # type: ignore[assignment]
    error.filename = 5  # type: ignore[assignment]
    return error


def _groups() -> BaseException:
    error: Exception = ValueError("leaf")
    for _ in range(300):
        error = ExceptionGroup("group", [error])
    return error


def _chain() -> BaseException:
    error: Exception = ValueError("leaf")
    for number in range(2000):
        later = ValueError(str(number))
        later.__context__ = error
        error = later
    return error


_MADE: dict[str, Callable[[], BaseException]] = {
    "no words": NoWords,
    "no text": NoText,
    "exits": Exits,
    "stubborn": StubbornText,
    "forwards": lambda: Forwards({}),
    "recursive": Recursive,
    "notes": _notes,
    "no traceback": NoTraceback,
    "closed": Closed,
    "no comparison": NoComparison,
    "lies": lambda: Lies("lies"),
    "closed class": lambda: OfClosedClass("closed"),
    "fatal": lambda: Fatal("fatal"),
    "lock": _lock,
    "looped": _looped,
    "syntax": _syntax,
    "groups": _groups,
    "chain": _chain,
    "huge": lambda: ValueError("x" * 5_000_000),
    "characters": lambda: ValueError("a\0b \ud800"),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "generator exit": GeneratorExit,
    "cancelled": lambda: asyncio.CancelledError("mine"),
    "stop iteration": StopIteration,
    "stop async iteration": StopAsyncIteration,
    "timeout": lambda: TimeoutError("theirs"),
    "bytes": lambda: ValueError(b"\xff\x00"),
}
KINDS = tuple(_MADE)


def make(kind: str) -> BaseException:
    """Return a new exception of that kind."""
    return _MADE[kind]()
