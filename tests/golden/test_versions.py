"""The hash of a version is stored with runs: the same code has it for ever, on every supported Python."""

from __future__ import annotations

from pathlib import Path

from continuum.source.content_hash import content_hash
from continuum.source.module_source import module_source
from tests.unit.versions.written_modules import module_of

EVERY_SYNTAX = Path(__file__).parent / "versions" / "every_syntax.txt"


def test_every_kind_of_syntax_has_the_hash_it_had(tmp_path: Path) -> None:
    """B14: another compiler is not another version."""
    module = module_of(EVERY_SYNTAX.read_text(encoding="utf-8"), tmp_path)
    found = content_hash(module.every_syntax, module_source(module.every_syntax))
    assert found == "d5dde94e9165755e65b38fca66f3b807"
