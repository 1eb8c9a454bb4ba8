"""The stage: namespaces for network, mounts and processes around one play, if this user may make them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Set in the environment of a play that has the namespaces.
ON_STAGE = "CHAOS_ON_STAGE"
NAMESPACES = (
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
PROGRAMS = ("unshare", "nsenter", "ip", "mount", "setpriv")


def can_be_made() -> bool:
    """Return whether this process may make the namespaces that a play wants."""
    if os.geteuid() != 0 or any(shutil.which(program) is None for program in PROGRAMS):
        return False
    probe = [
        "unshare",
        *NAMESPACES,
        "sh",
        "-c",
        "ip link add chaos0 type bridge && mount -t tmpfs chaos /mnt",
    ]
    return subprocess.run(probe, capture_output=True, check=False, timeout=30).returncode == 0


def enter() -> bool:
    """Execute this program again on a stage; return whether it is on one, which it may not be allowed to."""
    if os.environ.get(ON_STAGE):
        return True
    if not can_be_made():
        return False
    os.environ[ON_STAGE] = "1"
    unshare = shutil.which("unshare")
    assert unshare is not None
    sys.stdout.flush()
    os.execv(unshare, ["unshare", *NAMESPACES, sys.executable, "-m", "tests.chaos", *sys.argv[1:]])
