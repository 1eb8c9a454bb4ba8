"""Whether `compensate_all` has anything to undo in a workflow."""

from __future__ import annotations

import ast

from continuum.scanner import rules
from continuum.scanner.module import ScannedModule
from continuum.scanner.other_modules import decorators_of
from continuum.scanner.reached import Reached
from continuum.scanner.resolution import Dotted, Local, Resolved


class UndoSeen:
    """What one scan has seen of compensations: who undoes all, and whether any activity notes how."""

    def __init__(self) -> None:
        self.undoing: tuple[Reached, ast.Call] | None = None
        self.bare = False
        self.noted = False

    def see(self, module: ScannedModule, reached: Reached, node: ast.Call, resolved: Resolved) -> None:
        """Take note of a call."""
        if resolved == Dotted("continuum.compensate_all"):
            self.undoing = self.undoing or (reached, node)
        elif isinstance(resolved, Local):
            self.bare = self.bare or "continuum.activity" in dict(decorators_of(module, resolved.node))
        if isinstance(node.func, ast.Attribute) and node.func.attr == "options":
            # `**options` may hold one; `compensate=None` says that there is nothing to undo.
            self.noted = self.noted or any(one.arg in ("compensate", None) for one in node.keywords)
        if resolved == Dotted("continuum.saga().add"):
            self.noted = True

    def finding(self) -> tuple[Reached, ast.Call, rules.Rule] | None:
        """Return what to tell once everything was walked."""
        if self.undoing is None or self.noted or not self.bare:
            return None
        return (*self.undoing, rules.NOTHING_TO_UNDO)
