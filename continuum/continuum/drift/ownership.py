"""Which workflows belong to the checked code, when several applications share one schema.

A workflow belongs to the checked code if that code defines it, or if a node once loaded it from
one of that code's modules: then it was removed or renamed. Any other workflow belongs to
another application, and this check can say nothing about its runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from continuum.errors import InvalidOption
from continuum.journal.port import VersionRow
from continuum.versions.loaded_code import Code


def own_workflows(code: Code, modules: Sequence[str], versions: Iterable[VersionRow]) -> frozenset[str]:
    """Return the names of the workflows that belong to code loaded from these modules.

    `InvalidOption` if there are none, which means that the names of the modules are wrong.
    """
    own_modules = {*modules, *(workflow.fn.__module__ for workflow in code.all_workflows)}
    prefixes = tuple(f"{module}." for module in modules)
    loaded_before = {
        row.workflow for row in versions if row.module in own_modules or row.module.startswith(prefixes)
    }
    if not loaded_before and not code.workflows:
        raise InvalidOption(
            f"no workflow is in {', '.join(modules)}, nor has a node ever loaded one from there; "
            "name the modules that your nodes serve"
        )
    return frozenset(loaded_before | set(code.workflows))
