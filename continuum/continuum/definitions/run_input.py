"""Encodes the input of a run that another run starts, and refuses unreadable input before it is journaled."""

from __future__ import annotations

from typing import Any, Protocol

from continuum.codec.arguments import ArgumentsCodec
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import digest_of


class TakesInput(Protocol):
    """The part of a workflow that its input needs."""

    @property
    def name(self) -> str:
        """The workflow's name."""
        ...

    @property
    def arguments(self) -> ArgumentsCodec:
        """The codec of its parameters."""
        ...


def encode_input(
    execution: Execution,
    type: EventType,
    workflow: TakesInput,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> bytes:
    """Store the input of a command of this type; `DurableTermError` when it does not fit the parameters.

    Input that the history already holds was checked when it was recorded, and is not checked again. The
    comparison includes the input: type and workflow alone could match another command, and code that
    was refused then must be refused again.
    """
    recorded = execution.log.next_recorded()
    if recorded is not None and recorded.type == type and recorded.body[0] == workflow.name:
        data = workflow.arguments.encode_call(args, kwargs, incomplete=True)
        if recorded.body[4] == digest_of(data):
            return data
    data = workflow.arguments.encode_call(args, kwargs)
    workflow.arguments.decode_call(data)
    return data
