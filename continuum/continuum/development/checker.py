"""Checks modules in a process that was started ahead: a save costs the import of the modules alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from continuum.development.check_records import CheckedModules, CheckedOpenRuns


class CheckEnded(Exception):
    """The process has ended without an answer: it was stopped, or the user's code has ended it."""


class Checker:
    """One process that checks modules once; `start` it ahead of the save that it is for."""

    def __init__(self) -> None:
        # No Ctrl-C of the terminal, which the process that asks deals with.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "continuum.development.module_check"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def modules(self, names: Sequence[str]) -> CheckedModules:
        """Import these modules as this process would; raise `CheckEnded` when it was stopped meanwhile."""
        return CheckedModules(**self._ask({"modules": list(names), "path": sys.path}))

    def open_runs(self, dsn: str, schema: str) -> CheckedOpenRuns:
        """Return which open runs of a database the modules could not continue."""
        return CheckedOpenRuns.from_json(self._ask({"dsn": dsn, "schema": schema}))

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # what was not read is lost with the process

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except (OSError, ValueError) as error:
            raise CheckEnded(str(error)) from error
        if not line:
            raise CheckEnded("the process that imports the modules has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
