"""Scans one workflow: the function, and every function of its module that it reaches.

A scan walks a helper once, however many functions call it, and reports it with the chain of calls that leads
there. Activities are not walked, because they may do anything; other workflows and pure functions are
scanned where they are defined.
"""

from __future__ import annotations

import ast
from collections import deque
from typing import Any

from continuum.scanner import rules
from continuum.scanner.compensations import CompensationsSeen
from continuum.scanner.configuration import Trust
from continuum.scanner.dataclass_fields import given_fields
from continuum.scanner.findings import Finding
from continuum.scanner.module import ScannedModule
from continuum.scanner.other_modules import decorators_of, is_declared
from continuum.scanner.reached import Reached
from continuum.scanner.resolution import Instance, Local, LocalClass
from continuum.scanner.scopes import Binding, FunctionNode, Kind, Scope
from continuum.scanner.visitors import VISITORS
from continuum.scanner.walker import Walker

# These are for debugging, and their results are not journaled.
_NOT_CALLED_BY_CODE = frozenset(("__repr__", "__str__", "__format__"))


class Scan:
    """One scan and its findings. `signals` are the declared names; None when any signal is accepted."""

    def __init__(self, module: ScannedModule, trust: Trust, signals: frozenset[str] | None = None) -> None:
        self.module = module
        self.trust = trust
        self.signals = signals
        self.compensations = CompensationsSeen()
        self._found: dict[tuple[Any, ...], Finding] = {}
        self._waiting: deque[Reached] = deque()
        self._seen: set[tuple[int, bool]] = set()

    def run(self, node: FunctionNode, scope: Scope, owner: LocalClass | None = None) -> list[Finding]:
        """Scan a function and all that it reaches; return the findings in the order of the text."""
        self._walk(Reached(node, scope, owner))
        while self._waiting:
            self._walk(self._waiting.popleft())
        missing = self.compensations.finding()
        if missing is not None:
            reached, call, rule = missing
            self.report(reached, rule, call, "continuum.compensate_all()")
        return sorted(self._found.values())

    def run_class(self, node: ast.ClassDef, scope: Scope) -> list[Finding]:
        """Scan every method of a class."""
        owner = LocalClass(node, scope)
        for part in node.body:
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                self.run(part, scope, owner)
        return sorted(self._found.values())

    def _walk(self, reached: Reached) -> None:
        key = id(reached.node), reached.impure
        if key in self._seen:
            return
        self._seen.add(key)
        resolver = self.module.resolver
        before, resolver.owner = resolver.owner, reached.owner
        walker = Walker(self, reached, VISITORS)
        if isinstance(reached.node, ast.FunctionDef | ast.AsyncFunctionDef) and not reached.as_decorator:
            walker.decorated(reached.node)
        walker.function(reached.node)
        resolver.owner = before

    def reach(
        self,
        caller: Reached,
        target: Local | LocalClass | Instance,
        node: ast.AST,
        *,
        impure: bool,
        as_decorator: bool = False,
        made: ast.Call | None = None,
    ) -> None:
        """Queue a function or class of this module that workflow code refers to."""
        match target:
            case Local(node=function, scope=scope, owner=owner):
                self._reach_function(
                    caller, Reached(function, scope, owner, caller, impure, as_decorator), node
                )
            case LocalClass() | Instance():
                made_by = target if isinstance(target, LocalClass) else target.made_by
                if not is_declared(self.module, made_by.node):
                    given = given_fields(self.module.resolver, made_by, made)
                    self._reach_class(caller, made_by, impure, given)

    def _reach_function(self, caller: Reached, reached: Reached, node: ast.AST) -> None:
        names = {name for name, _ in decorators_of(self.module, reached.node)}
        effect = names & {"continuum.activity", "continuum.workflow"}
        if effect and reached.impure:
            self.report(caller, rules.NESTED_EFFECT, node, f"{reached.name}()")
        if not effect and "continuum.pure" not in names:
            self._waiting.append(reached)

    def _reach_class(self, caller: Reached, made_by: LocalClass, impure: bool, given: frozenset[str]) -> None:
        """Queue the methods that Python calls by itself: the initialiser, operators, context managers."""
        members = self.module.resolver.members(made_by)
        for name, bindings in members.bindings.items():
            for binding in bindings:
                special = name.startswith("__") and name.endswith("__") and name not in _NOT_CALLED_BY_CODE
                if binding.kind is Kind.FUNCTION and special:
                    assert isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef)
                    self._waiting.append(Reached(binding.node, made_by.scope, made_by, caller, impure))
                elif binding.kind is Kind.VALUE and name not in given:
                    self._reach_default(caller, made_by, binding, members, impure)
        for base in made_by.node.bases:
            parent = self.module.resolver.resolve(base, made_by.scope)
            if isinstance(parent, LocalClass) and parent.node is not made_by.node:
                self._reach_class(caller, parent, impure, given)

    def _reach_default(
        self, caller: Reached, made_by: LocalClass, binding: Binding, members: Scope, impure: bool
    ) -> None:
        """Queue a field's `default_factory`, which runs whenever an instance is made."""
        if isinstance(binding.node, ast.Call):
            factories = (
                one.value for one in binding.node.keywords if one.arg in ("default_factory", "factory")
            )
            for factory in factories:
                stand_in = ast.copy_location(_function_of(factory, made_by.node.name), factory)
                self._waiting.append(Reached(stand_in, members, None, caller, impure))

    def report(
        self, reached: Reached, rule: rules.Rule, node: ast.AST, subject: str, instead: str | None = None
    ) -> None:
        """Keep one finding for each place; a helper of another module is reported once."""
        if self.module.allows(node, rule.code):
            return
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        message = f"{subject} {rule.what}; {instead or rule.instead}{reached.chain}"
        key: tuple[Any, ...] = (line, column, rule.code)
        if rule.code == rules.UNTRUSTED.code:
            key = (rule.code, subject.removesuffix("()"))
        self._found.setdefault(
            key, Finding(self.module.filename, line, column, rule.code, message, rule.severity)
        )


def _function_of(factory: ast.expr, name: str) -> FunctionNode:
    """Return a function that calls the factory, so that it is walked like any other function."""
    if isinstance(factory, ast.Lambda):
        return factory
    call = ast.copy_location(ast.Call(factory, [], []), factory)
    arguments = ast.arguments([], [], None, [], [], None, [])
    return ast.Lambda(arguments, call)
