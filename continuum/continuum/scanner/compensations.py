"""Whether `compensate_all` has anything to undo in a workflow."""

from __future__ import annotations

import ast

from continuum.scanner import rules
from continuum.scanner.module import ScannedModule
from continuum.scanner.other_modules import decorators_of
from continuum.scanner.reached import Reached
from continuum.scanner.resolution import Dotted, Local, Resolved


class CompensationsSeen:
    """What one scan has seen: the first `compensate_all`, and activities with and without compensation."""

    def __init__(self) -> None:
        self._compensate_all: tuple[Reached, ast.Call] | None = None
        self._plain_activity = False
        self._compensation = False

    def record_call(
        self, module: ScannedModule, reached: Reached, node: ast.Call, resolved: Resolved
    ) -> None:
        """Record a call that concerns compensations."""
        if resolved == Dotted("continuum.compensate_all"):
            self._compensate_all = self._compensate_all or (reached, node)
        elif isinstance(resolved, Local):
            declared = "continuum.activity" in dict(decorators_of(module, resolved.node))
            self._plain_activity = self._plain_activity or declared
        if isinstance(node.func, ast.Attribute) and node.func.attr == "options":
            # `**options` may contain one; `compensate=None` states that there is nothing to undo.
            given = any(one.arg in ("compensate", None) for one in node.keywords)
            self._compensation = self._compensation or given
        if resolved == Dotted("continuum.saga().add"):
            self._compensation = True

    def finding(self) -> tuple[Reached, ast.Call, rules.Rule] | None:
        """Return what to report after the whole workflow was walked."""
        if self._compensate_all is None or self._compensation or not self._plain_activity:
            return None
        return (*self._compensate_all, rules.NOTHING_TO_UNDO)
