"""The guides: their examples run as tests, and the reference leaves no public name out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import continuum
from continuum import testing
from continuum.journal.audit_facts import Action
from continuum.journal.port import Journal
from tests.unit.docs.blocks import ROOMS, ROOT, blocks

GUIDES = ("workflows", "activities", "signals", "sagas", "children", "from-elixir", "traces")
REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("guide", GUIDES)
def test_the_examples_of_a_guide_pass_as_tests(guide: str, tmp_path: Path) -> None:
    shown = blocks(ROOT / "docs" / f"{guide}.md", "python")
    (tmp_path / "test_guide.py").write_text("\n\n".join(block.text for block in shown), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_the_arrows_of_the_run_states_are_functions_of_the_journal() -> None:
    picture = (ROOT / "docs" / "pictures" / "run-states.svg").read_text(encoding="utf-8")
    arrows = set(re.findall(r'class="edge[^"]*"[^>]*>(\w+)<', picture))
    sql = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "migrations").rglob("*.sql"))
    functions = set(re.findall(r"FUNCTION {schema}\.(\w+)", sql)) | set(dir(Journal))
    assert arrows == {
        *(
            "start",
            "claim_runs",
            "commit_batch",
            "post",
            "force_cancel",
            "retire_worker",
            "release",
            "unblock",
        )
    }
    assert arrows <= functions


def documented() -> set[str]:
    """Every name that a page of the reference lists."""
    pages = [path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md")]
    return {name for page in pages for name in re.findall(r"^\.\. auto\w+:: (\S+)$", page, re.MULTILINE)}


def test_the_reference_lists_every_public_name() -> None:
    public = {f"continuum.{name}" for name in continuum.__all__}
    public |= {f"continuum.testing.{name}" for name in dir(testing) if not name.startswith("_")}
    assert sorted(public - documented()) == []


def test_the_operations_guide_names_every_action_of_the_audit() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [action.value for action in Action if f"`{action.value}`" not in guide] == []
