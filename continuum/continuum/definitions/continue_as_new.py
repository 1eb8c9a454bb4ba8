"""`continue_as_new`: ends a run and starts its successor with an empty history."""

from __future__ import annotations

from typing import Any, NoReturn

from continuum.definitions.effects import call_site, require
from continuum.definitions.run_input import encode_input
from continuum.engine.continue_as_new import continue_run
from continuum.engine.events import EventType
from continuum.errors import NotInWorkflow


def continue_as_new(*args: Any, **kwargs: Any) -> NoReturn:
    """End this run and start its workflow anew with these arguments and an empty history; never returns.

    The successor takes the place of the run: it gets the unread signals and the children, the parent waits
    for it, and the run's id leads to it. It begins with current code and an empty list of compensations. A
    run that has been asked to stop ends cancelled instead. Use `my_flow.continue_as_new(...)` to have the
    arguments type-checked, or to continue as another workflow.
    """
    execution = require("continuum.continue_as_new()")
    workflow = execution.definition
    if workflow is None:
        raise NotInWorkflow("continuum.continue_as_new() needs a run of a @workflow")
    data = encode_input(execution, EventType.RUN_CONTINUED_AS_NEW, workflow, args, kwargs)
    continue_run(execution, workflow.name, call_site(1), data)
