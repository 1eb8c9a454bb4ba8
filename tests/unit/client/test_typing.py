"""A wrong call is refused before it runs: by the type checker."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="the type checker belongs to the lint extra")

ROOT = Path(__file__).parents[3]
CALLS = Path(__file__).with_name("typed_calls.py")


def test_right_calls_are_accepted_and_each_wrong_one_is_refused() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--follow-imports=silent"]
    done = subprocess.run([*command, str(CALLS)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    told = {int(line) for line in re.findall(r"typed_calls\.py:(\d+): error", done.stdout)}
    assert told == wrong_lines(), done.stdout + done.stderr


def wrong_lines() -> set[int]:
    """The lines of the function that is all mistakes."""
    for node in ast.parse(CALLS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "refused":
            return {statement.lineno for statement in node.body[1:]}
    raise AssertionError("there is no function of mistakes")
