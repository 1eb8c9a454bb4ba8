"""Imports modules in a process of its own, and says what they define, or why they cannot be imported.

`python -m continuum.development.module_check` reads two lines of JSON from standard input and answers each
with one: first the modules, then the database, whose open runs the loaded code would have to continue.
`checker.py` is the other side.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from continuum.development.check_records import (
    LOOKED_AT_RUNS,
    CheckedModules,
    CheckedOpenRuns,
    LeftRun,
)
from continuum.drift.deploy_check import Finding, OpenRunsCheck
from continuum.errors import DeterminismError, InvalidOption
from continuum.journal.postgres import PostgresJournal
from continuum.scanner.check_files import scan_definitions
from continuum.scanner.findings import errors_of
from continuum.scanner.module import module_in_file, package_of
from continuum.scanner.other_modules import locate
from continuum.scanner.project_settings import trust_of_project
from continuum.versions.code_digest import user_modules
from continuum.versions.loaded_code import Code, load_code


def main() -> None:
    """Answer the two requests; end when the other side does."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What the user's modules print while they are imported is for people.
    os.dup2(2, 1)
    request = _read()
    if request is None:
        return
    sys.path[:] = request["path"]
    sys.dont_write_bytecode = True
    modules = request["modules"]
    checked, code = check_modules(modules)
    _answer(answers, asdict(checked))
    if code is None or (request := _read()) is None:
        return
    _answer(answers, asdict(asyncio.run(check_runs(code, modules, request["dsn"], request["schema"]))))


def check_modules(modules: Sequence[str]) -> tuple[CheckedModules, Code | None]:
    """Import modules and scan their definitions; without code if they are not to be served."""
    try:
        code = load_code(modules)
        warnings = []
        for finding in _findings(modules):
            if errors_of([finding]):
                return _refused(modules, str(finding)), None
            warnings.append(str(finding))
    except InvalidOption as error:
        return _refused(modules, str(error), wrong_use=True), None
    except DeterminismError as error:
        return _refused(modules, str(error), error), None
    except BaseException as error:  # noqa: BLE001 - the user's module may raise anything, SystemExit too
        place = "" if isinstance(error, SyntaxError) else _place_of(error)
        return _refused(modules, f"{_said_by(error)}{place}", error), None
    used = sorted(each.name for each in code.activities.values())
    return CheckedModules(code.digest, sorted(code.workflows), used, warnings, _files(modules), None), code


async def check_runs(code: Code, modules: Sequence[str], dsn: str, schema: str) -> CheckedOpenRuns:
    """Return which open runs this code could not continue, of the oldest ones by id."""
    journal = PostgresJournal(dsn, schema=schema, listen=False, read_only=True)
    await journal.open()
    looked_at = 0
    try:
        check = OpenRunsCheck(journal, code, modules)
        async with aclosing(check.pages()) as pages:
            async for runs in pages:
                looked_at += runs
                if looked_at >= LOOKED_AT_RUNS:
                    break
    finally:
        await journal.close()
    found = check.result().findings
    return CheckedOpenRuns([_left(finding) for finding in found], looked_at)


def _left(finding: Finding) -> LeftRun:
    reason = finding.reason
    if finding.mismatch is not None:
        at = f" at {finding.mismatch.where}" if finding.mismatch.where else ""
        reason = (
            f"event {finding.mismatch.position}: the history has {finding.mismatch.journal}, "
            f"the code {finding.mismatch.code}{at}"
        )
    return LeftRun(finding.run_id, finding.workflow, reason, finding.suggestion)


def _findings(modules: Sequence[str]) -> Iterator[Any]:
    trust = trust_of_project()
    for name in modules:
        path = locate(name)
        scanned = None if path is None else module_in_file(os.path.relpath(path), package_of(name, path))
        if scanned is not None:
            yield from sorted(set(scan_definitions(scanned, trust)))


def _refused(
    modules: Sequence[str], said: str, error: BaseException | None = None, *, wrong_use: bool = False
) -> CheckedModules:
    places = [] if error is None else [frame.filename for frame in _frames_of(error)]
    if isinstance(error, SyntaxError) and error.filename is not None:
        places.append(error.filename)
    return CheckedModules("", [], [], [], _files(modules, places), said, wrong_use)


def _said_by(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _place_of(error: BaseException) -> str:
    """Return the line of the user's code at which an import has ended."""
    users = _frames_of(error)
    if not users:
        return ""
    return f"\n  at {os.path.relpath(users[-1].filename)}:{users[-1].lineno}: {users[-1].line}"


def _frames_of(error: BaseException) -> list[traceback.FrameSummary]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.exists(frame.filename)]
    own = os.path.dirname(os.path.dirname(__file__))
    return [frame for frame in frames if not frame.filename.startswith(own)]


def _files(modules: Sequence[str], others: Sequence[str] = ()) -> dict[str, int]:
    """Return the files of the user's code with the times of their last change, as far as they were loaded."""
    found = {str(Path(file).absolute()) for file in (*user_modules().values(), *others)}
    found |= {str(Path(path).absolute()) for name in modules if (path := locate(name)) is not None}
    times = {}
    for file in sorted(found):
        try:
            times[file] = os.stat(file).st_mtime_ns
        except OSError:
            continue
    return times


def _read() -> dict[str, Any] | None:
    line = sys.stdin.readline()
    request: dict[str, Any] | None = json.loads(line) if line.strip() else None
    return request


def _answer(answers: TextIO, record: dict[str, Any]) -> None:
    try:
        answers.write(json.dumps(record) + "\n")
        answers.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
