"""The visitor of each class of syntax node, for a walk over workflow code."""

from __future__ import annotations

import ast

from continuum.scanner import calls, except_clauses, forgotten_awaits, mutations
from continuum.scanner.scopes import Comprehension
from continuum.scanner.walker import Visitors, Walker


def _skip(walker: Walker, node: ast.AST) -> None:
    """Skip a node that refers to nothing."""


VISITORS: Visitors = {
    ast.Name: Walker.visit_name,
    ast.Attribute: Walker.visit_attribute,
    ast.Call: calls.visit_call,
    ast.Expr: forgotten_awaits.visit_statement,
    ast.FunctionDef: Walker.visit_function,
    ast.AsyncFunctionDef: Walker.visit_function,
    ast.Lambda: Walker.nested,
    ast.ClassDef: Walker.visit_class,
    ast.For: Walker.visit_loop,
    ast.AsyncFor: Walker.visit_loop,
    ast.Starred: Walker.visit_starred,
    ast.YieldFrom: Walker.visit_yield_from,
    ast.Assign: mutations.visit_assign,
    ast.AnnAssign: mutations.visit_annotated,
    ast.AugAssign: mutations.visit_augmented,
    ast.Delete: mutations.visit_delete,
    ast.Try: except_clauses.visit_try,
    ast.TryStar: except_clauses.visit_try,
    ast.With: except_clauses.visit_with,
    ast.AsyncWith: except_clauses.visit_with,
    ast.Import: _skip,
    ast.ImportFrom: _skip,
    ast.Constant: _skip,
    ast.Global: _skip,
    ast.Nonlocal: _skip,
    **dict.fromkeys(Comprehension, Walker.visit_comprehension),
}
