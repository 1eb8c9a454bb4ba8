"""The calls that a step may not make, by kind, and what to do instead."""

from __future__ import annotations

from enum import Enum

__all__ = ["EVENTS", "PUBLIC_NAMES", "Kind"]


class Kind(Enum):
    """A kind of call; its value says what is wrong with it and what to use instead."""

    CLOCK = "reads the clock, which replay cannot repeat; use continuum.now()"
    SLEEP = "blocks every run of this process; use `await continuum.sleep(...)`"
    RANDOM = (
        "draws randomness, which replay cannot repeat; "
        "use continuum.random(), or continuum.side_effect() for other random values"
    )
    UUID = "makes an id that replay cannot repeat; use continuum.uuid4()"
    ENVIRONMENT = (
        "uses the environment, which differs between processes; "
        "pass the value in as input, or read it in continuum.side_effect()"
    )
    FILE = (
        "touches the file system, which replay cannot repeat; "
        "do it in an activity, or in continuum.side_effect() when it is a quick read"
    )
    NETWORK = "reaches the network, which replay cannot repeat; do it in an activity"
    PROCESS = "starts a process, which replay would start again; do it in an activity"
    THREAD = "starts a thread, whose order replay cannot repeat; use asyncio tasks, or do it in an activity"


def _events(kind: Kind, prefix: str, names: str) -> dict[str, Kind]:
    return {prefix + name: kind for name in names.split()}


# Python raises these audit events however the function was imported.
EVENTS: dict[str, Kind] = {
    **_events(Kind.FILE, "", "open mmap.__new__ sqlite3.connect glob.glob"),
    **_events(Kind.FILE, "pathlib.Path.", "glob rglob"),
    **_events(Kind.FILE, "os.", "chdir chflags chmod chown fwalk getxattr link listdir listxattr lockf"),
    **_events(Kind.FILE, "os.", "mkdir remove removexattr rename rmdir scandir setxattr symlink truncate"),
    **_events(Kind.FILE, "os.", "utime walk"),
    **_events(Kind.FILE, "shutil.", "chown copyfile copymode copystat copytree make_archive move rmtree"),
    **_events(Kind.FILE, "shutil.", "unpack_archive"),
    **_events(Kind.FILE, "tempfile.", "mkdtemp mkstemp"),
    **_events(Kind.NETWORK, "socket.", "__new__ bind connect getaddrinfo gethostbyaddr gethostbyname"),
    **_events(Kind.NETWORK, "socket.", "gethostname getnameinfo getservbyname getservbyport sendmsg sendto"),
    **_events(Kind.NETWORK, "", "urllib.Request http.client.connect http.client.send"),
    **_events(Kind.PROCESS, "os.", "exec fork forkpty posix_spawn spawn startfile system"),
    **_events(Kind.PROCESS, "", "subprocess.Popen pty.spawn"),
    **_events(Kind.THREAD, "_thread.", "start_new_thread start_joinable_thread"),
    # Since Python 3.13. Before, the name in the module is guarded.
    **_events(Kind.SLEEP, "", "time.sleep"),
}

# The public name of the function behind an event, where it differs from the event.
PUBLIC_NAMES: dict[str, str] = {
    "socket.__new__": "socket.socket",
    "mmap.__new__": "mmap.mmap",
    "urllib.Request": "urllib.request.urlopen",
}
