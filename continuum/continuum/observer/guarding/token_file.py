"""Reads the file of those who may see an observer, and their tokens."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from continuum.errors import InvalidOption
from continuum.observer.visitor import Visitor, role_named

# Shorter ones are guessed.
SHORTEST_TOKEN = 16


def read_tokens(file: Path) -> dict[str, Visitor]:
    """Return visitors by their tokens, from lines of ROLE NAME TOKEN; `InvalidOption` says what is wrong.

    Empty lines and those that begin with ``#`` are left out. No other user may read the file.
    """
    try:
        with file.open(encoding="utf-8") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            lines = opened.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOption(f"the file of tokens {file} cannot be read: {error}") from error
    if mode & 0o077:
        raise InvalidOption(f"the file of tokens {file} has mode {mode:04o}: run `chmod 600 {file}`")
    tokens: dict[str, Visitor] = {}
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts or line.lstrip().startswith("#"):
            continue
        if len(parts) != 3:
            raise InvalidOption(f"line {number} of {file} is not of the form ROLE NAME TOKEN")
        role, name, token = parts
        if len(token) < SHORTEST_TOKEN:
            raise InvalidOption(
                f"the token in line {number} of {file} is shorter than {SHORTEST_TOKEN} characters: make "
                "one with `openssl rand -hex 32`"
            )
        if token in tokens:
            raise InvalidOption(f"the token in line {number} of {file} is that of an earlier line")
        tokens[token] = Visitor(name, role_named(role))
    return tokens
