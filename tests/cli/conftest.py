"""The command line on a fresh schema, and a shop on disk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import CommandLine
from tests.cli.shop import Shop, numbers


@pytest.fixture
def cli(
    dsn: str, schema: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command line, in an environment that names the same database."""
    monkeypatch.setenv("CONTINUUM_DSN", dsn)
    return CommandLine(("--dsn", dsn, "--schema", schema), capsys)


@pytest.fixture
def shop(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A module with a name of its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    name = f"cli_shop_{next(numbers)}"
    yield Shop(tmp_path, name, cli)
    for loaded in [loaded for loaded in sys.modules if loaded.startswith(name)]:
        del sys.modules[loaded]
