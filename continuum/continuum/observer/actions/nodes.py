"""What people do with a node: have it drain, and ask where its threads and tasks are."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.errors import InvalidOption, NodeNotFound
from continuum.observer.actions.web_action import Form, WebAction
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.node_watch import watch_node


async def _drain(visit: Visit, form: Form) -> str:
    name = form.get("node", "")
    found = next((node for node in await visit.reads.nodes() if node.node == name), None)
    if found is None:
        raise NodeNotFound(name)
    if str(found.pid) != form.get("pid"):
        raise InvalidOption(
            f"node {name} has been started anew, and nothing was done; look again and decide anew"
        )
    await visit.acting.drain_node(name)
    if found.state == "lost":
        return f"Node {name} is lost: none of its processes has a lease, so there is nothing to drain."
    return f"Node {name} stops taking work; it is gone from this list once it has stopped."


async def _ask_stacks(visit: Visit, form: Form) -> str:
    name = form.get("node", "")
    if await watch_node(visit.changes, name, stacks=True) is None:
        raise NodeNotFound(name)
    return "The node was asked for its stacks; they appear below within a few seconds."


NODE_ACTIONS: Mapping[str, WebAction] = {
    "drain_node": WebAction(Role.ADMIN, _drain, confirmed_by=lambda form: form.get("node", "")),
    "ask_stacks": WebAction(Role.OPERATOR, _ask_stacks),
}
