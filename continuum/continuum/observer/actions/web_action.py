"""`WebAction`: a change that a form asks for, with the role that it needs and what confirms it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from continuum.observer.visit import Visit
from continuum.observer.visitor import Role

Form: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a change, in a sentence, and the path of the page that shows it."""

    said: str
    path: str


@dataclass(frozen=True, slots=True)
class WebAction:
    """A change: `make` makes it and returns a sentence about what came of it, or that and where to look.

    `confirmed_by` returns what the visitor has to type before something dangerous happens: an id or a count.
    """

    role: Role
    make: Callable[[Visit, Form], Awaitable[str | Made]]
    confirmed_by: Callable[[Form], str] | None = None
