"""The mark of a function or class that `@continuum.pure` has checked."""

from __future__ import annotations

from typing import Any

MARK = "__continuum_pure__"


def is_marked(found: Any) -> bool:
    """Tell whether this very object is marked; a subclass of a marked class is not."""
    return getattr(found, "__dict__", {}).get(MARK) is True
