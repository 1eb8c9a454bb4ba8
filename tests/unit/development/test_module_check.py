"""Modules are imported in a process of their own, which says what they define or why they are refused."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from continuum.development.check_records import CheckedModules
from continuum.development.checker import CheckEnded, Checker

GOOD = """
    from continuum import activity, workflow
    import helping_the_shop

    @activity(name="checked.charge")
    async def charge() -> int:
        return 1

    @workflow(name="checked.order")
    async def order() -> int:
        return await charge()
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a helper, from which modules are imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    (tmp_path / "helping_the_shop.py").write_text("RATE = 1\nprint('a print at import')\n", encoding="utf-8")
    return tmp_path


@contextmanager
def checker() -> Iterator[Checker]:
    """A process that is ended."""
    made = Checker()
    try:
        yield made
    finally:
        made.stop()


def checked(project: Path, text: str, name: str = "checked_shop") -> CheckedModules:
    """Check a module with this text."""
    (project / "checked_shop.py").write_text(textwrap.dedent(text), encoding="utf-8")
    with checker() as made:
        return made.modules([name])


def test_a_check_says_what_is_defined_and_in_which_files(project: Path) -> None:
    found = checked(project, GOOD)
    assert (found.error, found.warnings) == (None, [])
    assert list(found.workflows) == ["checked.order"]
    assert list(found.activities) == ["checked.charge"]
    assert sorted(found.files) == [str(project / "checked_shop.py"), str(project / "helping_the_shop.py")]


def test_a_change_of_a_helper_changes_the_digest(project: Path) -> None:
    before = checked(project, GOOD).digest
    assert checked(project, GOOD).digest == before
    (project / "helping_the_shop.py").write_text("RATE = 2\n", encoding="utf-8")
    assert checked(project, GOOD).digest != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nraise ValueError('no')\n", "ValueError: no\n  at checked_shop.py:2: raise ValueError('no')"),
        ("def broken(:\n", "SyntaxError: "),
        ("import no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        (
            "import time, continuum as c\n@c.workflow\nasync def flow() -> float:\n    return time.time()\n",
            "time.time",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_refused_with_the_reason(
    project: Path, text: str, said: str
) -> None:
    found = checked(project, text)
    assert found.error is not None
    assert said in found.error
    assert not found.wrong_use
    # Its folder is watched all the same.
    assert str(project / "checked_shop.py") in found.files


def test_a_module_that_is_not_there_is_wrong_use(project: Path) -> None:
    found = checked(project, GOOD, "no_such_shop")
    assert found.wrong_use
    assert (found.error or "").startswith("there is no module 'no_such_shop'")


def test_a_module_that_ends_its_process_has_no_answer(project: Path) -> None:
    with pytest.raises(CheckEnded):
        checked(project, "import os\nos._exit(3)\n")


def test_a_check_that_is_stopped_has_no_answer() -> None:
    with checker() as made:
        made.stop()
        with pytest.raises(CheckEnded):
            made.modules(["checked_shop"])
