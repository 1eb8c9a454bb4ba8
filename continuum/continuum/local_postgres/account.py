"""The account the server runs under, and what that account can reach.

Postgres refuses to run as root. A process that runs as root starts it under an unprivileged account
(`CONTINUUM_PG_USER`, else ``postgres``, else ``nobody``) with that account's group and no other; any
other process starts it under its own account. Permissions outside the server's own directory are
never changed: a path that the account cannot reach is an error here and never a chmod.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from continuum.errors import EmbeddedPostgresError

UNPRIVILEGED_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its primary group; `changes` says whether the process must drop to it."""

    name: str
    uid: int
    gid: int
    changes: bool


def server_account(environment: Mapping[str, str], *, uid: int) -> Account:
    """Choose the account for a process that runs as `uid`."""
    if uid != 0:
        return Account(name=_name_of(uid), uid=uid, gid=os.getegid(), changes=False)
    wanted = environment.get("CONTINUUM_PG_USER")
    names = (wanted,) if wanted else UNPRIVILEGED_ACCOUNTS
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid == 0:
            raise EmbeddedPostgresError(
                f"Postgres does not run as root, and CONTINUUM_PG_USER={name} is root; name another account"
            )
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, changes=True)
    raise EmbeddedPostgresError(
        f"Postgres does not run as root, and there is no account {' or '.join(names)}; "
        "set CONTINUUM_PG_USER to an unprivileged account that exists"
    )


def unreachable_part(path: Path, account: Account) -> Path | None:
    """Return the first directory above `path` that the account may not pass through."""
    if not account.changes:
        return None
    for ancestor in reversed(path.parents):
        try:
            facts = ancestor.stat()
        except FileNotFoundError:
            return None
        if not _may_pass(facts, account):
            return ancestor
    return None


def may_run(program: Path, account: Account) -> bool:
    """Return whether the account can reach and execute the program."""
    return not account.changes or (
        unreachable_part(program, account) is None and _may_pass(program.stat(), account)
    )


def _may_pass(facts: os.stat_result, account: Account) -> bool:
    if facts.st_uid == account.uid:
        return bool(facts.st_mode & stat.S_IXUSR)
    if facts.st_gid == account.gid:
        return bool(facts.st_mode & stat.S_IXGRP)
    return bool(facts.st_mode & stat.S_IXOTH)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise EmbeddedPostgresError(
            f"user {uid} has no entry in the password database, which Postgres needs; "
            "run under a named account, or give the DSN of a server"
        ) from None
