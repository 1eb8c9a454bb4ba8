"""The release of this package."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "continuum-durable"


@cache
def release() -> str:
    """Return the version of the installed package, "unknown" if it runs without being installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
