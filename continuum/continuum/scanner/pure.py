"""`@continuum.pure`: marks helpers that workflows of other modules may call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from continuum.errors import InvalidDefinition

T = TypeVar("T", bound=Callable[..., Any])


def pure(helper: T, /) -> T:
    """Declare that a function, or every method of a class, may be called from workflows of other modules.

    It is scanned like a workflow; code that replay could not repeat raises `DeterminismError`.
    """
    # Importing `continuum` must not load the scanner.
    from continuum.scanner.on_definition import refuse_or_warn, scan_class, scan_function
    from continuum.scanner.other_modules import PURE_MARK

    target: object = helper
    if not inspect.isfunction(target) and not isinstance(target, type):
        raise InvalidDefinition(f"@continuum.pure goes on a function or a class, not on {helper!r}")
    found = scan_class(target) if isinstance(target, type) else scan_function(target)
    refuse_or_warn(f"pure {target.__qualname__}", found)
    setattr(target, PURE_MARK, True)
    return helper
