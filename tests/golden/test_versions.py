"""Runs store the hash of a version: the same code keeps it for ever, on every supported Python."""

from __future__ import annotations

from pathlib import Path

from continuum.source.content_hash import content_hash
from continuum.source.module_source import module_source
from tests.unit.versions.written_modules import module_of

EVERY_SYNTAX = Path(__file__).parent / "versions" / "every_syntax.txt"


def test_every_kind_of_syntax_keeps_its_hash(tmp_path: Path) -> None:
    """B14: another compiler does not make another version."""
    module = module_of(EVERY_SYNTAX.read_text(encoding="utf-8"), tmp_path)
    found = content_hash(module.every_syntax, module_source(module.every_syntax))
    assert found == "d5dde94e9165755e65b38fca66f3b807"
