"""The Restate server: one node with its own log on disk, started and stopped here."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.processes import READY_SECONDS, ProgramFailed

LOOK_SECONDS = 0.01
# Asked for by HTTP, so that a server that does not answer is not waited for.
ANSWER_SECONDS = 5.0


def binary(installed: Path) -> Path | None:
    """Return the server's program in a directory into which npm has installed it."""
    return next(installed.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"), None)


@contextmanager
def data() -> Iterator[dict[str, Any]]:
    """Yield a directory for a server's data and free ports for it; the directory is removed afterwards."""
    directory = tempfile.mkdtemp(prefix="continuum-restate-")
    ingress, admin, fabric, handlers = _free_ports(4)
    try:
        yield {
            "directory": directory,
            "ingress": f"http://127.0.0.1:{ingress}",
            "admin": f"http://127.0.0.1:{admin}",
            "ports": {"ingress": ingress, "admin": admin, "fabric": fabric},
            "port": handlers,
        }
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running(program: Path, given: Mapping[str, Any], log: Path) -> Iterator[int]:
    """Run a server on this data and yield its process; it does not answer yet."""
    ports = given["ports"]
    environment = {
        **os.environ,
        "RESTATE_BASE_DIR": given["directory"],
        "RESTATE_NODE_NAME": "bench",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_BIND_PORT": str(ports["fabric"]),
        "RESTATE_INGRESS__BIND_PORT": str(ports["ingress"]),
        "RESTATE_ADMIN__BIND_PORT": str(ports["admin"]),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "warn",
        **{name: str(value) for name, value in given["settings"].items() if name.startswith("RESTATE_")},
    }
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen([program, "--no-logo"], stdout=output, stderr=output, env=environment)
    try:
        yield process.pid
    finally:
        # Its data goes with it.
        process.kill()
        process.wait()


def until_healthy(given: Mapping[str, Any]) -> None:
    """Return once the server answers and takes calls."""
    deadline = time.monotonic() + READY_SECONDS
    for url in (f"{given['admin']}/health", f"{given['ingress']}/restate/health"):
        while not _answers(url):
            if time.monotonic() > deadline:
                raise ProgramFailed("the Restate server does not answer; see its log")
            time.sleep(LOOK_SECONDS)


def register(given: Mapping[str, Any]) -> None:
    """Tell the server where the handlers are; it remembers that."""
    body = json.dumps({"uri": f"http://127.0.0.1:{given['port']}"}).encode()
    request = urllib.request.Request(
        f"{given['admin']}/deployments", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=READY_SECONDS) as answer:
        answer.read()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
