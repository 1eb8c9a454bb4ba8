"""The files of a new project: read from the templates, filled in, and written into an empty directory."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from continuum.errors import InvalidOption
from continuum.quoting import quoted
from continuum.release import release

# No tool takes a template for what it becomes, and no file of a package begins with a dot.
SUFFIX = ".template"
_DOT = "dot-"
_PACKAGE = "PACKAGE"
# The size of each secret in the file that compose reads: more than anybody guesses.
SECRET_BYTES = 24


def write_project(directory: Path, name: str) -> list[Path]:
    """Write the files of a new project; return them, in order, below the directory.

    `InvalidOption` if the directory has something in it, or is none.
    """
    try:
        if directory.exists() and any(directory.iterdir()):
            raise InvalidOption(f"{quoted(str(directory))} is not empty; give a new directory")
    except NotADirectoryError:
        raise InvalidOption(f"{quoted(str(directory))} is a file; give a new directory") from None
    written = []
    for path, text in project_files(name).items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(path)
    secret = Path(".env")
    (directory / secret).touch(mode=0o600)
    (directory / secret).write_text(_secrets(), encoding="utf-8")
    return sorted([*written, secret])


def project_files(name: str) -> Mapping[Path, str]:
    """Return the files of a project of this name, without the one that has its secrets."""
    return {
        Path(*(_named(part, name) for part in place)): text.replace("__PACKAGE__", name).replace(
            "__RELEASE__", _least_release()
        )
        for place, text in _templates(files("continuum.development") / "templates", ())
    }


def _templates(folder: Traversable, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _templates(entry, (*above, entry.name))
        elif entry.name.endswith(SUFFIX):
            yield (*above, entry.name.removesuffix(SUFFIX)), entry.read_text(encoding="utf-8")


def _named(part: str, name: str) -> str:
    part = part.replace(_PACKAGE, name)
    return f".{part.removeprefix(_DOT)}" if part.startswith(_DOT) else part


def _least_release() -> str:
    installed = release()
    return "" if installed == "unknown" else f">={installed}"


def _secrets() -> str:
    return (
        "# For compose.yaml alone: not in git. The token signs you in at http://localhost:8400.\n"
        f"POSTGRES_PASSWORD={secrets.token_hex(SECRET_BYTES)}\n"
        f"OBSERVER_TOKEN={secrets.token_hex(SECRET_BYTES)}\n"
    )
