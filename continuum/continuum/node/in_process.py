"""`continuum.children`: a node as children of a supervisor in the application's own loop.

`in_process_options.py` checks the options, `in_process_assembly.py` puts the node together, and
`continuum_actors.node.in_process_node` is the tree. Actors are imported only when a node is made: a
program that is only a client does not load them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from continuum.node.in_process_options import InstanceOptions, check_options
from continuum.public_names import give_public_names

if TYPE_CHECKING:
    from continuum_supervision import ChildSpec

__all__ = ["InstanceOptions", "children"]


def children(**options: Unpack[InstanceOptions]) -> list[ChildSpec]:
    """Return the child specs of an instance: `async with Supervisor(children(...))` runs it in this loop.

    `connect(name=...)` finds the instance in this process by its `name`. `dsn` and `schema` say where
    its journal is: without a DSN in CONTINUUM_DSN, else in this user's embedded Postgres;
    ``journal="memory"`` keeps it in this process, for as long as the returned specs live; an object that
    implements `continuum.journal.port.Journal` is opened and used, and stays the caller's to close.
    The node executes `workflows`, also those of modules, and those that their code refers to. It runs
    `activities` (None: every activity that is defined). `queues` limits how many tasks of a queue
    run here at once; `activity_executor` has their code called elsewhere. `connections` limits those to
    Postgres. With `namespaces` it claims only
    runs and tasks of these. `tune_garbage_collector` has Python's collector run less often for as long as the
    node runs, and leaves alone what is there at its start.

    Every other option names a child: True, a dict of its options, or False to leave it out.
    docs/embedding.md says what does not work without each.
    Raises `InvalidOption` before anything starts.

    Activities with ``executor="process"`` need an activity host, which an application is not: they
    wait for a `continuum run-node` on the same schema.
    """
    checked = check_options(options)
    from continuum.node.in_process_assembly import instance_children

    return instance_children(checked)


give_public_names([children])
