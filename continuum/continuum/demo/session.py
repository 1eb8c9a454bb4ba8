"""The demo from start to end: a schema of its own, a node, the orders, the audit, what is left to look at."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from continuum.demo.audit import Report, audit
from continuum.demo.display import Display, display, show_report
from continuum.demo.driving import ORDERS, amounts, drive
from continuum.demo.interrupts import Interrupted, Interrupts
from continuum.demo.ledger import entries
from continuum.errors import ContinuumError
from continuum.journal.postgres.schema import drop_schema, drop_unused_schema, migrate_schema
from continuum.local_postgres import EmbeddedPostgres
from continuum.node.config import NodeConfig
from continuum.node.launcher import started_node
from continuum.settings.settings import Settings

# On the embedded server of the user: a finished demo stays there, until the next one.
SCHEMA = "demo"
STDERR = 2
# The exit code that shells use for a program ended by SIGINT.
INTERRUPTED = 130


class DemoFailed(ContinuumError):
    """The demo could not run; the message says why and where to look."""


def main() -> int:
    """Run the demo; return 0 when every order ended as it should and 1 otherwise."""
    console = Console(file=sys.stdout, highlight=False)
    began = time.monotonic()
    with Interrupts() as interrupts, tempfile.TemporaryDirectory(prefix="continuum-demo-") as directory:
        log = Path(directory) / "node.log"
        try:
            with display(console, ORDERS) as shown:
                report = _run(Path(directory) / "ledger", log, shown, interrupts)
        except Interrupted:
            return INTERRUPTED
        except ContinuumError as error:
            raise DemoFailed(f"{error}{_kept(log)}") from error
        show_report(console, report)
        if report.problems:
            console.print(f"the demo failed{_kept(log)}", soft_wrap=True)
            return 1
    console.print(
        f"every order ended as it should: nothing lost, stuck or journaled twice "
        f"({time.monotonic() - began:.0f} s)"
    )
    console.print(f"look at the runs: {command(sys.argv[0], os.environ)}", soft_wrap=True)
    return 0


def command(program: str, environment: Mapping[str, str]) -> str:
    """Return the command that opens the observer on the finished demo, as a person types it here."""
    found = shutil.which("continuum", path=environment.get("PATH"))
    if Path(program).name != "continuum":
        words = [sys.executable, "-m", "continuum.cli"]
    elif found is not None and Path(found).resolve() == Path(program).resolve():
        words = ["continuum"]
    else:
        words = [os.path.relpath(program)]
    # The server of the demo is used only where no other is named.
    unset = ["env", "-u", "CONTINUUM_DSN"] if environment.get("CONTINUUM_DSN") else []
    return shlex.join([*unset, *words, "observer", "--schema", SCHEMA])


def _run(ledger: Path, log: Path, shown: Display, interrupts: Interrupts) -> Report:
    with _postgres(shown) as dsn, _stderr_to(log):
        interrupts.check()
        shown.say("starting a node: 2 run hosts, 1 activity host")
        settings = Settings(run_hosts=2, activity_hosts=1)
        config = NodeConfig(modules=["continuum.demo.orders"], dsn=dsn, schema=SCHEMA, settings=settings)
        with started_node(config) as node:
            shown.say(f"running {ORDERS} orders: validate, charge, wait for a review, sleep, ship")
            seen, killing = asyncio.run(drive(node, str(ledger), shown, interrupts))
            return audit(amounts(), seen, entries(ledger), killing)


@contextmanager
def _postgres(shown: Display) -> Iterator[str]:
    shown.say("starting an embedded Postgres")
    with EmbeddedPostgres() as server:
        # That of an earlier demo, unless that still runs.
        asyncio.run(drop_unused_schema(server.dsn, SCHEMA))
        try:
            applied = asyncio.run(migrate_schema(server.dsn, SCHEMA))
            shown.say(f"migrated: {len(applied.files)} files of SQL")
            yield server.dsn
        except Interrupted:
            asyncio.run(drop_schema(server.dsn, SCHEMA))
            raise


@contextmanager
def _stderr_to(log: Path) -> Iterator[None]:
    """Send standard error, which the processes of the node inherit, to a file."""
    sys.stderr.flush()
    ours = os.dup(STDERR)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(target, STDERR)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(ours, STDERR)
        os.close(target)
        os.close(ours)


def _kept(log: Path) -> str:
    """Copy the node's log out of the temporary directory and return where; "" if the log is empty."""
    if not log.exists() or not log.stat().st_size:
        return ""
    descriptor, kept = tempfile.mkstemp(prefix="continuum-demo-", suffix=".log")
    os.close(descriptor)
    shutil.copyfile(log, kept)
    return f"; the node's log is {kept}"
