"""The document of the findings has a row for each code, as the table of the code says it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from continuum.operations.doctor_codes import DOCTOR_CODES
from continuum.operations.findings import Code, table_of
from continuum.operations.health_codes import HEALTH_CODES

DOCUMENT = Path(__file__).parents[3] / "docs" / "health.md"
TABLES = {"health": HEALTH_CODES, "doctor": DOCTOR_CODES}


@pytest.mark.parametrize("command", TABLES)
def test_the_document_has_the_table_of_each_command(command: str) -> None:
    """If it fails, put what `table_of` returns into the document."""
    codes: Mapping[str, Code] = TABLES[command]
    assert table_of(codes) in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("codes", TABLES.values(), ids=TABLES)
def test_a_code_has_a_meaning_and_a_way_out(codes: Mapping[str, Code]) -> None:
    silent = [code for code, (_, meaning, out) in codes.items() if not meaning or not out]
    assert silent == []
