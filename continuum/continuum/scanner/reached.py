"""A function that a scan walks, and the chain of calls that leads to it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from continuum.scanner.resolution import LocalClass
from continuum.scanner.scopes import FunctionNode, Scope


@dataclass(frozen=True, slots=True)
class Reached:
    """A function to walk: where it is defined, which function called it, and how."""

    node: FunctionNode
    scope: Scope
    owner: LocalClass | None = None
    caller: Reached | None = None
    impure: bool = False
    as_decorator: bool = False

    @property
    def name(self) -> str:
        """The name that messages use."""
        own = "a lambda" if isinstance(self.node, ast.Lambda) else self.node.name
        return f"{self.owner.node.name}.{own}" if self.owner is not None else own

    @property
    def chain(self) -> str:
        """The calls that lead here, as the end of a finding's message."""
        names, caller = [], self.caller
        while caller is not None:
            names.append(caller.name)
            caller = caller.caller
        return f" (in {self.name}, called from {', from '.join(names)})" if names else ""
