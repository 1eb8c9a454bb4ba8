"""The cluster cookie: the secret with which all nodes seal their transport, and where a node finds it.

It comes from a file that no other user can read, or from the environment; never from the command line, where
every user of the machine could see it. A node without peers makes a random one.
"""

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from continuum_supervision.errors import CookieUnusable
from continuum_supervision.transport.limits import COOKIE_MAX_BYTES, COOKIE_MIN_BYTES

COOKIE_VARIABLE = "CONTINUUM_COOKIE"


def random_cookie() -> bytes:
    """Make a cookie for a node without peers."""
    return secrets.token_bytes(COOKIE_MIN_BYTES)


def find_cookie(cookie_file: Path | None, environment: Mapping[str, str]) -> bytes | None:
    """Read the cookie from the given file, else from CONTINUUM_COOKIE; None if there is neither."""
    if cookie_file is not None:
        return read_cookie_file(cookie_file)
    written = environment.get(COOKIE_VARIABLE)
    if written is None:
        return None
    return checked_cookie(os.fsencode(written), origin=f"the environment variable {COOKIE_VARIABLE}")


def read_cookie_file(cookie_file: Path) -> bytes:
    """Read a cookie from a file that belongs to this user and that no other user may access."""
    try:
        # Check the open file, not its name: another file could get the name between check and read.
        descriptor = os.open(cookie_file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CookieUnusable(
            f"cookie file {cookie_file} cannot be read ({error.strerror}): "
            f"create it with `openssl rand -hex 32 > {cookie_file} && chmod 600 {cookie_file}`"
        ) from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise CookieUnusable(f"cookie file {cookie_file} is not a regular file: name one that is")
        if facts.st_uid != os.geteuid():
            raise CookieUnusable(
                f"cookie file {cookie_file} belongs to another user: chown it to the one that runs the node"
            )
        if stat.S_IMODE(facts.st_mode) & 0o177:
            raise CookieUnusable(
                f"cookie file {cookie_file} has mode {stat.S_IMODE(facts.st_mode):04o}: "
                f"run `chmod 600 {cookie_file}`"
            )
        content = os.read(descriptor, COOKIE_MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    return checked_cookie(content, origin=f"cookie file {cookie_file}")


def checked_cookie(written: bytes, *, origin: str) -> bytes:
    """Strip the line ending that an editor leaves, and refuse a cookie that is too short or too long."""
    cookie = written.strip()
    if not COOKIE_MIN_BYTES <= len(cookie) <= COOKIE_MAX_BYTES:
        raise CookieUnusable(
            f"{origin} holds {len(cookie)} bytes, a cookie has {COOKIE_MIN_BYTES} to {COOKIE_MAX_BYTES}: "
            f"make one with `openssl rand -hex 32`"
        )
    return cookie
