"""The findings about runs of one workflow that are blocked, or that nobody or nothing would wake."""

from __future__ import annotations

from collections.abc import Iterator

from continuum.journal.health_port import BlockedRuns, LostWakes, RunsForNothing, UnknownOwner
from continuum.operations.commands import command
from continuum.operations.findings import Finding, amount, verb
from continuum.operations.health_codes import health_finding
from continuum.operations.repair_commands import repair_command
from continuum.operations.scene import REASON_CHARACTERS
from continuum.operations.search import searched
from continuum.quoting import one_line, quoted

# What is done about one run, and about several, where the reason does not say it.
_WAYS_OUT = {
    "drift": (
        "unblock it once a running node has code that continues it",
        "unblock them once a running node has code that continues them",
    ),
    "input": (
        "cancel it and start it again with what the code takes, or deploy code that can read its input",
        "cancel them and start each again with what the code takes, or deploy code that can read their input",
    ),
    "poison": (
        "mend the code, deploy it, then unblock it",
        "mend the code, deploy it, then unblock them",
    ),
    "corrupt": (
        "restore what cannot be read, then unblock it",
        "restore what cannot be read, then unblock them",
    ),
}
_OTHER_WAYS_OUT = (
    "mend what the reason says, then unblock it",
    "mend what the reasons say, then unblock them",
)
# What is left to say where the reason ends in what to do, as those of these kinds do.
_AFTER_ADVICE = {
    "input": ("", "do that for each of them"),
    "corrupt": ("unblock it once that is done", "unblock them once that is done"),
}


def blocked_finding(runs: BlockedRuns, schema: str | None) -> Finding:
    """Return what is wrong with runs that are blocked, and the command that tries all of them again."""
    number = amount(runs.number, "run", more=runs.more)
    reason = one_line(runs.reason, REASON_CHARACTERS) or "it does not say why"
    what = f"{number} of workflow {quoted(runs.workflow)}"
    if _is_one(runs):
        text = f"{what} is blocked: {reason}"
    else:
        text = f"{what} are blocked, the latest, run {runs.example}, by this: {reason}"
    text = "; ".join(filter(None, (text, _way_out(runs))))
    return health_finding(
        "blocked",
        runs.workflow,
        text,
        *_fixes(runs, schema),
        since=runs.since,
        count=runs.number,
        more=runs.more,
        evidence=(runs.kind,),
        latest=runs.latest,
    )


def idle_finding(runs: RunsForNothing, schema: str | None) -> Finding:
    """Return that runs wait for nothing that could come, and the command that stops all of them."""
    if _is_one(runs):
        fix = command(schema, "cancel", runs.example)
    else:
        search = f"waits:nothing workflow:{searched(runs.workflow)}"
        fix = command(schema, "runs", "cancel", "--find", search)

    def said(one: str, many: str) -> str:
        return verb(runs.number, one, many, more=runs.more)

    text = (
        f"{amount(runs.number, 'run', more=runs.more)} of workflow {quoted(runs.workflow)} "
        f"{said('waits', 'wait')} for an event, a future or a queue of {said('its', 'their')} own code, and "
        "no signal, time, activity or child is pending that could set it; mend the code, and cancel "
        f"{said('it', 'them')}"
    )
    return health_finding(
        "nothing",
        runs.workflow,
        text,
        fix,
        since=runs.since,
        count=runs.number,
        more=runs.more,
        latest=runs.latest,
    )


def lost_wake_finding(runs: LostWakes, schema: str | None) -> Finding:
    """Return that runs of one workflow have mail, and that no claim looks for them."""
    count, example = len(runs.runs), runs.runs[0]
    what = f"{amount(count, 'run')} of workflow {quoted(runs.workflow)}"
    if count == 1:
        text = (
            f"{what} has unread mail and no owner, and is not due: no node looks for it; repair it, "
            f"it is run {example}"
        )
    else:
        text = (
            f"{what} have unread mail and no owner, and are not due: no node looks for them; repair "
            f"each, one is run {example}, and `continuum verify` names all"
        )
    return health_finding(
        "lost-wake",
        runs.workflow,
        text,
        repair_command("lost-wake", example, schema),
        since=runs.since,
        count=count,
        parts=tuple(runs.runs),
    )


def unknown_owner_finding(each: UnknownOwner, schema: str | None) -> Finding:
    """Return that runs or tasks of one workflow belong to a worker that does not exist."""
    number = amount(each.number, "task" if each.of_tasks else "run", more=each.more)
    what = f"{number} of workflow {quoted(each.workflow)}"
    run = f"{'of ' if each.of_tasks else ''}run {each.example}"
    if _is_one(each):
        named = f", it is {run}" if each.of_tasks else ""
        text = (
            f"{what} belongs to worker {each.worker}, which does not exist: no node looks for it; repair "
            f"it{named}"
        )
    else:
        text = (
            f"{what} belong to worker {each.worker}, which does not exist: no node looks for them; repair "
            f"each, one is {run}, and `continuum verify` names all"
        )
    return health_finding(
        "owner-unknown",
        each.workflow,
        text,
        repair_command("owner-unknown", each.example, schema),
        since=each.since,
        count=each.number,
        more=each.more,
        evidence=(str(each.worker), *(("task",) if each.of_tasks else ())),
    )


def _way_out(runs: BlockedRuns) -> str:
    """Return what the reason of blocked runs does not say about what to do; nothing if it says all."""
    for_one, for_all = _WAYS_OUT.get(runs.kind, _OTHER_WAYS_OUT)
    if runs.kind in _AFTER_ADVICE and ";" in runs.reason:
        for_one, for_all = _AFTER_ADVICE[runs.kind]
        if "runs unblock" in runs.reason:
            for_one, for_all = "", "do that for each of them"
    return for_one if _is_one(runs) else for_all


def _fixes(runs: BlockedRuns, schema: str | None) -> Iterator[str]:
    """Yield commands; no code that is loaded reads the input, so that to try it again changes nothing."""
    kind = f"fault:{searched(runs.kind)}" if runs.kind else "-fault:*"
    search = f"state:blocked workflow:{searched(runs.workflow)} {kind}"
    if runs.kind == "input":
        yield command(schema, "runs", "list", "--find", search)
        if _is_one(runs):
            yield command(schema, "cancel", runs.example)
        else:
            yield command(schema, "runs", "cancel", "--find", search)
    elif _is_one(runs):
        yield command(schema, "runs", "unblock", runs.example)
    else:
        yield command(schema, "runs", "unblock", "--find", search)


def _is_one(runs: BlockedRuns | RunsForNothing | UnknownOwner) -> bool:
    return runs.number == 1 and not runs.more
