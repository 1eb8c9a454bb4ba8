"""Gives the public names of the kit the module that users import them from, in tracebacks and messages."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def public(named: T) -> T:
    """Set the module where the name is defined: an error is also shown if its name was never imported."""
    named.__module__ = "continuum.testing"
    return named
