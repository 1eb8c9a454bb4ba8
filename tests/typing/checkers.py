"""Runs the type checkers as a user's editor would: on files of his own, with the product beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = [ROOT / room for room in ("continuum", "actors", "supervision", "migrations")]

# A checker that starts with a cold cache on a busy machine reads all of the product first.
PATIENCE_S = 280

Complaints = dict[tuple[str, int], str]
"""What is wrong, by file and line."""


def mypy(files: Sequence[Path], directory: Path) -> Complaints:
    """Return what `mypy --strict` says about `files`, which import each other from `directory`."""
    configuration = directory / "mypy.ini"
    path = ":".join(map(str, [directory, *ROOMS]))
    configuration.write_text(
        "[mypy]\nstrict = true\npython_version = 3.11\nnamespace_packages = true\n"
        f"explicit_package_bases = true\nmypy_path = {path}\n"
        "[mypy-thespian.*,msgpack.*]\nignore_missing_imports = true\n"
    )
    said = _run("mypy", "--config-file", configuration, "--output", "json", *files)
    lines = [json.loads(line) for line in said.split("\n") if line]
    return {
        (Path(line["file"]).name, line["line"]): line["message"]
        for line in lines
        if line["severity"] == "error"
    }


def pyright(files: Sequence[Path], directory: Path) -> Complaints:
    """Return what pyright says about `files`, which import each other from `directory`."""
    settings = {
        "include": [str(file) for file in files],
        "extraPaths": [str(room) for room in (directory, *ROOMS)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
    }
    (directory / "pyrightconfig.json").write_text(json.dumps(settings))
    said = _run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", directory)
    return {
        (Path(line["file"]).name, line["range"]["start"]["line"] + 1): line["message"]
        for line in json.loads(said)["generalDiagnostics"]
        if line["severity"] == "error"
    }


def _run(checker: str, *arguments: object) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", checker, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    # Zero: nothing is wrong; one: something is.
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    return ended.stdout
