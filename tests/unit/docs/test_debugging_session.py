"""The session under a debugger that docs/determinism.md shows happens as it is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.unit.docs.blocks import ROOMS, ROOT, blocks

DOCUMENT = ROOT / "docs" / "determinism.md"
PROMPT = "(Pdb) "

# What the file of the document came from: a run that waits, exported.
RECORD = """
import asyncio
from continuum.replays.history_files import history_line
from continuum.testing import env
from seats import book

async def main() -> None:
    async with env() as environment:
        run = await environment.start(book, "ann")
        await environment.settle()
        print(history_line(await environment.history(run.id)))

asyncio.run(main())
"""


def test_the_session_of_the_document_happens_as_it_is_shown(tmp_path: Path) -> None:
    (code,) = [block for block in blocks(DOCUMENT, "python") if "def book(" in block.text]
    (shown,) = [block for block in blocks(DOCUMENT, "console") if "continuum debug" in block.text]
    command, *lines = shown.text.splitlines()
    (tmp_path / "seats.py").write_text(code.text, encoding="utf-8")
    recorded = run([sys.executable, "-c", RECORD], tmp_path)
    (tmp_path / "run.ndjson").write_text(recorded, encoding="utf-8")
    words = shlex.split(command.removeprefix("$ continuum "))
    typed = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
    printed = run([sys.executable, "-m", "continuum.cli", *words], tmp_path, "\n".join(typed) + "\n")
    # A terminal echoes what is typed, and a pipe does not.
    expected = re.sub(rf"^{re.escape(PROMPT)}.*\n", PROMPT, "\n".join(lines) + "\n", flags=re.MULTILINE)
    assert printed == expected.replace("/shop/", f"{tmp_path}/")


def run(words: list[str], folder: Path, typed: str = "") -> str:
    done = subprocess.run(
        words,
        input=typed,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
