"""The digest of the loaded code: the same until other code is deployed, also outside a workflow's module."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from continuum import workflow
from continuum.versions.loaded_code import Code


@workflow(name="digest.flow")
async def flow() -> None:
    """Do nothing."""


def place_module(monkeypatch: pytest.MonkeyPatch, name: str, file: Path, text: str) -> None:
    """Have a module loaded from a file with this text."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    module = ModuleType(name)
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, name, module)


def test_the_same_code_has_the_same_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for release in ("one", "two"):
        place_module(monkeypatch, "digest_helper", tmp_path / release / "helper.py", "RATE = 1")
        if release == "one":
            digest = Code([flow]).digest
    assert Code([flow]).digest == digest


def test_a_change_of_a_module_that_workflows_use_changes_the_digest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place_module(monkeypatch, "digest_helper", tmp_path / "helper.py", "RATE = 1")
    digest = Code([flow]).digest
    place_module(monkeypatch, "digest_helper", tmp_path / "helper.py", "RATE = 2")
    assert Code([flow]).digest != digest


def test_the_engine_and_installed_packages_are_no_code_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = Code([flow]).digest
    for name in ("continuum.cli.main", "pytest", "json.decoder"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert Code([flow]).digest == digest
