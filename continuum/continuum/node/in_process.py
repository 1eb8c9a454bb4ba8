"""`continuum.children`: a node as children of a supervisor in a host application's own loop.

The checks are in `in_process_options.py`, how an instance is put together in
`in_process_assembly.py`, the tree itself in `continuum_actors.node.in_process_node`. Actors are
imported by those who run them: a program that is only a client does not load them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from continuum.node.in_process_options import InstanceOptions, check_options

if TYPE_CHECKING:
    from continuum_supervision import ChildSpec

__all__ = ["InstanceOptions", "children"]


def children(**options: Unpack[InstanceOptions]) -> list[ChildSpec]:
    """Return the child specs of an instance: `async with Supervisor(children(...))` runs it in this loop.

    `name` is how `connect(name=...)` finds it in this process. `dsn` and `schema` say where its
    journal is: without a DSN in CONTINUUM_DSN, else in this user's embedded Postgres;
    ``journal="memory"`` keeps it in this process, for as long as the returned specs live.
    `workflows` are what it executes, with those that their code names, like children; `activities`
    what it runs (all that are defined, if None), `queues` how many tasks of a queue run at once here.

    Every other option names a child: True, a dict of its options, or False to leave it out.
    Without `dispatcher` it executes no runs, without `activity_dispatcher` no tasks of queues,
    without `recovery` it takes over nothing from the dead, without `snapshotter` it takes no
    snapshots, without `version_registry` it tells nobody which versions it has.
    Raises `InvalidOption` before anything starts.

    Activities with ``executor="process"`` need an activity host, which a host application is
    not: they wait for a `continuum run-node` on the same schema.
    """
    checked = check_options(options)
    from continuum.node.in_process_assembly import instance_children

    return instance_children(checked)
