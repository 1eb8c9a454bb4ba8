"""Changes of one run: what its page offers, and starts of others like it."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.client.start_options import StartOptions
from continuum.contracts.call_arguments import call_of
from continuum.contracts.workflow_contract import WorkflowContract
from continuum.engine.ids import parse_run_id
from continuum.errors import InvalidOption, RunNotFound
from continuum.observer.actions.web_action import Form, Made, WebAction
from continuum.observer.input_fields import map_of, value_of, values_of
from continuum.observer.texts import short_id
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.run_deletion import latest_deletable
from continuum.quoting import quoted


async def _cancel(visit: Visit, form: Form) -> str:
    outcome = await visit.acting.cancel(_run(form))
    match outcome.state:
        case "cancelled":
            return "The run is cancelled."
        case "ended":
            return "The run had ended already."
        case _:
            return f"The run is asked to stop; that is {outcome}."


async def _force_cancel(visit: Visit, form: Form) -> str:
    outcome = await visit.acting.cancel(_run(form), force=True)
    return "The run had ended already." if outcome.state == "ended" else "The run is cancelled."


async def _signal(visit: Visit, form: Form) -> str:
    name = form.get("signal", "").strip()
    if not name:
        raise InvalidOption("A signal has a name.")
    await visit.acting.signal(_run(form), name, values_of(form).get("value"))
    return f"Signal {name} is sent."


async def _unblock(visit: Visit, form: Form) -> str:
    done = await visit.acting.unblock(_run(form))
    return "Nodes try the run again." if done else "The run is not blocked; nothing was changed."


async def _pause(visit: Visit, form: Form) -> str:
    outcome = await visit.acting.pause_run(_run(form), form.get("reason", "").strip() or None)
    return "The run was paused already." if outcome.already else "The run is paused."


async def _resume(visit: Visit, form: Form) -> str:
    done = await visit.acting.resume_run(_run(form))
    return "The run is resumed." if done else "The run was not paused by itself; nothing was changed."


async def _restart(visit: Visit, form: Form) -> Made:
    run = await visit.acting.restart(_run(form))
    return Made("The run continues from its failure, as this run.", f"/runs/{run.id}")


async def _reset(visit: Visit, form: Form) -> Made:
    at = _event(form)
    run = await visit.acting.reset(_run(form), at)
    return Made(f"The run continues from before event {at}, as this run.", f"/runs/{run.id}")


async def _fork(visit: Visit, form: Form) -> Made:
    at = _event(form)
    run = await visit.acting.fork(_run(form), at)
    said = f"This run begins with the events of {short_id(form['run'])} before event {at}."
    return Made(said, f"/runs/{run.id}")


async def _set_attributes(visit: Visit, form: Form) -> str:
    values = map_of(form.get("attributes", ""), "Attributes")
    await visit.acting.set_attributes(_run(form), values)
    return "The attributes are set." if values else "No attributes were given; nothing was changed."


async def _delete(visit: Visit, form: Form) -> Made:
    id = _run(form)
    try:
        row = await visit.journal.get_run(parse_run_id(id))
    except ValueError:
        row = None
    if row is None:
        raise RunNotFound(id)
    operations = visit.acting.operations
    search = f"id:{await latest_deletable(visit.journal, row)}"
    preview = await operations.preview("delete", search)
    await operations.execute(preview.digest, "delete", search)
    return Made(f"Run {short_id(id)} is removed with its history and the runs of its chain.", "/runs")


async def _start(visit: Visit, form: Form) -> Made:
    workflow = form.get("workflow", "").strip()
    options: StartOptions = {"namespace": form.get("namespace", "").strip() or "default"}
    attributes = map_of(form.get("attributes", ""), "Attributes")
    if attributes:
        options["attributes"] = attributes
    if id := form.get("id", "").strip():
        options["id"] = id
    given = values_of(form)
    if version := form.get("version"):
        args, keywords = call_of(await _contract(visit, workflow, version), given)
    else:
        args, keywords = given.get("args", []), given.get("keywords", {})
        if not isinstance(args, list) or not isinstance(keywords, dict):
            raise InvalidOption("Arguments are a JSON list, and keywords a JSON map.")
    run = await visit.acting.options(**options).start(workflow, *args, **keywords)
    return Made("The run existed already." if run.existing else "The run is started.", f"/runs/{run.id}")


async def _contract(visit: Visit, workflow: str, version: str) -> WorkflowContract:
    for row in await visit.journal.contracts(workflow):
        if row.version == version and (found := WorkflowContract.from_document(workflow, row.contract)):
            return found
    raise InvalidOption(f"There is no contract of {quoted(workflow)} any more; load the page again.")


def _run(form: Form) -> str:
    if not (id := form.get("run", "").strip()):
        raise InvalidOption("This form names no run.")
    return id


def _event(form: Form) -> int:
    at = value_of(form.get("at", ""), "The event")
    if type(at) is not int:
        raise InvalidOption("An event is given by its number.")
    return at


def _its_id(form: Form) -> str:
    return form.get("run", "")


RUN_ACTIONS: Mapping[str, WebAction] = {
    "cancel": WebAction(Role.OPERATOR, _cancel),
    "force_cancel_run": WebAction(Role.OPERATOR, _force_cancel, _its_id),
    "signal_run": WebAction(Role.OPERATOR, _signal),
    "unblock_run": WebAction(Role.OPERATOR, _unblock),
    "pause_run": WebAction(Role.OPERATOR, _pause),
    "resume_run": WebAction(Role.OPERATOR, _resume),
    "restart_run": WebAction(Role.OPERATOR, _restart),
    "reset_run": WebAction(Role.OPERATOR, _reset),
    "fork_run": WebAction(Role.OPERATOR, _fork),
    "attributes_of_run": WebAction(Role.OPERATOR, _set_attributes),
    "delete_run": WebAction(Role.ADMIN, _delete, _its_id),
    "start_run": WebAction(Role.OPERATOR, _start),
}
