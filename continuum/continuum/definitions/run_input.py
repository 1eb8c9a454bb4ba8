"""The input of a run that another run asks for: refused before it is journaled when nobody could read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import digest_of

if TYPE_CHECKING:
    from continuum.definitions.workflow import Workflow


def encode_input(
    execution: Execution,
    type: EventType,
    workflow: Workflow[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> bytes:
    """Store the input of a command of this type; `DurableTermError` when it does not fit the parameters.

    A history that goes on with the command has had it accepted, and code that was refused then is
    refused again: by its type and workflow alone the next command could be another one.
    """
    data = workflow.arguments.encode_call(args, kwargs)
    recorded = execution.next_recorded()
    if (
        recorded is None
        or recorded.type != type
        or recorded.body[0] != workflow.name
        or recorded.body[4] != digest_of(data)
    ):
        workflow.arguments.decode_call(data)
    return data
