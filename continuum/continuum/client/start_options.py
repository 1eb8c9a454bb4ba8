"""The options of `start`, which share a call with the workflow's own arguments.

A `ParamSpec` leaves no room for further keywords, so `start` is overloaded for type checkers: see
`continuum.definitions.call_signatures`. `ConfiguredStart` keeps options and arguments apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

from continuum.client.argument_checks import new_id
from continuum.codec.arguments import encode_arguments
from continuum.definitions.attributes import checked_attributes
from continuum.definitions.call_signatures import (
    Startable,
    StartableWithNone,
    StartableWithOne,
    StartableWithTwo,
)
from continuum.definitions.name_rules import short_text
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.errors import InvalidOption
from continuum.journal.announced_run import NewRun
from continuum.quoting import listed, quoted
from continuum.telemetry.current_trace import current_traceparent

__all__ = [
    "StartOptions",
    "Startable",
    "StartableWithNone",
    "StartableWithOne",
    "StartableWithTwo",
    "checked_names",
    "new_run",
    "split",
]


class StartOptions(TypedDict, total=False):
    """The options of a start.

    `id` is a UUID chosen by the caller. `idempotency_key`, per namespace and workflow, makes a
    second start give the run of the first, or raise `AlreadyStarted` with ``on_conflict="raise"``.
    `trace_context` is a W3C traceparent; without one it is that of OpenTelemetry's current span, if there is
    one.
    """

    id: str | None
    idempotency_key: str | None
    namespace: str
    attributes: Mapping[str, Any] | None
    trace_context: str | None
    on_conflict: Literal["existing", "raise"]


def checked_names(options: StartOptions) -> StartOptions:
    """Return the options; TypeError if one of them has another name."""
    known = StartOptions.__annotations__
    if unknown := options.keys() - known:
        raise TypeError(
            f"a start has no option {listed(sorted(unknown))}, only {', '.join(known)}; "
            "arguments of the workflow go to .start(workflow, ...)"
        )
    return options


def split(
    workflow: Workflow[..., Any] | str, args: tuple[Any, ...], given: dict[str, Any]
) -> tuple[StartOptions, dict[str, Any]]:
    """Return the options and the workflow's own keywords; refuse a keyword that could be either.

    With a name instead of a workflow the parameters are unknown, and every keyword of that name is an option.
    """
    options = {name: value for name, value in given.items() if name in StartOptions.__annotations__}
    if options and isinstance(workflow, Workflow):
        for name in options:
            if workflow.arguments.takes_keyword(name, len(args)):
                raise InvalidOption(
                    f"{name}= is an option of start and a parameter of {workflow.name}; write "
                    f"client.options({name}=...).start({workflow.name}, ...) for the option, and "
                    f"client.options().start({workflow.name}, ..., {name}=...) for the parameter"
                )
    keywords = {name: value for name, value in given.items() if name not in options}
    return options, keywords  # type: ignore[return-value]  # the keys are those of StartOptions


def new_run(
    workflow: Workflow[..., Any] | str,
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    options: StartOptions,
    fresh_id: Callable[[], RunId],
) -> NewRun:
    """Return the run that a start requests, all of it checked."""
    if isinstance(workflow, Workflow):
        name = workflow.name
        data = workflow.arguments.encode_call(args, keywords)
        workflow.arguments.decode_call(data)  # fails here, before a run exists that no code can read
    elif isinstance(workflow, str):
        name = short_text(workflow, "a workflow's name")
        data = encode_arguments(args, keywords)
    else:
        raise InvalidOption(
            f"start takes a workflow or its name, not {quoted(workflow)}; decorate it with @workflow"
        )
    conflict = options.get("on_conflict", "existing")
    if conflict not in ("existing", "raise"):
        raise InvalidOption(f"on_conflict is 'existing' or 'raise', not {quoted(conflict)}")
    given, key, trace = options.get("id"), options.get("idempotency_key"), options.get("trace_context")
    if trace is None:
        trace = current_traceparent()
    return NewRun(
        id=fresh_id() if given is None else new_id(given),
        workflow=name,
        input=data,
        namespace=short_text(options.get("namespace", "default"), "namespace"),
        idempotency_key=None if key is None else short_text(key, "idempotency_key"),
        attributes=checked_attributes(options.get("attributes") or {}),
        trace_context=None if trace is None else short_text(trace, "trace_context"),
    )
