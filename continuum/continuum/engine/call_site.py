"""Where in user code a command was issued.

A command is identified by the function that issued it, so that name must be the
same however the call got here: through asyncio, a comprehension (a function of its
own before Python 3.12, inlined since) or the engine's own wrappers.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from types import CodeType, FrameType
from typing import TypeAlias

Site: TypeAlias = tuple[CodeType, int]
"""The function's code and the line in it."""

_PASSED_THROUGH = frozenset(
    {
        "contextlib",
        "continuum.effects",
        "continuum.saga",
        "continuum.signals",
        "continuum.engine.asyncio_repairs",
        "continuum.engine.loop",
    }
)
"""Modules that stand between user code and a command without being its author."""

_COMPREHENSION = re.compile(r"\.<locals>\.<(?:listcomp|setcomp|dictcomp|genexpr)>")


def user_site() -> Site:
    """Return where the innermost user code on the stack stands.

    A task made of nothing but asyncio's own coroutine has none; then it is that coroutine.
    """
    frame = outermost = sys._getframe(1)
    walker: FrameType | None = frame
    while walker is not None:
        module = walker.f_globals.get("__name__", "")
        if module == "asyncio.events":
            break  # the callback of a task: what is below drives the run
        outermost = walker
        if module not in _PASSED_THROUGH and module.partition(".")[0] != "asyncio":
            break
        walker = walker.f_back
    return outermost.f_code, outermost.f_lineno


def caller(site: Site) -> str:
    """Return the name of the function that issues commands at `site`."""
    name = site[0].co_qualname
    return _enclosing(name) if name[-1] == ">" else name


def where(site: Site) -> str:
    """Return file and line for a message."""
    return f"{_short(site[0].co_filename)}:{site[1]}"


@cache
def _enclosing(name: str) -> str:
    return _COMPREHENSION.sub("", name)


@cache
def _short(filename: str) -> str:
    """The last two parts of a path say enough in a message, and nothing about the machine."""
    return "/".join(filename.replace("\\", "/").split("/")[-2:])
