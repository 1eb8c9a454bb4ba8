"""The files of the schema can be read together: two changes may each have taken the next number."""

from __future__ import annotations

from continuum_migrations.files import read_files


def test_tables_are_numbered_without_a_gap() -> None:
    assert read_files().tables
