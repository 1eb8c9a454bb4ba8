"""`@continuum.pure`: helpers of other modules that workflows may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from continuum.errors import InvalidDefinition
from continuum.scanner.marker import MARK

T = TypeVar("T", bound=Callable[..., Any])


def pure(helper: T, /) -> T:
    """Declare that a function, or every method of a class, may be called from workflows of other modules.

    It is scanned like a workflow: what replay could not repeat raises `DeterminismError`.
    """
    from continuum.scanner.defining import refuse_or_warn, scan_class, scan_function

    if not callable(helper):
        raise InvalidDefinition(f"@continuum.pure goes on a function or a class, not on {helper!r}")
    found = scan_class(helper) if isinstance(helper, type) else scan_function(helper)
    refuse_or_warn(f"pure {helper.__qualname__}", found)
    setattr(helper, MARK, True)
    return helper
