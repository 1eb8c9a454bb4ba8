"""The file of tokens: who may see an observer."""

from __future__ import annotations

from pathlib import Path

import pytest

from continuum.errors import InvalidOption
from continuum.observer.guarding.token_file import read_tokens
from continuum.observer.visitor import Role, Visitor

TOKEN = "0123456789abcdef"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file of tokens."""
    file = folder / "tokens"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_each_line_is_a_visitor(tmp_path: Path) -> None:
    file = written(tmp_path, f"# who\n\nadmin ada {TOKEN}\n  viewer vic {TOKEN}2\n")
    assert read_tokens(file) == {
        TOKEN: Visitor("ada", Role.ADMIN),
        f"{TOKEN}2": Visitor("vic", Role.VIEWER),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"admin {TOKEN}", "line 1 .* ROLE NAME TOKEN"),
        (f"king ada {TOKEN}", "viewer, operator, admin"),
        ("admin ada short", "openssl"),
        (f"admin ada {TOKEN}\nviewer vic {TOKEN}", "line 2 .* earlier"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        read_tokens(written(tmp_path, text))


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="chmod 600"):
        read_tokens(written(tmp_path, f"admin ada {TOKEN}", 0o640))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="missing"):
        read_tokens(tmp_path / "missing")
