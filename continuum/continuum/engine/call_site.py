"""The place in user code that issued a command.

A command is identified by the function that issued it. So the name of that function must
not depend on how the call got here: through asyncio, a comprehension (a function of its
own before Python 3.12, inlined since) or the engine's own wrappers.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from types import CodeType, FrameType
from typing import TypeAlias

from continuum.engine.loop import asyncio_patches, event_loop

Site: TypeAlias = tuple[CodeType, int]
"""The function's code and the offset of an instruction in it; the line is looked up only for messages."""

_WRAPPERS = {"contextlib"}
"""Modules between user code and a command; they are its author only when no user code is on the stack."""

_PLUMBING = {asyncio_patches.__name__, event_loop.__name__}
"""Modules that are never the author. Neither are asyncio's own: they differ between Python versions."""

_COMPREHENSION = re.compile(r"\.<locals>\.<(?:listcomp|setcomp|dictcomp|genexpr)>")


def declare_wrapper(module: str) -> None:
    """Register a module whose functions issue commands on behalf of user code; call it with `__name__`."""
    _WRAPPERS.add(module)


def declare_plumbing(module: str) -> None:
    """Register a module that is never the author of a command; call it with `__name__`."""
    _PLUMBING.add(module)


def user_site() -> Site:
    """Return the place of the innermost user code on the stack.

    A task made of one of asyncio's own coroutines has none; all such coroutines count as one author.
    """
    frame: FrameType | None = sys._getframe(1)
    site = _ASYNCIO
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module == "asyncio.events":
            break  # the callback of a task: the frames below drive the run
        if module.partition(".")[0] != "asyncio" and module not in _PLUMBING:
            site = frame.f_code, frame.f_lasti
            if module not in _WRAPPERS:
                break
        frame = frame.f_back
    return site


_ASYNCIO: Site = user_site.__code__.replace(co_qualname="asyncio", co_filename="asyncio"), -1


def caller(site: Site) -> str:
    """Return the name of the function that issues commands at `site`."""
    name = site[0].co_qualname
    return _enclosing(name) if name[-1] == ">" else name


def user_place(site: Site) -> str | None:
    """Return file and line of user code; None if none was on the stack."""
    return None if site is _ASYNCIO or site[0].co_filename in _wrapper_files() else where(site)


def _wrapper_files() -> set[str | None]:
    return {getattr(sys.modules.get(name), "__file__", None) for name in _WRAPPERS}


def where(site: Site) -> str:
    """Return file and line for a message."""
    code, offset = site
    # Not by the code object, which hashes slowly; nor by its id, because `id` raises an audit event.
    key = code.co_qualname, code.co_firstlineno, offset
    known = _places.get(key)
    if known is None or known[0] is not code:
        known = _places[key] = code, f"{_short(code.co_filename)}:{_line(code, offset)}"
    return known[1]


_places: dict[tuple[str, int, int], tuple[CodeType, str]] = {}


def place(site: Site) -> tuple[str, int]:
    """Return the path of the file and the line; the line is 0 if there is none."""
    code, offset = site
    return code.co_filename, _line(code, offset)


def _line(code: CodeType, offset: int) -> int:
    return next((line for start, end, line in code.co_lines() if start <= offset < end and line), 0)


@cache
def _enclosing(name: str) -> str:
    return _COMPREHENSION.sub("", name)


@cache
def _short(filename: str) -> str:
    """Return the last two parts of a path: enough for a message, and nothing about the machine."""
    return "/".join(filename.replace("\\", "/").split("/")[-2:])
