"""Whether environments are paranoid that were not told to be or not to be."""

from __future__ import annotations

import os

VARIABLE = "CONTINUUM_PARANOID"

_turned_on = 0


def turn_on() -> None:
    """Be paranoid until it is turned off as often."""
    global _turned_on
    _turned_on += 1


def turn_off() -> None:
    """Take one `turn_on` back."""
    global _turned_on
    _turned_on -= 1


def paranoid_by_default() -> bool:
    """Return what was turned on, or what the environment variable says."""
    return _turned_on > 0 or os.environ.get(VARIABLE, "").lower() in ("1", "true", "yes")
