"""After a failed encode: walk the value slowly and name the first element that cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from continuum.codec.shapes import key_step
from continuum.codec.writing import TooLarge, pack, reduce_once
from continuum.errors import DurableTermError
from continuum.failures.exception_text import message_of

# Deeper than msgpack itself goes, so that the packer decides.
MAX_DEPTH = 2000

# The path into a deeply nested value would be as long as the value is deep.
LONGEST_PATH = 200

_CONTAINERS = (list, tuple, set, frozenset, dict)
_SCALARS = (str, int, float, bytes, bytearray, memoryview, type(None))


def explain_encode_error(value: object, path: str, error: Exception) -> DurableTermError:
    """Return an error that names the first element of `value` that cannot be written."""
    if issubclass(type(error), TooLarge):
        # The whole is too large, whatever is in it. Visiting every element would take minutes.
        return DurableTermError(path, str(error))
    try:
        return _first_fault(value, path, error)
    except Exception:  # noqa: BLE001 - the value's own code may raise wherever it is visited
        return DurableTermError(path, _reason(error))


def _first_fault(value: object, path: str, error: Exception) -> DurableTermError:
    # A stack of iterators instead of recursion: a value may be nested deeper than the Python stack.
    stack: list[tuple[Iterator[tuple[str, Any]], int]] = [(iter(((path, value),)), 0)]
    open_ids: set[int] = set()
    while stack:
        children, owner = stack[-1]
        step = next(children, None)
        if step is None:
            stack.pop()
            open_ids.discard(owner)
            continue
        where, element = step
        if id(element) in open_ids:
            return DurableTermError(_shorten(where), "the value contains itself; store its parts by id")
        if len(stack) > MAX_DEPTH:
            return DurableTermError(_shorten(where), "nested too deeply; store a flatter value")
        try:
            parts = _parts(element, where)
            if parts is None:
                pack(element)
                continue
        except Exception as fault:  # noqa: BLE001 - whatever it is, it names the place
            return DurableTermError(_shorten(where), _reason(fault))
        open_ids.add(id(element))
        stack.append((parts, id(element)))
    return DurableTermError(path, _reason(error))


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]] | None:
    if isinstance(value, _SCALARS) and not isinstance(value, Enum):
        return None
    if isinstance(value, Enum):
        return iter(((path, value.value),))
    if not isinstance(value, _CONTAINERS):
        value = reduce_once(value)
        if not isinstance(value, (dict, list)):
            return None
    if isinstance(value, dict):
        return _dict_parts(value, path)
    if isinstance(value, (set, frozenset)):
        return ((f"{path}{{}}", element) for element in value)
    return ((f"{path}[{index}]", element) for index, element in enumerate(value))


def _dict_parts(value: dict[Any, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, element in value.items():
        yield f"{path}{key_step(key)}", key
        yield f"{path}{key_step(key)}", element


def _reason(error: BaseException) -> str:
    # Not isinstance, which may ask the exception for its `__class__`: that may raise.
    if issubclass(type(error), UnicodeError):
        return "the text has a lone surrogate, which no encoding can write; clean it first"
    text = message_of(error)
    if issubclass(type(error), RecursionError) or "recursion limit" in text:
        return "nested too deeply; store a flatter value"
    return " ".join(text.split()) or type(error).__name__


def _shorten(path: str) -> str:
    return path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}…"
