"""Writes modules for a test, so that a workflow can be loaded in several versions."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

_numbers = itertools.count()


def module_of(text: str, folder: Path, name: str = "") -> ModuleType:
    """Write a module to a file and import it under a unique name."""
    number = next(_numbers)
    path = folder / f"written_{number}.py"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    spec = importlib.util.spec_from_file_location(name or path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
