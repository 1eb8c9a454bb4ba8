"""The files of SQL: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from continuum_migrations.errors import MigrationFilesWrong
from continuum_migrations.files import SqlFile, read_files


def write(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(f"select '{name}'")
    return directory


def test_tables_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, "tables/0002_second.sql", "tables/0001_first.sql")
    assert [file.name for file in read_files(tmp_path).tables] == [
        "tables/0001_first.sql",
        "tables/0002_second.sql",
    ]


def test_functions_are_read_by_name(tmp_path: Path) -> None:
    write(tmp_path, "tables/0001_first.sql", "functions/tasks.sql", "functions/claims.sql")
    assert [file.name for file in read_files(tmp_path).functions] == [
        "functions/claims.sql",
        "functions/tasks.sql",
    ]


def test_other_files_are_not_sql(tmp_path: Path) -> None:
    write(tmp_path, "tables/0001_first.sql", "tables/README.md", "functions/README.md")
    read = read_files(tmp_path)
    assert (len(read.tables), len(read.functions)) == (1, 0)


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "tables/0001_first.sql", "tables/0003_third.sql")
    with pytest.raises(MigrationFilesWrong, match=r"has \[1, 3\]"):
        read_files(tmp_path)


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "tables/0001_first.sql", "tables/0001_also_first.sql")
    with pytest.raises(MigrationFilesWrong, match=r"has \[1, 1\]"):
        read_files(tmp_path)


def test_a_package_without_its_sql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationFilesWrong, match="has none"):
        read_files(tmp_path)


@pytest.mark.parametrize("name", ["1_short.sql", "0001-dash.sql", "0001_.sql", "0001_Upper.sql", "0001.sql"])
def test_a_misnamed_file_of_tables_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MigrationFilesWrong, match="name it like 0007_add_queues"):
        read_files(write(tmp_path, f"tables/{name}"))


@pytest.mark.parametrize("name", ["Upper.sql", "with-dash.sql", ".sql"])
def test_a_misnamed_file_of_functions_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MigrationFilesWrong, match="name it like claims"):
        read_files(write(tmp_path, "tables/0001_first.sql", f"functions/{name}"))


def test_only_the_schema_placeholder_is_replaced() -> None:
    file = SqlFile("tables/0001_first.sql", "create table {schema}.t (v jsonb default '{}'); -- {other}")
    assert file.sql_for("mine") == "create table \"mine\".t (v jsonb default '{}'); -- {other}"


def test_line_endings_do_not_change_the_checksum(tmp_path: Path) -> None:
    unix, windows = tmp_path / "unix", tmp_path / "windows"
    for directory, text in ((unix, b"select 1;\nselect 2;\n"), (windows, b"select 1;\r\nselect 2;\r\n")):
        (directory / "tables").mkdir(parents=True)
        (directory / "tables/0001_first.sql").write_bytes(text)
    assert read_files(unix).tables[0].checksum == read_files(windows).tables[0].checksum
