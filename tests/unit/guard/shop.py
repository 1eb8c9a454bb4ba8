"""Code that a workflow might call: it reaches outside in every way that the guard detects.

The functions of time and random are imported by name as well, as user code does.
"""

from __future__ import annotations

import os
import pathlib
import random
import secrets
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from datetime import date
from random import choice
from random import random as random_float
from time import monotonic
from time import sleep as pause
from time import time as wall_clock
from uuid import uuid4

from pydantic import BaseModel, Field

from continuum import DeterminismError

HERE = pathlib.Path(__file__)

# The call, how the refusal names it, and what it says to use instead.
REFUSED: dict[str, tuple[Callable[[], object], str, str]] = {
    "time.time()": (lambda: time.time(), "reads the clock", "continuum.now()"),
    "time.time_ns()": (lambda: time.time_ns(), "reads the clock", "continuum.now()"),
    "time.monotonic()": (lambda: monotonic(), "reads the clock", "continuum.now()"),
    "time.perf_counter()": (lambda: time.perf_counter(), "reads the clock", "continuum.now()"),
    "time.localtime()": (lambda: time.localtime(), "reads the clock", "continuum.now()"),
    "time.strftime()": (lambda: time.strftime("%Y"), "reads the clock", "continuum.now()"),
    "time.sleep()": (lambda: pause(0), "blocks every run", "await continuum.sleep(...)"),
    "random.random()": (lambda: random_float(), "draws randomness", "continuum.random()"),
    "random.randint()": (lambda: random.randint(1, 6), "draws randomness", "continuum.random()"),
    "random.choice()": (lambda: choice([1, 2]), "draws randomness", "continuum.random()"),
    "random.shuffle()": (lambda: random.shuffle([1, 2]), "draws randomness", "continuum.random()"),
    "random.SystemRandom.random()": (
        lambda: random.SystemRandom().random(),
        "draws randomness",
        "continuum.random()",
    ),
    "secrets.token_hex()": (lambda: secrets.token_hex(), "draws randomness", "continuum.side_effect()"),
    "os.urandom()": (lambda: os.urandom(4), "draws randomness", "continuum.side_effect()"),
    "uuid.uuid4()": (lambda: uuid4(), "makes an id", "continuum.uuid4()"),
    "uuid.uuid1()": (lambda: uuid.uuid1(), "makes an id", "continuum.uuid4()"),
    "os.getenv()": (lambda: os.getenv("HOME"), "uses the environment", "continuum.side_effect()"),
    "os.environ": (lambda: os.environ["PATH"], "uses the environment", "continuum.side_effect()"),
    "open()": (lambda: open(HERE).close(), "touches the file system", "in an activity"),
    "pathlib.Path.read_text()": (lambda: HERE.read_text(), "touches the file system", "in an activity"),
    "pathlib.Path.exists()": (lambda: HERE.exists(), "touches the file system", "in an activity"),
    "os.listdir()": (lambda: os.listdir(), "touches the file system", "in an activity"),
    "shutil.rmtree()": (lambda: shutil.rmtree("/nowhere"), "touches the file system", "in an activity"),
    "tempfile.mkdtemp()": (lambda: tempfile.mkdtemp(dir="/"), "touches the file system", "in an activity"),
    "sqlite3.connect()": (lambda: sqlite3.connect(":memory:"), "touches the file system", "in an activity"),
    "socket.socket()": (lambda: socket.socket(), "reaches the network", "in an activity"),
    "socket.create_connection()": (
        lambda: socket.create_connection(("127.0.0.1", 9)),
        "reaches the network",
        "in an activity",
    ),
    "socket.gethostname()": (lambda: socket.gethostname(), "reaches the network", "in an activity"),
    "subprocess.run()": (lambda: subprocess.run(["true"]), "starts a process", "in an activity"),
    "os.system()": (lambda: os.system("true"), "starts a process", "in an activity"),
    "os.fork()": (lambda: os.fork(), "starts a process", "in an activity"),
    "threading.Thread.start()": (lambda: threading.Thread().start(), "starts a thread", "asyncio tasks"),
}

# Quick and harmless calls, one of each kind.
HARMLESS: tuple[Callable[[], object], ...] = (
    lambda: wall_clock(),
    lambda: random_float(),
    uuid4,
    secrets.token_hex,
    HERE.read_text,
    HERE.exists,
    socket.gethostname,
    lambda: pause(0),
    lambda: os.getenv("HOME"),
    lambda: random.randint(1, 6),
    lambda: threading.Thread(target=int).start(),
)


def read_everything() -> int:
    """Reach outside in every harmless way; return the number of ways."""
    return len([call() for call in HARMLESS])


def try_everything() -> list[str]:
    """Reach outside in every harmless way; return the refusals."""
    refusals: list[str] = []
    for call in HARMLESS:
        try:
            call()
        except DeterminismError as error:
            refusals.append(str(error))
    return refusals


def today() -> date:
    return date.today()  # noqa: DTZ011 - what a user writes


class Numbered(BaseModel):
    """A model that numbers itself."""

    id: uuid.UUID = Field(default_factory=uuid4)
