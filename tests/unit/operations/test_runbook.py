"""The runbook has a section for each code that an explanation may have, and is made from the same table."""

from __future__ import annotations

import re
from pathlib import Path

from continuum.operations import runbook as module
from continuum.operations.causes import CAUSES
from continuum.operations.runbook import runbook

ROOT = Path(__file__).parents[3]
OPERATIONS = ROOT / "continuum" / "continuum" / "operations"
# How the sources name a code: the first argument of a cause.
NAMED = re.compile(r'Cause\(\s*"(\w+)"')
BLOCKED_BY = {"drift", "input", "poison", "corrupt"}


def test_the_runbook_is_current() -> None:
    written = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert written == runbook(), f"write it anew: python -m {module.__name__} > docs/runbook.md"


def test_every_code_has_a_section_and_no_other_has_one() -> None:
    sections = re.findall(r"^## .+\n\n`(\w+)`$", runbook(), re.MULTILINE)
    assert sections == list(CAUSES)


def test_the_table_has_the_codes_that_explanations_have() -> None:
    used = {code for path in OPERATIONS.glob("*.py") for code in NAMED.findall(path.read_text("utf-8"))}
    assert used | BLOCKED_BY == set(CAUSES)


def test_every_code_is_made_for_real_by_a_test() -> None:
    made = "".join(
        path.read_text("utf-8") for path in (ROOT / "tests" / "process" / "operations").glob("test_*.py")
    )
    assert [code for code in CAUSES if f'"{code}")' not in made] == []
