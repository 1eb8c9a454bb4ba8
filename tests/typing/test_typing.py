"""Type checkers accept the examples and find ten mistakes, each on its line."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.typing import checkers

Checker: TypeAlias = Callable[[Sequence[Path], Path], checkers.Complaints]

MISTAKES = Path(__file__).with_name("mistakes.py")
EXAMPLES = checkers.ROOT / "examples"
MARKER = "# WRONG"


@pytest.fixture(params=["mypy", "pyright"])
def check(request: pytest.FixtureRequest) -> Checker:
    """Either checker; `make lint` installs both."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; run `make lint` first")
    checker: Checker = getattr(checkers, request.param)
    return checker


def test_the_examples_are_accepted(check: Checker, tmp_path: Path) -> None:
    copies = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copies, ignore=shutil.ignore_patterns("__pycache__"))
    assert check(sorted(copies.rglob("*.py")), copies) == {}


def test_ten_mistakes_are_found_and_nothing_else(check: Checker, tmp_path: Path) -> None:
    first, *lines = MISTAKES.read_text().splitlines()
    assert first == "# mypy: ignore-errors"
    file = tmp_path / MISTAKES.name
    file.write_text("\n".join(lines))
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith(MARKER)}
    assert len(wrong) == 10
    assert {line for _, line in check([file], tmp_path)} == wrong
