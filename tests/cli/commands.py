"""Runs command lines in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from continuum.cli import main
from continuum.journal.postgres.database_name import database_name


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The printed output, parsed as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs `continuum` on one schema."""

    options: tuple[str, ...]
    captured: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Outcome:
        """Run a command on the schema."""
        return self.bare(*arguments, *self.options)

    def bare(self, *arguments: str) -> Outcome:
        """Run a command line without added options."""
        self.captured.readouterr()
        code = main(list(arguments))
        printed = self.captured.readouterr()
        return Outcome(code, printed.out, printed.err)


def place(cli: CommandLine) -> str:
    """Return how answers name the schema and the database of a command line."""
    return f"schema {cli.options[3]} of {database_name(cli.options[1])}"
