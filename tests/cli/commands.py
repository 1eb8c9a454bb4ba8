"""Runs command lines in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from continuum.cli import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`continuum` on one schema."""

    options: tuple[str, ...]
    captured: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Outcome:
        """Run a command on the schema."""
        return self.bare(*arguments, *self.options)

    def bare(self, *arguments: str) -> Outcome:
        """Run a command line as it is."""
        self.captured.readouterr()
        code = main(list(arguments))
        said = self.captured.readouterr()
        return Outcome(code, said.out, said.err)
