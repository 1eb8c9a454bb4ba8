"""The functions that `@activity` and `@workflow` take: everything else is refused where it is defined.

A definition that cannot work would otherwise fail each of its runs, or give a generator as its result.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from continuum.errors import InvalidDefinition
from continuum.quoting import shortened

# The names by which a method knows its instance or class.
_BOUND = frozenset({"self", "cls", "mcs", "mcls"})


def is_async(fn: object, decorator: str) -> bool:
    """Tell whether this function is async; refuse what the decorator cannot take, and say what to write."""
    if not inspect.isfunction(fn):
        raise InvalidDefinition(f"{decorator} goes on a function, not on {_kind_of(fn, decorator)}")
    name = fn.__qualname__
    try:
        inspect.signature(fn)
    except (TypeError, ValueError) as error:
        raise InvalidDefinition(
            f"{decorator} goes on a function whose signature can be read, and that of {name} cannot: "
            f"{shortened(error)}; remove its __signature__ or __wrapped__"
        ) from error
    if _is_method(fn):
        raise InvalidDefinition(
            f"{decorator} goes on a function, not on the method {name}: a run that continues "
            "elsewhere has no object to call it on; write a function at module level, and pass what it needs "
            "as arguments"
        )
    if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
        raise InvalidDefinition(
            f"{decorator} goes on a function that returns its result, not on the generator function {name}: "
            "values that it yields are not journaled; collect them in a list and return that"
        )
    if inspect.iscoroutinefunction(fn):
        return True
    if getattr(fn, "__globals__", {}).get("__name__") == "contextlib":
        raise InvalidDefinition(
            f"{decorator} goes on a function that returns its result, not on the context manager {name}: "
            "what it returns is to be entered, not stored; write a function that enters it and returns what "
            "is to be kept"
        )
    wrapped: Any = fn
    while (wrapped := getattr(wrapped, "__wrapped__", None)) is not None:
        if inspect.iscoroutinefunction(wrapped) or inspect.isasyncgenfunction(wrapped):
            raise InvalidDefinition(
                f"{decorator} goes on a function, not on a plain wrapper of the async function {name}: its "
                f"result would be a coroutine; write the wrapper as `async def` and await the function in it"
            )
    return False


def _is_method(fn: Callable[..., Any]) -> bool:
    """Whether the function is made in a class body for an instance or a class."""
    in_class = "." in fn.__qualname__.rpartition("<locals>.")[2]
    return in_class and next(iter(inspect.signature(fn).parameters), "") in _BOUND


def _kind_of(value: object, decorator: str) -> str:
    if isinstance(value, staticmethod | classmethod):
        kind = type(value).__name__
        name = getattr(value.__func__, "__qualname__", "a function")
        if kind == "staticmethod":
            return f"the staticmethod {name}; write @staticmethod above {decorator}"
        return f"the classmethod {name}; write a function at module level that uses the class"
    if inspect.ismethod(value):
        return f"the bound method {value.__qualname__}; write a function that makes the object and calls it"
    if isinstance(value, functools.partial):
        return f"a partial of {value.func!r:.100}; write a function that makes the call"
    if inspect.isclass(value):
        return f"the class {value.__qualname__}; write a function that makes an instance"
    if inspect.isbuiltin(value):
        return f"the built-in function {value.__name__}; write a function that calls it"
    if callable(value):
        return f"an object of {type(value).__qualname__} that can be called; write a function that calls it"
    return f"{value!r:.100}"


def local_names(fn: Callable[..., Any]) -> dict[str, Any]:
    """Return what the annotations of a local function name in the functions around it.

    Annotations that are text (`from __future__ import annotations`) do not keep the local classes which they
    name, and these are out of reach once the enclosing function has returned. A name that could not be
    resolved later is refused.
    """
    code = getattr(fn, "__code__", None)
    if "<locals>" not in fn.__qualname__ or code is None:
        return {}
    wanted = _names_in_annotations(fn) - set(code.co_freevars)
    found: dict[str, Any] = {}
    for frame in _enclosing_frames(fn) if wanted else ():
        for name in wanted - found.keys():
            if name in frame.f_locals:
                found[name] = frame.f_locals[name]
                _check_fields(fn, found[name])
            elif name in frame.f_code.co_varnames or name in frame.f_code.co_cellvars:
                raise InvalidDefinition(
                    f"an annotation of {fn.__qualname__} names {name}, which is local to "
                    f"{frame.f_code.co_qualname} and defined further down; define {name} before it, or at "
                    "module level"
                )
    return found


def _names_in_annotations(fn: Callable[..., Any]) -> set[str]:
    names: set[str] = set()
    for annotation in getattr(inspect.unwrap(fn), "__annotations__", {}).values():
        if not isinstance(annotation, str):
            continue
        try:
            tree = ast.parse(annotation.strip(), mode="eval")
        except SyntaxError:
            continue
        names.update(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return names


def _enclosing_frames(fn: Callable[..., Any]) -> Iterator[FrameType]:
    """The frames of the functions and classes around a function that is being defined, innermost first."""
    globals_of_fn = getattr(inspect.unwrap(fn), "__globals__", None)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        around = fn.__qualname__.startswith(f"{frame.f_code.co_qualname}.")
        if around and frame.f_globals is globals_of_fn:
            yield frame
        frame = frame.f_back


def _check_fields(fn: Callable[..., Any], named: object) -> None:
    """Refuse a local dataclass whose fields name what only its function knows."""
    if not isinstance(named, type) or "<locals>" not in named.__qualname__:
        return
    if not (dataclasses.is_dataclass(named) or typing.is_typeddict(named)):
        return
    try:
        typing.get_type_hints(named)
    except NameError as error:
        raise InvalidDefinition(
            f"{fn.__qualname__} takes or returns {named.__qualname__}, a local class with a field whose type "
            f"cannot be found later: {shortened(error)}; define both classes at module level"
        ) from error
