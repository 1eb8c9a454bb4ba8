"""The directory of the embedded server, and the checks before anything is written there.

One directory, mode 0700, owned by the server's account:

    data/  socket/  binaries/  postgres.log  gate.lock  holders.lock  keeper.lock

A directory is ours if it is empty or holds our gate lock. Any other is refused, so that a mistyped
path never has its owner or mode changed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from continuum.errors import EmbeddedPostgresError
from continuum.local_postgres.account import Account, unreachable_part
from continuum.local_postgres.limits import SOCKET_PATH_BYTES
from continuum.local_postgres.locks import GATE

PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
_ELSEWHERE = "choose another directory with CONTINUUM_DATA_DIR"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths inside one directory of the embedded server."""

    root: Path
    sockets: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "postgres.log"

    @property
    def binaries(self) -> Path:
        return self.root / "binaries"

    @property
    def without_durability(self) -> Path:
        """Return the file that marks a cluster which has run without fsync."""
        return self.root / "not-durable"


def default_directory(environment: Mapping[str, str], *, uid: int) -> Path:
    """Return the directory of this user's own server."""
    chosen = environment.get("CONTINUUM_DATA_DIR")
    if chosen:
        return Path(chosen)
    if uid == 0:
        return Path("/var/lib/continuum/postgres")
    shared = environment.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(shared).expanduser() / "continuum" / "postgres"


def layout_of(root: Path) -> Layout:
    """Return the paths in a directory; a socket path too long for the kernel is replaced by a short one."""
    resolved = Path(os.path.realpath(root))
    sockets = resolved / "socket"
    if len(os.fsencode(sockets / SOCKET_NAME)) > SOCKET_PATH_BYTES:
        digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:16]
        sockets = Path("/tmp") / f"continuum-{digest}"
    return Layout(root=resolved, sockets=sockets)


def claim(layout: Layout, account: Account) -> None:
    """Create the directory, or check that it is the server's own; call this before taking any lock."""
    barrier = unreachable_part(layout.root, account)
    if barrier is not None:
        raise EmbeddedPostgresError(
            f"Postgres runs as {account.name} here, which may not enter {barrier}, so it cannot use "
            f"{layout.root}; {_ELSEWHERE}"
        )
    _make_parents(layout.root)
    _own(layout.root, account, ours=_is_server_directory)


def claim_sockets(layout: Layout, account: Account) -> None:
    """Create the directory of the socket; call this while holding the gate lock."""
    _own(layout.sockets, account, ours=_is_socket_directory)


def new_temporary_directory(account: Account) -> Path:
    """Make an empty temporary directory that the server's account can enter."""
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if unreachable_part(Path(base) / "any", account) is None:
            return Path(tempfile.mkdtemp(prefix="continuum-", dir=base))
    raise EmbeddedPostgresError(
        f"{account.name} can enter no directory for temporary files; set TMPDIR to one it can"
    )


def _make_parents(path: Path) -> None:
    for ancestor in reversed(path.parents):
        if not ancestor.exists():
            ancestor.mkdir(exist_ok=True)
            # A strict umask would lock the server's account out of a directory that root makes here.
            ancestor.chmod(0o755)


def _own(path: Path, account: Account, *, ours: Callable[[list[str]], bool]) -> None:
    if not path.exists():
        path.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        # Root may have made the directory a moment ago, or may own an empty one.
        if facts.st_uid not in ({account.uid, 0} if account.changes else {account.uid}):
            raise EmbeddedPostgresError(
                f"{path} belongs to user {facts.st_uid}, not to {account.name}; {_ELSEWHERE}"
            )
        if not ours(os.listdir(descriptor)):
            raise EmbeddedPostgresError(f"{path} holds files that are not the server's; {_ELSEWHERE}")
        if facts.st_uid != account.uid:
            os.fchown(descriptor, account.uid, account.gid)
        if stat.S_IMODE(facts.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _is_server_directory(names: list[str]) -> bool:
    return not names or GATE in names


def _is_socket_directory(names: list[str]) -> bool:
    return all(name.startswith(SOCKET_NAME) for name in names)
