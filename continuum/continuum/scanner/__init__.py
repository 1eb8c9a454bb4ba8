"""The determinism scanner: refuses workflow code that replay could not repeat, before it runs.

Read `rules.py` for what is refused and why, `denied_names.py` for the names, `workflow_scan.py` for how far
a scan goes. `on_definition.py` scans when a workflow is defined, `check_files.py` for `continuum check`. The
run-time guard (`continuum.guard`) catches what cannot be seen in the text. Importing `continuum` does not
load the scanner; the first workflow definition does.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from continuum.scanner.findings import Finding


def scan(*targets: Callable[..., Any] | ModuleType) -> list[Finding]:
    """Return the findings in the given workflows and pure functions, and in those of the given modules."""
    from continuum.scanner.on_definition import scan_targets

    return scan_targets(targets)
