"""The command line. Read `main.py` first; each other module is a group of commands, or code that they share.

Commands decide nothing: they turn text into calls of the client or the launcher, and results
into text.
"""

from __future__ import annotations

from continuum.cli.main import main

__all__ = ["main"]
