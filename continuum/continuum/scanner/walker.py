"""Walks the body of one function: every name, loop, handler and assignment in it.

A reference counts as well as a call: `map(time.time, xs)`, `key=random.random` and `now = datetime.now`
are reported where they are written. Nested functions, lambdas and comprehensions are part of the body;
other functions of the module go to `reach` of the scan. `visitors.py` lists what visits each class of node.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from continuum.scanner import rules
from continuum.scanner.compensations import CompensationsSeen
from continuum.scanner.configuration import Trust
from continuum.scanner.control_flow import own_nodes
from continuum.scanner.denied_names import EFFECTS
from continuum.scanner.module import ScannedModule
from continuum.scanner.module_state import STATEFUL, is_state
from continuum.scanner.name_verdict import verdict_on
from continuum.scanner.other_modules import is_declared
from continuum.scanner.reached import Reached
from continuum.scanner.resolution import Dotted, Instance, Local, LocalClass, Resolved
from continuum.scanner.scopes import (
    FunctionNode,
    Kind,
    Scope,
    class_scope,
    comprehension_scope,
    function_scope,
)
from continuum.scanner.sets import is_set

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# Leaves out contexts and operators, which are half of all nodes.
_PARTS = (ast.expr, ast.stmt, ast.keyword, ast.match_case, ast.pattern)
_DISPLAYS = (ast.Dict, ast.List, ast.Tuple, ast.Set)


Visitors: TypeAlias = Mapping[type[ast.AST], Callable[["Walker", Any], None]]
"""What visits the nodes of a class; a node of any other class has only its parts visited."""


class WalkedScan(Protocol):
    """The part of a scan that a walk needs: what it may use, where it reports, what it passes on."""

    module: ScannedModule
    trust: Trust
    signals: frozenset[str] | None
    compensations: CompensationsSeen

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
        """Walk a function or class of this module later."""
        ...

    def report(
        self, reached: Reached, rule: rules.Rule, node: ast.AST, subject: str, instead: str | None = None
    ) -> None:
        """Keep a finding."""
        ...


class Walker:
    """One walk over one function. `impure` is true in a producer of side_effect, where reads are allowed."""

    def __init__(self, scan: WalkedScan, reached: Reached, visitors: Visitors) -> None:
        self.scan = scan
        self._visitor_of = visitors.get
        self.reached = reached
        self.module = scan.module
        self.resolver = scan.module.resolver
        self.impure = reached.impure
        self.scope = reached.scope
        self.top: Scope | None = None
        # What a called expression refers to, by its id: resolved once, before it is visited.
        self.called: dict[int, Resolved] = {}
        self.unordered: set[int] = set()
        # Calls that make an instance of a class of this module, by the id of what is called.
        self.made: dict[int, ast.Call] = {}

    def function(self, node: FunctionNode) -> None:
        """Walk a whole function that the scan has reached."""
        if self.reached.as_decorator:
            # A decorator's body ran when the module was loaded; the function it returns runs in the workflow.
            self.top = self.scope = function_scope(node, self.scope)
            inside = own_nodes([node.body] if isinstance(node, ast.Lambda) else node.body)
            self.visit_all(part for part in inside if isinstance(part, _FUNCTIONS))
        else:
            self.nested(node)

    def nested(self, node: FunctionNode) -> None:
        """Walk a function in the scope it is defined in."""
        arguments = node.args
        self.visit_all(value for value in (*arguments.defaults, *arguments.kw_defaults) if value is not None)
        around, self.scope = self.scope, function_scope(node, self.scope)
        self.top = self.top or self.scope
        if isinstance(node, ast.Lambda):
            self.visit(node.body)
        else:
            self.visit_all(node.body)
        self.scope = around

    def visit_all(self, nodes: Iterable[ast.AST]) -> None:
        """Visit nodes one after the other."""
        for node in nodes:
            self.visit(node)

    def visit(self, node: ast.AST) -> None:
        """Visit a node and its parts."""
        visitor = self._visitor_of(type(node))
        if visitor is not None:
            visitor(self, node)
        else:
            self.children(node)

    def children(self, node: ast.AST) -> None:
        """Visit the parts of a node."""
        for value in node.__dict__.values():
            if isinstance(value, _PARTS):
                self.visit(value)
            elif value.__class__ is list:
                for part in value:
                    if isinstance(part, _PARTS):
                        self.visit(part)

    def report(self, rule: rules.Rule, node: ast.AST, subject: str, instead: str | None = None) -> None:
        """Report a broken rule, unless it is a read inside a producer of side_effect."""
        if not (self.impure and rule in rules.READS):
            self.scan.report(self.reached, rule, node, subject, instead)

    def resolved(self, node: ast.expr) -> Resolved:
        """Return what an expression refers to."""
        called = id(node) in self.called
        return self.called[id(node)] if called else self.resolver.resolve(node, self.scope)

    def refer(self, node: ast.expr, resolved: Resolved, known: int) -> None:
        """Follow or check what a name refers to; `known` is the length of the part checked before."""
        match resolved:
            case Dotted(name=name):
                self._check_name(node, name, known)
            case Local() | LocalClass() | Instance():
                made = self.made.get(id(node))
                self.scan.reach(self.reached, resolved, node, impure=self.impure, made=made)
            case None:
                pass

    def _check_name(self, node: ast.expr, name: str, known: int) -> None:
        called = id(node) in self.called
        if self.impure and name in EFFECTS:
            self.report(rules.NESTED_EFFECT, node, f"{name}()")
            return
        found = verdict_on(name, known=known, called=called, live=self.module.live, trust=self.scan.trust)
        if found is None or (self.impure and found.rule.code == rules.UNTRUSTED.code):
            return
        shown = found.name.removeprefix("builtins.")
        self.report(found.rule, node, f"{shown}()" if called else shown, found.instead)

    def visit_name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            return
        found = self.scope.lookup(node.id)
        if found is None:
            self.refer(node, self.resolved(node), 0)
            return
        bindings, place = found
        if len(bindings) == 1 and bindings[0].kind is Kind.OPAQUE:
            return
        resolved = self.resolved(node)
        self._follow_constant(node, place)
        if not (self.top is not None and place.is_within(self.top)):
            self.refer(node, resolved, 0)
        elif isinstance(resolved, Dotted):
            # A local alias was reported where it was made; an import in the body was not.
            imported = bindings[0].kind is Kind.IMPORT
            self.refer(node, resolved, 0 if imported else len(resolved.name))

    def _follow_constant(self, node: ast.Name, place: Scope) -> None:
        """Follow the values in a module-level constant: workflow code may call functions through a table."""
        if place is not self.module.scope:
            return
        if is_state(place, node.id) and node.id in self.module.changed_names:
            self.report(rules.GLOBAL_READ, node, node.id)
        resolved = self.resolver.resolve(node, place)
        if isinstance(resolved, Dotted) and resolved.name in STATEFUL:
            self.report(rules.GLOBAL_READ, node, f"{node.id}, one {resolved.name} for all runs,")
        for binding in place.bindings[node.id]:
            if binding.kind is Kind.VALUE and isinstance(binding.node, _DISPLAYS):
                for part in ast.iter_child_nodes(binding.node):
                    if isinstance(part, ast.Name | ast.Attribute | ast.Lambda):
                        self.refer(node, self.resolver.resolve(part, place), 0)

    def visit_attribute(self, node: ast.Attribute) -> None:
        resolved = self.resolved(node)
        root = _plain_root(node)
        if root is None or resolved is None:
            self.refer(node, resolved, _length(self.resolver.resolve(node.value, self.scope)))
            self.visit(node.value)
            return
        found = self.scope.lookup(root.id)
        known = 0
        if found is not None and self.top is not None and found[1].is_within(self.top):
            reported = found[0][0].kind is Kind.VALUE
            known = _length(self.resolver.resolve(root, self.scope)) if reported else 0
        self.refer(node, resolved, known)
        if found is not None:
            self._follow_constant(root, found[1])

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if not is_declared(self.module, node):
            self.decorated(node)
            self.nested(node)

    def decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """Follow the decorators of a reached function."""
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            resolved = self.resolver.resolve(called, self.scope)
            if isinstance(resolved, Dotted) and resolved.name.startswith("continuum."):
                continue
            if isinstance(resolved, Local):
                self.scan.reach(self.reached, resolved, called, impure=self.impure, as_decorator=True)
                if isinstance(decorator, ast.Call):
                    self.visit_all((*decorator.args, *decorator.keywords))
            else:
                self.called[id(called)] = resolved
                self.visit(decorator)

    def visit_class(self, node: ast.ClassDef) -> None:
        around, self.scope = self.scope, class_scope(node, self.scope)
        self.visit_all(node.body)
        self.scope = around

    def visit_comprehension(self, node: ast.AST) -> None:
        generators: list[ast.comprehension] = getattr(node, "generators", [])
        around = self.scope
        self.visit(generators[0].iter)
        self.scope = comprehension_scope(node, generators, around)
        blind = id(node) in self.unordered or (
            isinstance(node, ast.SetComp)
            and not any(isinstance(part, ast.Await) for part in ast.walk(node.elt))
        )
        for index, generator in enumerate(generators):
            if not blind:
                self.ordered(generator.iter, around if index == 0 else self.scope)
            if index:
                self.visit(generator.iter)
            self.visit_all(generator.ifs)
        for field in ("key", "value", "elt"):
            part = getattr(node, field, None)
            if part is not None:
                self.visit(part)
        self.scope = around

    def ordered(self, node: ast.expr, scope: Scope | None = None) -> None:
        """Report the iteration of a set."""
        if is_set(node, scope or self.scope, self.resolver):
            self.report(rules.SET_ORDER, node, f"iterating {ast.unparse(node)}")

    def visit_loop(self, node: ast.For | ast.AsyncFor) -> None:
        self.ordered(node.iter)
        self.children(node)

    def visit_starred(self, node: ast.Starred) -> None:
        self.ordered(node.value)
        self.visit(node.value)

    def visit_yield_from(self, node: ast.YieldFrom) -> None:
        self.ordered(node.value)
        self.visit(node.value)


def _plain_root(node: ast.expr) -> ast.Name | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def _length(resolved: Resolved) -> int:
    return len(resolved.name) if isinstance(resolved, Dotted) else 0
