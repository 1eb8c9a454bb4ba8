"""The command line on a fresh schema."""

from __future__ import annotations

import pytest

from tests.cli.commands import CommandLine


@pytest.fixture
def cli(dsn: str, schema: str, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line."""
    return CommandLine(("--dsn", dsn, "--schema", schema), capsys)
