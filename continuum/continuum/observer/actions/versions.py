"""Removing versions of code that nothing needs."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.errors import InvalidOption
from continuum.journal.audit_facts import Action
from continuum.observer.actions.web_action import Form, WebAction
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.version_use import unused_versions


async def _delete(visit: Visit, form: Form) -> str:
    unused = unused_versions(await visit.changes.versions(counted=1))
    if str(len(unused)) != form.get("count"):
        raise InvalidOption(
            "other versions may be removed now than the page has shown, and nothing was removed; "
            "look again and decide anew"
        )
    record = visit.recorder
    subjects = [f"{row.workflow} {row.version}" for row in unused]
    audits = [facts for each in subjects if (facts := record(Action.DELETE_VERSION, each)) is not None]
    removed = await visit.changes.delete_versions(
        [(row.workflow, row.version) for row in unused], audits=audits
    )
    return f"{removed} version{'' if removed == 1 else 's'} removed."


VERSION_ACTIONS: Mapping[str, WebAction] = {
    "delete_versions": WebAction(Role.ADMIN, _delete, confirmed_by=lambda form: form.get("count", "")),
}
