"""The codes of `continuum health`: what each means, and what to do. `docs/health.md` shows this table."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.operations.findings import Code, Finding, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

HEALTH_CODES: Mapping[str, Code] = {
    "schema": Code(
        _ERROR,
        "the schema is missing or of another age than this package, and nothing else was looked at; or it "
        "has lost a table, column, function, sequence or view",
        "`continuum migrate`, or a package of the same age; for what is lost, `continuum doctor`",
    ),
    "no-nodes": Code(
        _ERROR,
        "runs or activity tasks are due, and no node lives",
        "start a node",
    ),
    "nodes-absent": Code(
        _WARNING,
        "open runs wait for a time, a signal or an answer, nothing is due, and no node lives",
        "start a node before they are due",
    ),
    "owner-unknown": Code(
        _ERROR,
        "runs or activity tasks belong to a worker that does not exist: no node looks for them",
        "`continuum repair owner-unknown RUN` for each; `continuum verify` names them",
    ),
    "lost-wake": Code(
        _ERROR,
        "runs have unread mail and no owner, and are not due by their rows: no node looks for them",
        "`continuum repair lost-wake RUN` for each; `continuum verify` names them",
    ),
    "no-code": Code(
        _ERROR,
        "runs are due whose workflow no node that takes work has loaded",
        "start a node with the module of the workflow",
    ),
    "no-version": Code(
        _ERROR,
        "runs are due in a version that no node has, and those with other versions do not take them",
        "start a node with that version",
    ),
    "no-namespace": Code(
        _ERROR,
        "runs are due in a namespace that no node with their workflow serves",
        "start a node for that namespace",
    ),
    "refused": Code(
        _ERROR,
        "runs are due whose history differs from what the code of the nodes does",
        "start a node with their version, or mend the code; `runs show` prints where they differ",
    ),
    "blocked": Code(
        _ERROR,
        "runs are blocked: their code, input or history cannot be used, or they killed their process",
        "mend what the reason says, then unblock them",
    ),
    "nothing": Code(
        _ERROR,
        "suspended runs wait for something in their own code that nothing pending could set: for ever",
        "mend their code; cancel them, and start them again",
    ),
    "backlog": Code(
        _WARNING,
        "runs have been due for long though nodes could execute them",
        "add run hosts or nodes, or look for what keeps those there are busy",
    ),
    "queue-unserved": Code(
        _ERROR,
        "activity tasks are due that no node may run",
        "start a node that has the activity, for its namespace, with an activity host if it is isolated",
    ),
    "queue-backlog": Code(
        _WARNING,
        "activity tasks have been due for long though nodes could run them",
        "raise the limit of the queue, or add nodes",
    ),
    "lease-expired": Code(
        _ERROR,
        "a process lost its lease, and nobody has released what it owns",
        "start a node: each releases what dead ones held",
    ),
    "quarantine": Code(
        _WARNING,
        "runs or activities were there when processes died, and wait to be tried apart from others",
        "wait for their trial, or cancel them",
    ),
    "deadly-workflow": Code(
        _ERROR,
        "several runs of a workflow have killed processes within a minute; its runs are kept apart",
        "mend its code; the log of continuum.recovery names what killed",
    ),
    "version-missing": Code(
        _WARNING,
        "open runs have a version that no node may execute: nothing would continue them",
        "start a node with that version, or check that newer code continues them",
    ),
    "paused-long": Code(
        _WARNING,
        "a pause stands for more than a day",
        "resume what is paused, or review the finding: then it is silent until something else is paused",
    ),
    "operation-interrupted": Code(
        _WARNING,
        "a change of many runs is not over and nobody carries it out: its process died or was interrupted",
        "continue it anywhere, or cancel it",
    ),
    "odd-row": Code(
        _ERROR,
        "a row has a time that no engine writes, and is passed over",
        "set it to what was meant",
    ),
    "node-lost": Code(
        _WARNING,
        "a node is listed and none of its processes has a lease",
        "start it again; otherwise it leaves the list after an hour",
    ),
    "node-replaced": Code(
        _NOTE,
        "a node is lost, and others that live have all of its workflows",
        "nothing: it leaves the list after an hour",
    ),
    "node-draining": Code(
        _NOTE,
        "a node finishes or releases what it has, and then stops",
        "wait for its end",
    ),
}


def health_finding(
    code: str,
    subject: str,
    sentence: str,
    *fixes: str,
    since: int | None = None,
    count: int | None = None,
    more: bool = False,
    evidence: tuple[str, ...] = (),
    latest: int | None = None,
    parts: tuple[str, ...] = (),
) -> Finding:
    """Return a finding of a code of this table, as severe as the table says."""
    severity = HEALTH_CODES[code].severity
    return Finding(code, severity, subject, sentence, fixes, since, count, more, evidence, latest, parts)
