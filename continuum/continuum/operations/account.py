"""`account_name`: what a change is recorded under if nobody says who makes it."""

from __future__ import annotations

import getpass
import os
import socket


def account_name() -> str:
    """Return the user and the host of this process."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # The user has no entry in the password database, as in many containers.
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
