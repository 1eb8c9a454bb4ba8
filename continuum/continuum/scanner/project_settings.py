"""What a project's pyproject.toml says about the scan of its code, in the table `[tool.continuum]`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from continuum.errors import InvalidOption
from continuum.quoting import quoted
from continuum.scanner.configuration import Trust, Untrusted


def trust_of_project(trusted: Sequence[str] = (), untrusted: str | None = None) -> Trust:
    """Return the trust that the project's file and these options give together."""
    settings = _settings()
    unknown = sorted(set(settings) - {"trusted", "untrusted"})
    if unknown:
        raise InvalidOption(f"[tool.continuum] takes trusted and untrusted, not {', '.join(unknown)}")
    listed = settings.get("trusted", [])
    if not isinstance(listed, list):
        raise InvalidOption(f"trusted in [tool.continuum] is a list of module names, not {quoted(listed)}")
    return Trust((*listed, *trusted), cast("Untrusted", untrusted or settings.get("untrusted", "warn")))


def _settings() -> dict[str, Any]:
    here = Path.cwd()
    path = next(
        (one for folder in (here, *here.parents) if (one := folder / "pyproject.toml").is_file()), None
    )
    if path is None:
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("continuum", {})
    except tomllib.TOMLDecodeError as error:
        raise InvalidOption(f"{path} is not TOML: {error}") from error
    if not isinstance(settings, dict):
        raise InvalidOption(f"[tool.continuum] in {path} is a table")
    return settings
