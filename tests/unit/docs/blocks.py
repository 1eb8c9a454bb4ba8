"""The fenced blocks of our documents, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROOMS = ("continuum", "actors", "supervision", "migrations")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = ("sh", "console")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language and its text."""

    language: str
    text: str

    def commands(self) -> list[str]:
        """The command lines of a shell block; in a console block those after a prompt."""
        if self.language == "sh":
            return self.text.splitlines()
        return [line.removeprefix("$ ") for line in self.text.splitlines() if line.startswith("$ ")]

    def answers(self) -> list[str]:
        """The lines a console block shows as answers."""
        return [line for line in self.text.splitlines() if not line.startswith("$ ")]


def documents() -> list[Path]:
    """Every document of the project, history aside."""
    rooms = [ROOT / room / "README.md" for room in (*ROOMS, "tests", "bench")]
    root = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")]
    found = [*root, *rooms, *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in found if path.exists()]


def blocks(path: Path, *languages: str) -> list[Block]:
    """The blocks of these languages, in order."""
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [Block(language, text) for language, text in found if language in languages]


def continuum_calls(path: Path) -> list[list[str]]:
    """Every call of `continuum` in the shell blocks, split into words."""
    calls = []
    for block in blocks(path, *SHELLS):
        for command in block.commands():
            inner = re.sub(r"^\w+=\$\((.*)\)$", r"\1", command.split("  #")[0])
            words = shlex.split(inner)
            if words[:1] == ["continuum"]:
                calls.append(words[1:])
    return calls
