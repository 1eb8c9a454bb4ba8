"""What a person installs for a part that needs more packages than most do. Pure functions."""

from __future__ import annotations


def needs_extra(what: str, package: str | None, extra: str) -> str:
    """Return the line that says what a part needs, and how to install it."""
    return f"{what} needs {package}: {install_command(extra)}"


def install_command(extra: str) -> str:
    """Return the command that installs an extra of this package."""
    return f"pip install 'continuum-durable[{extra}]'"
