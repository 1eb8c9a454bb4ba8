"""What the README tells a person to have: a database, `continuum` on the path, and a node."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from continuum_migrations import migrate
from tests.unit.docs.blocks import ROOMS, ROOT, blocks


@pytest.fixture(scope="session")
def database(session_dsn: str) -> Iterator[str]:
    """A database of our own, because documents name no schema."""
    name = f"docs_{uuid4().hex[:12]}"
    with psycopg.connect(session_dsn, autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(name)))
        address = make_conninfo(session_dsn, dbname=name)
        asyncio.run(migrate(address, "continuum"))
        yield address
        connection.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@pytest.fixture(scope="session")
def shell(database: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment with `continuum` on its path and the database as its own."""
    programs = tmp_path_factory.mktemp("programs")
    program = programs / "continuum"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m continuum.cli "$@"\n')
    program.chmod(0o755)
    return os.environ | {
        "CONTINUUM_DSN": database,
        "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="session")
def node(shell: Mapping[str, str]) -> Iterator[Path]:
    """The node of the README's first terminal, started by its own words; the directory it runs in."""
    first = blocks(ROOT / "README.md", "console")[0]
    script = "\n".join(first.commands()).replace("continuum run-node", "exec continuum run-node")
    running = subprocess.Popen(
        ["bash", "-euc", script], cwd=ROOT, env=shell, stdout=subprocess.PIPE, text=True
    )
    with running:
        try:
            assert running.stdout is not None
            ready = running.stdout.readline()
            expected, _, hosts = first.answers()[0].partition("…")
            assert ready.startswith(expected)
            assert ready.rstrip().endswith(hosts)
            yield ROOT / "examples"
        finally:
            running.terminate()
    assert running.returncode == 0
