"""The embedded server when its users, its keeper or the server itself are killed with SIGKILL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from continuum.local_postgres import EmbeddedPostgres
from tests.postgres.holding import eventually, holder, is_over, server_directory, server_of


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield an empty directory that the server's account can enter; pytest's own may be closed to it."""
    with server_directory() as made:
        yield made


def answers(dsn: str) -> bool:
    try:
        with psycopg.connect(dsn) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_a_killed_last_user_takes_the_server_with_it(directory: Path) -> None:
    with holder(directory) as child:
        running = server_of(directory)
        child.kill()
        eventually(lambda: is_over(running.keeper), "the keeper outlived the last user")
    assert is_over(running.postmaster)


def test_a_killed_user_leaves_the_server_to_the_others(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False) as server:
        with holder(directory) as child:
            child.kill()
            child.wait()
        assert answers(server.dsn)


def test_users_killed_one_after_another_leave_no_server(directory: Path) -> None:
    with holder(directory) as first, holder(directory) as second:
        running = server_of(directory)
        first.kill()
        first.wait()
        second.kill()
        eventually(lambda: is_over(running.keeper), "the keeper outlived the last user")
    assert is_over(running.postmaster)


def test_a_killed_keeper_takes_the_server_with_it(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        running = server_of(directory)
        running.keeper.kill()
        eventually(lambda: is_over(running.postmaster), "the server outlived its keeper")


def test_a_server_can_be_started_again_at_once_after_its_keeper_was_killed(directory: Path) -> None:
    with holder(directory):
        keeper = server_of(directory).keeper
        keeper.kill()
        # Until the kernel has removed it, a starter would join the keeper that is about to end.
        eventually(lambda: is_over(keeper), "the keeper was not killed")
        with EmbeddedPostgres(directory, durable=False) as server:
            assert answers(server.dsn)


def test_a_user_restarts_the_server_that_ended_with_its_keeper(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False) as server:
        keeper = server_of(directory).keeper
        keeper.kill()
        eventually(lambda: is_over(keeper), "the keeper was not killed")
        server.start()
        assert answers(server.dsn)


def test_a_user_who_leaves_after_the_keeper_was_killed_leaves_no_server(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        running = server_of(directory)
        running.keeper.kill()
        eventually(lambda: is_over(running.keeper), "the keeper was not killed")
    eventually(lambda: is_over(running.postmaster), "the server still runs without its keeper")


def test_a_killed_server_is_started_again_for_its_users(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("create table kept as select 5 as value")
        running = server_of(directory)
        running.postmaster.kill()
        eventually(lambda: is_over(running.postmaster), "the server was not killed")
        eventually(lambda: answers(server.dsn), "the server did not come back")
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("select value from kept").fetchone() == (5,)


def test_a_terminated_keeper_shuts_the_server_down(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        running = server_of(directory)
        running.keeper.terminate()
        eventually(lambda: is_over(running.keeper), "the keeper ignored the signal")
        assert is_over(running.postmaster)
        assert "database system is shut down" in (directory / "postgres.log").read_text()


def test_a_cluster_half_made_by_a_killed_start_is_made_again(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        pass
    (directory / "data").rename(directory / "data.new")
    (directory / "data.new" / "global").rename(directory / "data.new" / "lost")
    with EmbeddedPostgres(directory, durable=False) as server:
        assert answers(server.dsn)
