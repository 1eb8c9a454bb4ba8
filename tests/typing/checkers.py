"""Runs the type checkers as a user's editor does: on the user's files, with the product on the path."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = [ROOT / room for room in ("continuum", "actors", "supervision", "migrations")]

# A checker that starts with a cold cache on a busy machine reads all of the product first.
TIMEOUT_S = 600

Complaints = dict[tuple[str, int], str]
"""Error messages by file and line."""


def mypy(files: Sequence[Path], directory: Path) -> Complaints:
    """Return the errors of `mypy --strict` for `files`, which import each other from `directory`."""
    configuration = directory / "mypy.ini"
    path = ":".join(map(str, [directory, *ROOMS]))
    configuration.write_text(
        "[mypy]\nstrict = true\npython_version = 3.11\nnamespace_packages = true\n"
        f"explicit_package_bases = true\nmypy_path = {path}\n"
        "[mypy-thespian.*,msgpack.*]\nignore_missing_imports = true\n"
    )
    output = _run("mypy", "--config-file", configuration, "--output", "json", *files)
    lines = [json.loads(line) for line in output.split("\n") if line]
    return {
        (Path(line["file"]).name, line["line"]): line["message"]
        for line in lines
        if line["severity"] == "error"
    }


def pyright(files: Sequence[Path], directory: Path) -> Complaints:
    """Return the errors of pyright for `files`, which import each other from `directory`."""
    settings = {
        "include": [str(file) for file in files],
        "extraPaths": [str(room) for room in (directory, *ROOMS)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
    }
    (directory / "pyrightconfig.json").write_text(json.dumps(settings))
    output = _run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", directory)
    return {
        (Path(line["file"]).name, line["range"]["start"]["line"] + 1): line["message"]
        for line in json.loads(output)["generalDiagnostics"]
        if line["severity"] == "error"
    }


def _run(checker: str, *arguments: object) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", checker, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    # 0: no errors; 1: errors.
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    return ended.stdout
