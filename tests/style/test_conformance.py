"""The conformance table: every row of the checklist once, every test it names there, and the links both ways.

A new group in `tests/CONFORMANCE.md` needs its numbers here.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.style.source import ROOT, suite

TABLE = ROOT / "tests" / "CONFORMANCE.md"
# Replaces a test where we do something else on purpose.
NOT_APPLICABLE = "n/a: "
LEAST_WORDS_OF_A_REASON = 2
MOST_WORDS_OF_A_ROW = 12

# The checklist, by group: the numbers that there are.
CHECKLIST = {
    "AST": "1-5 7-11 14-16 18-23 25-27 29-31 33-37 40-42",
    "CMP": "2-8 10-17 19-20 22-26 28-53",
    "SLK": "1-12",
    "DUR": "1-4",
    "POL": "2-9",
    "RPL": "2-4 6-12 15-17 19-20",
    "PRP": "1-4 6-7",
    "RPG": "1-6",
    "PAT": "1-7 9-10",
    "SAG": "1-2 5-6",
    "SEC": "1-2",
    "SIG": "1-4",
    "SNF": "1-5",
    "LOG": "2",
    "THP": "1-6 8",
    "PAR": "1-7",
    "GLD": "1-2",
    "VRG": "2-6",
    "VRD": "1",
    "DOC": "1",
    "ACT": "2-6 8-10 12 15-17 19-21 23-29",
    "CON": "1 3-4",
    "AWT": "1-3",
    "CAN": "1-12",
    "EFC": "1",
    "ENG": "1-3",
    "CHD": "1-2 7-8",
    "CNT": "1-4 6-10 12-14",
    "MAE": "1-5",
    "MJN": "2",
    "MSB": "1-2 4-6",
    "JCT": "1",
    "JRS": "1-6",
    "PCM": "1-3",
    "SRT": "1-6 8-17",
    "TMW": "1 5-6 9 11",
    "SNP": "1-4 6 8",
    "UNK": "1-2",
    "VDP": "1 3",
    "PGJ": "1-4 6-9 12-15 19-27 29",
    "ICR": "1",
    "ISG": "1",
    "ICH": "1",
    "FIJ": "2",
    "ING": "1-6",
    "NSP": "1-4",
    "NSC": "1-3",
    "ATR": "1-3",
    "SCH": "1-5 7-8",
    "AOP": "1-2",
    "AOM": "1",
    "OBN": "2-11",
    "AUD": "2-3",
    "VCK": "1-3",
    "ARC": "1-4",
    "TEL": "1-2",
    "DSP": "4-9",
    "RCV": "1-3",
    "CLA": "1",
    "CLB": "1",
    "CLC": "1",
    "CLD": "1",
    "CLE": "1",
    "CLF": "1",
    "CLG": "1",
    "B": "1-80",
    "C": "1-21",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    id: str
    what: str
    cell: str

    @property
    def tests(self) -> list[str]:
        """The tests it names, as `path::name`."""
        return re.findall(r"`([^`]+)`", self.cell) if not self.cell.startswith(NOT_APPLICABLE) else []


@cache
def rows() -> tuple[Row, ...]:
    """Read the table."""
    return tuple(_rows(TABLE.read_text(encoding="utf-8")))


def _rows(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith(("| id |", "|---")):
            id, what, cell = (column.strip() for column in line.strip("|").split("|"))
            yield Row(id, what, cell)


def checklist() -> list[str]:
    """Return every id there is."""
    return [f"{group}{number}" for group, numbers in CHECKLIST.items() for number in _numbers(numbers)]


def _numbers(ranges: str) -> Iterator[int]:
    for each in ranges.split():
        first, _, last = each.partition("-")
        yield from range(int(first), int(last or first) + 1)


@cache
def remarks() -> dict[str, str]:
    """Return what each test says beside its code, its docstring and its comments, by `path::name`."""
    said = {}
    for module in suite():
        lines = module.text.splitlines()
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                said[f"{module.path}::{node.name}"] = "\n".join(_remarks(node, lines))
    return said


def _remarks(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> Iterator[str]:
    yield ast.get_docstring(node) or ""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    for line in lines[first : node.end_lineno]:
        _, _, comment = line.partition("#")
        yield comment


def test_every_row_of_the_checklist_is_in_the_table_once() -> None:
    assert sorted(Counter(row.id for row in rows()).items()) == sorted((id, 1) for id in checklist())


def test_every_row_says_what_is_to_hold_and_which_test_holds_it() -> None:
    silent = [row.id for row in rows() if not row.what or len(row.what.split()) > MOST_WORDS_OF_A_ROW]
    untested = [row.id for row in rows() if not row.tests and not row.cell.startswith(NOT_APPLICABLE)]
    assert (silent, untested) == ([], [])


def test_rows_that_do_not_apply_have_a_reason() -> None:
    reasons = {
        row.id: row.cell.removeprefix(NOT_APPLICABLE) for row in rows() if row.cell.startswith(NOT_APPLICABLE)
    }
    assert [id for id, why in reasons.items() if len(why.split()) < LEAST_WORDS_OF_A_REASON] == []


def test_every_test_that_is_named_is_there() -> None:
    assert [(row.id, test) for row in rows() for test in row.tests if test not in remarks()] == []


def test_every_test_that_is_named_names_its_row() -> None:
    assert [
        (row.id, test)
        for row in rows()
        for test in row.tests
        if not re.search(rf"\b{row.id}\b", remarks().get(test, ""))
    ] == []
