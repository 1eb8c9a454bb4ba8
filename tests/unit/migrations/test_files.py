"""The numbered files: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from continuum_migrations.errors import MigrationFilesWrong
from continuum_migrations.files import Migration, read_migrations


def write(directory: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (directory / f"{name.lstrip('v')}.sql").write_text(text)
    return directory


def test_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, v0002_second="select 2", v0001_first="select 1")
    assert [(each.version, each.name) for each in read_migrations(tmp_path)] == [(1, "first"), (2, "second")]


def test_other_files_are_not_migrations(tmp_path: Path) -> None:
    write(tmp_path, v0001_first="select 1")
    (tmp_path / "README.md").write_text("words")
    assert len(read_migrations(tmp_path)) == 1


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    write(tmp_path, v0001_first="select 1", v0003_third="select 3")
    with pytest.raises(MigrationFilesWrong, match=r"has \[1, 3\]"):
        read_migrations(tmp_path)


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    write(tmp_path, v0001_first="select 1", v0001_also_first="select 1")
    with pytest.raises(MigrationFilesWrong, match=r"has \[1, 1\]"):
        read_migrations(tmp_path)


def test_a_package_without_its_sql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationFilesWrong, match="has none"):
        read_migrations(tmp_path)


@pytest.mark.parametrize("name", ["1_short.sql", "0001-dash.sql", "0001_.sql", "0001_Upper.sql", "0001.sql"])
def test_a_misnamed_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationFilesWrong, match="name it like"):
        read_migrations(tmp_path)


def test_only_the_schema_placeholder_is_replaced() -> None:
    migration = Migration(1, "first", "create table {schema}.t (v jsonb default '{}'); -- {other}")
    assert migration.sql_for('"mine"') == "create table \"mine\".t (v jsonb default '{}'); -- {other}"


def test_line_endings_do_not_change_the_checksum(tmp_path: Path) -> None:
    unix, windows = tmp_path / "unix", tmp_path / "windows"
    for directory, text in ((unix, b"select 1;\nselect 2;\n"), (windows, b"select 1;\r\nselect 2;\r\n")):
        directory.mkdir()
        (directory / "0001_first.sql").write_bytes(text)
    assert read_migrations(unix)[0].checksum == read_migrations(windows)[0].checksum
