"""The faults of the database; each is over when it returns, and Postgres accepts writes again."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg

from tests.chaos.fleet import send

if TYPE_CHECKING:
    from tests.chaos.faults import Scene
    from tests.chaos.fleet import Service

# Longer and shorter than a lease.
LONGEST_OUTAGE_S = 9.0
LONGEST_LOCK_S = 2.0


def connected(scene: Scene) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect as the superuser; another fault may have taken the server away, and a lock may not be had."""
    return psycopg.connect(scene.server.superuser_dsn, autocommit=True)


def end_sessions(scene: Scene, node: Service) -> None:
    """End some sessions of the nodes and of the client, wherever they are in a transaction."""
    with suppress(psycopg.Error), connected(scene) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where usename = 'chaos' and random() < %s",
            (scene.luck.choice([0.1, 0.3, 1.0]),),
        )


def hold_locks(scene: Scene, node: Service) -> None:
    """Hold a transaction open that has locked workers, some runs, or a table."""
    locks = (
        "select from continuum.workers for update",
        "select from continuum.runs where state < 4 limit 20 for update",
        "lock table continuum.runs in share mode",
        "lock table continuum.inbox in share mode",
    )
    with suppress(psycopg.Error), connected(scene) as connection, connection.transaction():
        connection.execute("set local lock_timeout = '2s'")
        connection.execute(scene.luck.choice(locks))
        scene.over.wait(scene.luck.uniform(0.1, LONGEST_LOCK_S))


def kill(scene: Scene, node: Service) -> None:
    """Kill the server, and start it again after a while."""
    scene.server.kill()
    scene.over.wait(scene.luck.uniform(0.0, LONGEST_OUTAGE_S))
    scene.server.start()


def restart(scene: Scene, node: Service) -> None:
    """Restart the server in order."""
    scene.server.end()
    scene.server.start()


def pause(scene: Scene, node: Service) -> None:
    """Stop every process of the server for a while: connections stay open and answer nothing."""
    processes = scene.server.processes()
    for process in processes:
        send(process, signal.SIGSTOP)
    scene.over.wait(scene.luck.uniform(0.5, LONGEST_OUTAGE_S))
    for process in processes:
        send(process, signal.SIGCONT)


def use_up_connections(scene: Scene, node: Service) -> None:
    """Take every connection that is left, end those of the nodes, and take these too."""
    taken: list[psycopg.Connection[tuple[Any, ...]]] = []
    end_sessions(scene, node)
    try:
        while True:
            taken.append(psycopg.connect(scene.server.dsn))
    except psycopg.OperationalError:
        scene.over.wait(scene.luck.uniform(0.5, LONGEST_OUTAGE_S))
    finally:
        for connection in taken:
            connection.close()


def become_standby(scene: Scene, node: Service) -> None:
    """Come back read-only from a crash, as a standby, and be promoted later."""
    scene.server.kill()
    (scene.server.data / "standby.signal").touch()
    scene.server.start()
    scene.over.wait(scene.luck.uniform(0.5, LONGEST_OUTAGE_S))
    with psycopg.connect(scene.server.superuser_dsn, autocommit=True) as connection:
        connection.execute("select pg_promote(true, 60)")


def fill_disk(scene: Scene, node: Service) -> None:
    """Leave no byte on the disk of the database, then free it; start Postgres again if that ended it."""
    filler = scene.server.directory / "filler"
    try:
        with filler.open("wb") as file:
            facts = os.statvfs(scene.server.directory)
            try:
                os.posix_fallocate(file.fileno(), 0, facts.f_bavail * facts.f_frsize)
            except OSError:
                # The server took the last of it in between, which is as full.
                pass
        scene.over.wait(scene.luck.uniform(0.5, LONGEST_OUTAGE_S))
    finally:
        filler.unlink()
    assert scene.server.process is not None
    if scene.server.process.poll() is not None:
        scene.server.start()
