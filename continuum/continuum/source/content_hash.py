"""The hash that names a version: of what a workflow's code means, not of how it is written.

Comments, docstrings, formatting and the position in the file do not change it; a different constant,
helper, name or effect does. It is the same on every supported Python.

Code without source (`exec`, a prompt) is hashed by the names and constants of its code objects. That is
enough to distinguish versions in one process, but it differs between Pythons and ignores order.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from continuum.source.module_source import ModuleSource, definition_of
from continuum.source.reachable_code import reachable_form

# Names the method of hashing: with another normal form every workflow gets a new version.
_SCHEME = "continuum content 1"

# Half of SHA-256: with 128 bits two versions never collide.
HASH_CHARACTERS = 32


def content_hash(fn: Callable[..., Any], source: ModuleSource | None) -> str:
    """Return the hash of a workflow's function and of the code it reaches in its module."""
    definition = None if source is None else definition_of(fn, source)
    parts = (
        _compiled_form(fn) if definition is None or source is None else reachable_form(fn, source, definition)
    )
    text = "".join((_SCHEME, "\n", *parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARACTERS]


def _compiled_form(fn: Callable[..., Any]) -> Iterator[str]:
    function = inspect.unwrap(fn)
    if not isinstance(function, FunctionType):
        yield f"{function!r}"
        return
    yield function.__qualname__
    waiting, seen = [function.__code__], {function.__code__}
    while waiting:
        code = waiting.pop(0)
        yield f"\n{code.co_name} {code.co_names} {code.co_varnames} {code.co_freevars} "
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                seen.add(constant)
                waiting.append(constant)
            elif constant != function.__doc__:
                yield f"{_stable(constant)},"
        for name in code.co_names:
            helper = function.__globals__.get(name)
            if not isinstance(helper, FunctionType) or helper.__globals__ is not function.__globals__:
                continue
            if helper.__code__ not in seen:
                seen.add(helper.__code__)
                waiting.append(helper.__code__)


def _stable(constant: object) -> str:
    """Return the text of a constant; the order of a set of strings differs between processes, so sort it."""
    match constant:
        case frozenset():
            return f"{{{','.join(sorted(map(_stable, constant)))}}}"
        case tuple():
            return f"({','.join(map(_stable, constant))})"
        case _:
            return repr(constant)
