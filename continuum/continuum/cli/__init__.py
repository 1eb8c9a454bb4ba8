"""The command line. Read `main.py` first; each other module is a group of commands or what they share.

Nothing here decides anything: commands turn text into calls of the client or of the
application, and answers into text.
"""

from __future__ import annotations

from continuum.cli.main import main

__all__ = ["main"]
