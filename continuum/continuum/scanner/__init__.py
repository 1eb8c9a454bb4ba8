"""The determinism scanner: refuses workflow code that replay could not repeat, before it runs.

Read `rules.py` for what is refused and why, `denied_names.py` for the names, `workflow_scan.py` for how far
a scan goes. `on_definition.py` scans when a workflow is defined, `check_files.py` for `continuum check`. The
run-time guard stands behind both and catches what no text can show. Nothing here is loaded before a workflow
is defined.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from continuum.scanner.findings import Finding


def scan(*targets: Callable[..., Any] | ModuleType) -> list[Finding]:
    """Return what is wrong with workflows and pure functions: those given, and those of modules given."""
    from continuum.scanner.on_definition import scan_targets

    return scan_targets(targets)
