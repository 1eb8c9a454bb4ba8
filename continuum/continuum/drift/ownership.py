"""Whose a workflow is, where several applications keep their runs in one schema.

A workflow belongs to the code that is judged when that code defines it, or when some
node once loaded it out of one of that code's modules: then it was removed, or renamed.
Any other belongs to somebody else, and nothing can be said about its runs from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from continuum.errors import InvalidOption
from continuum.journal.port import VersionRow
from continuum.versions.loaded_code import Code


def own_workflows(code: Code, modules: Sequence[str], noted: Iterable[VersionRow]) -> frozenset[str]:
    """Return the names of the workflows that belong to code loaded from these modules.

    Without any there is nothing to judge, which is a mistake in the names of the modules.
    """
    places = {*modules, *(workflow.fn.__module__ for workflow in code.all_workflows)}
    within = tuple(f"{module}." for module in modules)
    gone = {row.workflow for row in noted if row.module in places or row.module.startswith(within)}
    if not gone and not code.workflows:
        raise InvalidOption(
            f"no workflow is in {', '.join(modules)}, nor has a node ever loaded one from there; "
            "name the modules that your nodes serve"
        )
    return frozenset(gone | set(code.workflows))
