"""The determinism scanner: refuses workflow code that replay could not repeat, before it runs.

Read `rules.py` for what is refused and why, `denied.py` for the names, `scanning.py` for how far a scan
goes. `defining.py` scans when a workflow is defined, `files.py` for `continuum check`; the run-time guard
stands behind both and catches what no text can show. Nothing here is loaded before a workflow is defined.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from continuum.scanner.findings import Finding


def scan(*targets: Callable[..., Any] | ModuleType) -> list[Finding]:
    """Return what is wrong with workflows and pure functions: those given, and those of modules given."""
    from continuum.scanner.defining import scan_targets

    return scan_targets(targets)
