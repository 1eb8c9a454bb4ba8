"""The embedded server: starting, sharing and leaving it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from continuum.errors import EmbeddedPostgresError
from continuum.local_postgres import EmbeddedPostgres
from continuum.local_postgres.account import server_account
from tests.postgres.holding import eventually, holder, is_over, server_directory, server_of


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield an empty directory that the server's account can enter; pytest's own may be closed to it."""
    with server_directory() as made:
        yield made


def fetch_one(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_started_server_answers(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        assert fetch_one(server.dsn, "select 6 * 7") == 42


def test_data_outlives_the_server(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server, psycopg.connect(server.dsn) as connection:
        connection.execute("create table kept as select 5 as value")
    with EmbeddedPostgres(directory) as server:
        assert fetch_one(server.dsn, "select value from kept") == 5


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
@pytest.mark.parametrize(("durable", "expected"), [(True, "on"), (False, "off")])
def test_only_a_test_cluster_runs_without_durability(
    directory: Path, setting: str, durable: bool, expected: str
) -> None:
    with EmbeddedPostgres(directory, durable=durable) as server:
        assert fetch_one(server.dsn, f"select current_setting('{setting}')") == expected


@pytest.mark.parametrize("durable", [True, False])
def test_a_cluster_keeps_the_durability_it_was_made_with(directory: Path, durable: bool) -> None:
    with EmbeddedPostgres(directory, durable=durable):
        pass
    with pytest.raises(EmbeddedPostgresError, match="choose another directory"):
        EmbeddedPostgres(directory, durable=not durable).start()


def test_nothing_listens_on_tcp(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        assert server_of(directory).postmaster.net_connections(kind="inet") == []


def test_nobody_else_may_enter_the_directory_or_its_sockets(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / "socket")}
    assert modes == {0o700}


def test_start_and_stop_may_be_called_any_number_of_times(directory: Path) -> None:
    server = EmbeddedPostgres(directory, durable=False)
    server.stop()
    server.start()
    server.start()
    assert fetch_one(server.dsn, "select 1") == 1
    server.stop()
    server.stop()


def test_stop_returns_only_when_the_server_has_ended(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        running = server_of(directory)
    assert is_over(running.postmaster)


def test_a_second_user_joins_the_server_that_runs(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False), holder(directory):
        first = server_of(directory)
        with EmbeddedPostgres(directory, durable=False):
            assert server_of(directory) == first


def test_the_server_stays_while_another_user_is_left(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False) as staying:
        with EmbeddedPostgres(directory, durable=False):
            pass
        assert fetch_one(staying.dsn, "select 1") == 1


def test_users_that_start_together_share_one_server(directory: Path) -> None:
    servers = [EmbeddedPostgres(directory, durable=False) for _ in range(6)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        pids = {fetch_one(server.dsn, "select pg_postmaster_start_time()") for server in servers}
    finally:
        for server in servers:
            server.stop()
    assert len(pids) == 1


def test_users_may_come_and_go_at_the_same_time(directory: Path) -> None:
    failures: list[Exception] = []

    def come_and_go() -> None:
        try:
            for _ in range(5):
                with EmbeddedPostgres(directory, durable=False) as server:
                    fetch_one(server.dsn, "select 1")
        except (EmbeddedPostgresError, psycopg.Error) as error:
            failures.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_event_loop_is_not_blocked_by_a_start(directory: Path) -> None:
    async def main() -> object:
        async with EmbeddedPostgres(directory, durable=False) as server:
            return await asyncio.to_thread(fetch_one, server.dsn, "select 1")

    assert asyncio.run(main()) == 1


def test_a_temporary_server_leaves_no_directory() -> None:
    with EmbeddedPostgres.temporary() as server:
        assert server.data_directory.is_dir()
    assert not server.data_directory.exists()


def test_a_path_too_long_for_a_socket_gets_a_short_one_that_is_removed(directory: Path) -> None:
    deep = directory / ("d" * 60) / ("e" * 60)
    directory.chmod(0o755)
    with EmbeddedPostgres(deep, durable=False) as server:
        sockets = Path(str(fetch_one(server.dsn, "select current_setting('unix_socket_directories')")))
        assert not sockets.is_relative_to(deep)
    assert not sockets.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")
def test_root_runs_the_server_as_an_unprivileged_account(directory: Path) -> None:
    account = server_account(os.environ, uid=0)
    with EmbeddedPostgres(directory, durable=False):
        postmaster = server_of(directory).postmaster
        status = Path(f"/proc/{postmaster.pid}/status").read_text().splitlines()
    facts = dict(line.split(":", 1) for line in status)
    assert facts["Uid"].split() == [str(account.uid)] * 4
    assert facts["Gid"].split() == [str(account.gid)] * 4
    assert facts["Groups"].split() == []


def test_a_forked_child_is_a_holder_of_its_own(directory: Path) -> None:
    context = multiprocessing.get_context("fork")
    go, gone = context.Event(), context.Event()

    def outlive_the_parents_hold(dsn: str) -> None:
        go.wait(30)
        if fetch_one(dsn, "select 1") == 1:
            gone.set()

    server = EmbeddedPostgres(directory, durable=False)
    server.start()
    child = context.Process(target=outlive_the_parents_hold, args=(server.dsn,))
    child.start()
    running = server_of(directory)
    server.stop()
    go.set()
    child.join(30)
    assert gone.is_set()
    # Until the keeper notices, a new user may still join the old server.
    eventually(lambda: is_over(running.keeper), "the keeper outlived the forked child")
    assert is_over(running.postmaster)
