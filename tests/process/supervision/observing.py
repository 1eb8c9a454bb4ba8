"""Watching processes, sockets and events from outside, with deadlines instead of sleeps."""

import os
import random
import select
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from continuum_supervision.process.events import NodeEvent, Report
from continuum_supervision.process.launcher import ProcessSystem

DEADLINE_S = 60.0
StartNode = Callable[..., ProcessSystem]


def await_event(
    running: ProcessSystem, wanted: Callable[[NodeEvent], bool], *, within: float = DEADLINE_S
) -> Any:
    """Take events until the wanted one comes."""
    passed = []
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0:
        event = running.receive(left)
        if event is None:
            break
        if wanted(event):
            return event
        passed.append(event)
    raise AssertionError(f"not seen within {within} s; seen: {passed}")


def await_report(running: ProcessSystem, message: object, *, within: float = DEADLINE_S) -> Report:
    """Take events until a process reports this."""
    found = await_event(running, lambda e: isinstance(e, Report) and e.message == message, within=within)
    assert isinstance(found, Report)
    return found


def await_notice(running: ProcessSystem, watcher: str, kind: type, **facts: object) -> Any:
    """Take events until a watcher reports such a notice."""

    def is_wanted(event: NodeEvent) -> bool:
        if not (
            isinstance(event, Report) and event.process_id == watcher and isinstance(event.message, tuple)
        ):
            return False
        name, *rest = event.message
        return (
            name == "notice"
            and isinstance(rest[0], kind)
            and all(getattr(rest[0], k) == v for k, v in facts.items())
        )

    return await_event(running, is_wanted).message[1]


def pid_of(running: ProcessSystem, process_id: str) -> int:
    return next(process.pid for process in running.processes() if process.id == process_id)


def pids_of(running: ProcessSystem) -> set[int]:
    """Every process of a node: those it names, and all that they have forked."""
    pids = set(running.own_pids().values()) | {process.pid for process in running.processes()}
    return pids | descendants(pids)


def descendants(pids: Iterable[int]) -> set[int]:
    """Find the children of processes, their children, and so on."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found: set[int] = set()
    wave = set(pids)
    while wave:
        wave = {pid for pid, parent in parents.items() if parent in wave} - found
        found |= wave
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def remaining(pids: Iterable[int], *, deadline: float) -> set[int]:
    """Wait until processes are gone; return those that are not within the deadline."""
    left = set(pids)
    until = time.monotonic() + deadline
    for pid in sorted(left):
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            select.select([watched], [], [], max(0.0, until - time.monotonic()))
        finally:
            os.close(watched)
    return {pid for pid in left if is_running(pid)}


def listening_sockets(pid: int) -> set[tuple[str, int]]:
    """Read from the kernel at which addresses a process listens, on IPv4 and IPv6."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                host, port = fields[1].split(":")
                shown = (
                    socket.inet_ntop(socket.AF_INET, bytes.fromhex(host)[::-1]) if table == "tcp" else host
                )
                found.add((shown, int(port, 16)))
    return found


def free_port() -> int:
    """Return a loopback port that nobody uses, and that the kernel gives to nobody before its user has it."""
    while True:
        # Below the ports of connections, and above those of services.
        port = random.randrange(20_000, 32_000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
