"""What a name of another module refers to: the object when it is loaded, else the text of that module.

Nothing is imported. A name may be an alias from elsewhere (`from time import time as clock` in one of the
user's modules): it is followed to its origin.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from dataclasses import dataclass, is_dataclass
from enum import Enum
from importlib.machinery import PathFinder
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from continuum.scanner.module import ScannedModule, module_in_file, package_of
from continuum.scanner.resolution import Dotted, Instance, Local, LocalClass, Resolved, canonical
from continuum.scanner.standard_library import installed_folders, standard_folders

PURE_MARK = "__continuum_pure__"
"""The attribute of a function or class that `@continuum.pure` has checked."""

_MISSING: Final = object()
_DECLARED = frozenset(("continuum.pure", "continuum.activity", "continuum.workflow"))
_LITERALS = (ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.Set, ast.JoinedStr)
_DATA_BASES = ("enum.", "typing.NamedTuple", "typing.TypedDict", "typing.Protocol", "pydantic.", "builtins.")
_DATA_DECORATORS = ("dataclasses.", "attrs.", "attr.", "pydantic.")


@dataclass(frozen=True, slots=True)
class Referent:
    """What a name refers to: another `name` to check instead, or something that is `safe` or not.

    A `function` is suspect where it is passed on as well as where it is called.
    """

    name: str | None = None
    safe: bool = False
    function: bool = False


SAFE, UNKNOWN, FUNCTION = Referent(safe=True), Referent(), Referent(function=True)


def referent_of(dotted: str, live: bool) -> Referent:
    """Return what a name of another module refers to."""
    if live:
        found = _loaded(dotted)
        if found is not _MISSING:
            return found if isinstance(found, Referent) else _of_object(found, dotted)
    return _of_text(dotted)


def _loaded(dotted: str) -> Any:
    """Return the object of that name if its module is loaded, without running any code of it."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        module = sys.modules.get(".".join(parts[:length]))
        if module is None:
            continue
        found: Any = module
        for attribute in parts[length:]:
            found = inspect.getattr_static(found, attribute, _MISSING)
            if found is _MISSING:
                return _MISSING
            if is_marked(found):
                return SAFE
        return found
    return _MISSING


def is_marked(found: Any) -> bool:
    """Tell whether this very object is marked as pure; a subclass of a marked class is not."""
    return getattr(found, "__dict__", {}).get(PURE_MARK) is True


def _of_object(found: Any, dotted: str) -> Referent:
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if isinstance(found, MethodType):
        found = found.__func__
    made_by = type(found)
    if isinstance(found, ModuleType) or made_by.__module__.partition(".")[0] == "continuum":
        return SAFE
    if isinstance(found, type) and _is_data(found):
        return SAFE
    if isinstance(found, type | FunctionType | BuiltinFunctionType):
        home = canonical(f"{found.__module__}.{found.__qualname__.replace('.<locals>', '')}")
        here = UNKNOWN if isinstance(found, type) else FUNCTION
        return here if home == dotted else Referent(home)
    return Referent(f"{made_by.__module__}.{made_by.__qualname__}()")


def _is_data(found: type) -> bool:
    return (
        is_dataclass(found)
        or issubclass(found, BaseException | Enum)
        or hasattr(found, "__attrs_attrs__")
        or (issubclass(found, tuple) and hasattr(found, "_fields"))
        or hasattr(found, "__required_keys__")
        or any(base.__module__.partition(".")[0] == "pydantic" for base in found.__mro__)
    )


def _of_text(dotted: str) -> Referent:
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        path = locate(name)
        module = module_in_file(path, package_of(name, path)) if path else None
        if module is not None:
            return _of_resolved(module, _within(module, parts[length:]), dotted)
    return UNKNOWN


def _within(module: ScannedModule, attributes: list[str]) -> Referent | Resolved:
    first, *rest = attributes
    found = module.scope.lookup(first)
    if found is None and not module.scope.stars:
        return None
    if found is not None and any(isinstance(binding.node, _LITERALS) for binding in found[0]):
        return SAFE
    resolved = module.resolver.resolve(ast.Name(first, ast.Load()), module.scope)
    for attribute in rest:
        if isinstance(resolved, Local | LocalClass) and is_declared(module, resolved.node):
            return SAFE
        resolved = module.resolver.member(resolved, attribute)
    return resolved


def _of_resolved(module: ScannedModule, resolved: Referent | Resolved, dotted: str) -> Referent:
    match resolved:
        case Referent():
            return resolved
        case Dotted(name=name) if name.startswith("builtins.") and name.endswith("()"):
            return SAFE
        case Dotted(name=name) if name == dotted:
            return UNKNOWN
        case Dotted(name=name):
            return Referent(name)
        case Local(node=node, owner=owner):
            marked = is_declared(module, node) or (owner is not None and is_declared(module, owner.node))
            return SAFE if marked else FUNCTION
        case LocalClass():
            return SAFE if is_declared(module, resolved.node) or _is_data_class(module, resolved) else UNKNOWN
        case Instance(made_by=made_by):
            return SAFE if is_declared(module, made_by.node) else UNKNOWN
        case _:
            return UNKNOWN


def class_name_of(dotted: str) -> str:
    """Return the class name of a loaded object, "" when it is not loaded."""
    found = _loaded(dotted)
    made = type(found)
    return "" if found is _MISSING else f"{made.__module__}.{made.__qualname__}"


def may_be_class(dotted: str, live: bool) -> bool:
    """Tell whether a name may be that of a class; certain only when its module is loaded."""
    found = _loaded(dotted) if live else _MISSING
    return found is _MISSING or isinstance(found, type)


def definition_of(dotted: str) -> tuple[ScannedModule, Resolved] | None:
    """Return what the text of another module defines under a name, with that module."""
    name, _, last = dotted.rpartition(".")
    path = locate(name) if name and "()" not in name else None
    module = module_in_file(path, package_of(name, path)) if path else None
    if module is None or module.scope.lookup(last) is None:
        return None
    return module, module.resolver.resolve(ast.Name(last, ast.Load()), module.scope)


def decorators_of(module: ScannedModule, node: ast.AST) -> list[tuple[str, ast.expr]]:
    """Return the decorators of a definition that come from other modules, with their names."""
    named = []
    for decorator in getattr(node, "decorator_list", ()):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        resolved = module.resolver.resolve(called, module.scope)
        if isinstance(resolved, Dotted):
            named.append((resolved.name, decorator))
    return named


def is_declared(module: ScannedModule, node: ast.AST) -> bool:
    """Tell whether a definition is a workflow, activity or pure: it is scanned on its own or not at all."""
    return any(name in _DECLARED for name, _ in decorators_of(module, node))


def _is_data_class(module: ScannedModule, found: LocalClass) -> bool:
    if any(name.startswith(_DATA_DECORATORS) for name, _ in decorators_of(module, found.node)):
        return True
    for base in found.node.bases:
        parent = module.resolver.resolve(base, found.scope)
        if isinstance(parent, Dotted) and (
            parent.name.startswith(_DATA_BASES) or parent.name.endswith(("Error", "Exception"))
        ):
            return True
        if (
            isinstance(parent, LocalClass)
            and parent.node is not found.node
            and _is_data_class(module, parent)
        ):
            return True
    return False


def locate(name: str) -> str | None:
    """Return the file of a module, without importing it or the packages it is in."""
    search: list[str] | None = None
    path: str | None = None
    for last in name.split("."):
        spec = PathFinder.find_spec(last, search)
        if spec is None:
            return None
        path = spec.origin
        if spec.loader is None:
            # A namespace package: asking it for its folders would import the package above it.
            search = [
                str(folder) for root in search or sys.path if (folder := Path(root, last).absolute()).is_dir()
            ]
        else:
            search = list(spec.submodule_search_locations or ())
    return path if path is not None and path.endswith(".py") else None


def is_user_module(top: str, live: bool) -> bool:
    """Tell whether a top-level name is a module of the user, which may share its name with a library."""
    if top in sys.builtin_module_names or top.startswith(("continuum", "builtins")):
        return False
    loaded = sys.modules.get(top) if live else None
    return _is_own_file(getattr(loaded, "__file__", None) if loaded is not None else locate(top))


@functools.cache
def _is_own_file(path: str | None) -> bool:
    if path is None or "site-packages" in path or "dist-packages" in path:
        return False
    return not path.startswith((*standard_folders(), *installed_folders()))
