"""Causes that lie with processes: nodes without the code, nodes that leave, owners that are late or lost."""

from __future__ import annotations

from collections.abc import Iterator

from continuum.journal.facts import RunState
from continuum.journal.silence import Silence
from continuum.journal.situation import Suspicion
from continuum.journal.untyped_values import at
from continuum.operations.explanation import Cause, Fix
from continuum.operations.findings import amount
from continuum.operations.scene import (
    MICROSECONDS,
    REASON_CHARACTERS,
    Hang,
    Scene,
    moment,
    optional_moment,
)
from continuum.quoting import listed, one_line


def ownership_causes(scene: Scene) -> Iterator[Cause]:
    """Yield what keeps processes from continuing an open run, the worst first."""
    situation, run, hang = scene.situation, scene.run, scene.hang
    if run.owner is None and hang is not None:
        yield _hanging(scene, hang)
    elif scene.has_unknown_owner:
        yield _owner_unknown(scene)
    elif run.owner is None and situation.never_due:
        yield _never_due(scene)
    elif run.owner is None or situation.lease is None:
        why = scene.lost_wake
        if why is not None:
            yield _lost_wake(scene, why)
        yield from _unowned(scene, due=why is None and is_due(scene))
    elif situation.lease.expires_at <= scene.now:
        yield _lease_lost(scene, situation.lease.expires_at)
    elif scene.silence is not None:
        yield _owner_silent(scene, situation.lease.renewed_at, situation.lease.expires_at)
    elif hang is not None:
        yield _hanging(scene, hang)
    elif run.state is RunState.RUNNING and -1 in situation.suspicions:
        yield _on_trial(scene, situation.suspicions[-1])


def is_due(scene: Scene) -> bool:
    """Whether a run without an owner has something to do now."""
    run = scene.run
    return run.state is RunState.RUNNING or (run.due_at is not None and run.due_at <= scene.now)


def due_since(scene: Scene) -> int:
    """Return since when a run without an owner has had something to do."""
    run = scene.run
    return run.updated_at if run.due_at is None else min(run.due_at, scene.now)


def unrecorded(scene: Scene) -> Cause:
    """Return that the release which parked the run did not write what it waits for."""
    return Cause(
        "unrecorded",
        "it waits for a signal, or for something in its code; the release that parked it did not say which",
        at(scene.run.updated_at),
        wakes_by="the sender of a signal",
        fixes=(scene.cancel(),),
    )


def _unowned(scene: Scene, *, due: bool) -> Iterator[Cause]:
    serving = scene.serving
    since = due_since(scene)
    if not serving and scene.having and scene.situation.refusals:
        yield _refused(scene, since)
    elif not serving:
        yield _no_node(scene, since)
    elif all(node.state == "draining" for node in serving):
        yield _draining(scene, since)
    elif due:
        yield _due(scene)


def _due(scene: Scene) -> Cause:
    """Return why a run that is due, and for which there are nodes, has no owner yet."""
    if -1 in scene.situation.suspicions or scene.situation.deadly:
        return _quarantine(scene)
    room = {node.node: scene.room_of(node) for node in scene.serving if node.state != "draining"}
    if all(left is not None and left <= 0 for left in room.values()):
        return _full(scene, sorted(room))
    return ready(scene)


def _no_node(scene: Scene, since: int) -> Cause:
    run = scene.run
    evidence = {
        "workflow": run.workflow,
        "namespace": run.namespace,
        "nodes": {
            node.node: {"workflows": list(node.workflows), "namespaces": node.namespaces, "state": node.state}
            for node in scene.nodes
        },
    }
    running = scene.running_nodes
    if not running:
        missing = "no node is running"
    elif scene.having:
        missing = (
            f"no running node has {scene.named_version} of {run.workflow}, and none takes other versions"
        )
    elif any(run.workflow in node.workflows for node in running):
        missing = f"no running node that has {run.workflow} serves namespace {run.namespace}"
    else:
        missing = f"no running node has loaded {run.workflow}: they have " + (
            listed(sorted({name for node in running for name in node.workflows})) or "no workflow"
        )
    fixes = (scene.start_a_node(), scene.cancel("to end it without its code", force=True))
    waker = f"a node that has {run.workflow} and serves namespace {run.namespace}"
    return Cause("no_node", missing, optional_moment(since), evidence, waker, None, fixes)


def _draining(scene: Scene, since: int) -> Cause:
    names = [node.node for node in scene.serving]
    return Cause(
        "draining",
        f"every running node that has {scene.run.workflow} drains and claims nothing more: {listed(names)}",
        optional_moment(since),
        {"nodes": names},
        f"another node that has {scene.run.workflow}",
        None,
        (scene.start_a_node(),),
    )


def _refused(scene: Scene, since: int) -> Cause:
    run, refusals = scene.run, scene.situation.refusals
    labels = {known.version: known.label for known in scene.situation.versions}
    named = scene.named_version
    last = refusals[-1]
    return Cause(
        "refused",
        f"it waits for a node with {named}; {amount(len(refusals), 'other version')} of "
        f"{run.workflow} cannot continue it: {one_line(last.reason, REASON_CHARACTERS)}",
        optional_moment(since),
        {
            "version": run.version,
            "label": labels.get(run.version or ""),
            "refused_by": {
                refusal.version: {"label": labels.get(refusal.version), "reason": refusal.reason}
                for refusal in refusals
            },
        },
        f"a node with {named} of {run.workflow}, or with code that continues its history",
        None,
        (
            scene.start_a_node(f"where the code is that of {named}"),
            scene.cancel("to give it up", force=True),
        ),
    )


def ready(scene: Scene) -> Cause:
    """Return that the run is due and that a node claims it soon."""
    since = due_since(scene)
    nodes = {node.node: node.live_runs for node in scene.serving}
    return Cause(
        "ready",
        f"it is due since {moment(since)}, and a node claims it as soon as it has room: {listed(nodes)}",
        optional_moment(since),
        {"live_runs": nodes, "mail": sum(scene.situation.mail.values())},
        f"a node that has {scene.run.workflow}: {listed(nodes)}",
        at(scene.now),
    )


def _lost_wake(scene: Scene, why: str) -> Cause:
    run = scene.run
    due = "it is never due" if run.due_at is None else f"it is due at {moment(run.due_at)} only"
    return Cause(
        "lost_wake",
        f"it has {why}, nobody owns it, and {due}: no node looks for it",
        at(run.updated_at),
        {
            "due": None if run.due_at is None else moment(run.due_at),
            "mail": sum(scene.situation.mail.values()),
        },
        None if run.due_at is None else f"any node that has {run.workflow}",
        optional_moment(run.due_at),
        (Fix(f"continuum repair lost-wake {run.id}"), scene.cancel(force=True)),
    )


def _owner_unknown(scene: Scene) -> Cause:
    run = scene.run
    return Cause(
        "lost_wake",
        f"it belongs to worker {run.owner}, which does not exist: no node looks for it",
        at(run.updated_at),
        {"owner": run.owner, "mail": sum(scene.situation.mail.values())},
        fixes=(Fix(f"continuum repair owner-unknown {run.id}"), scene.cancel(force=True)),
    )


def _never_due(scene: Scene) -> Cause:
    run = scene.run
    return Cause(
        "lost_wake",
        "somebody has set the time when it is due to infinity: no node looks for it",
        at(run.updated_at),
        {"due": "infinity", "mail": sum(scene.situation.mail.values())},
        fixes=(Fix(f"continuum repair odd-time {run.id}"), scene.cancel(force=True)),
    )


def _quarantine(scene: Scene) -> Cause:
    """Return that a due run is tried apart from others."""
    suspicion = scene.situation.suspicions.get(-1)
    nodes = [node.node for node in scene.serving]
    if suspicion is None:
        why = f"several runs of {scene.run.workflow} have killed processes within a minute"
        how, since = "its runs are tried apart from others", due_since(scene)
    else:
        why = "it was there when processes died"
        how, since = f"it waits to be tried {company(suspicion.together)}", suspicion.since
    return Cause(
        "quarantine",
        f"{why}, the last one at {moment(since)}; {how}, one trial after the other on each node"
        if suspicion is not None
        else f"{why}; {how}",
        at(since),
        {"together": None if suspicion is None else suspicion.together, "nodes": nodes},
        f"the process of a node that tries suspects: {listed(nodes)}",
        None,
        (scene.start_a_node("to have another trial beside those under way"), scene.cancel(force=True)),
    )


def _on_trial(scene: Scene, suspicion: Suspicion) -> Cause:
    """Return that the owner of a run tries it apart from others."""
    return Cause(
        "quarantine",
        f"it was there when processes died, the last one at {moment(suspicion.since)}; {scene.owner} "
        f"tries it {company(suspicion.together)}{scene.died}",
        at(suspicion.since),
        {
            "together": suspicion.together,
            "nodes": [scene.run.owner_node],
            "deaths": scene.situation.deaths,
        },
        "the end of the trial",
        None,
        (scene.cancel(force=True),),
    )


def company(together: int) -> str:
    """Return with how many others a suspect is tried."""
    return "alone" if together <= 1 else f"with {together - 1} others at most"


def _full(scene: Scene, nodes: list[str]) -> Cause:
    since = due_since(scene)
    active = {node: scene.situation.active.get(node, 0) for node in nodes}
    running = listed(f"{number} on node {node}" for node, number in active.items())
    return Cause(
        "full",
        f"it is due since {moment(since)}, and every running node that has its workflow executes as many "
        f"runs as it may: {running}",
        optional_moment(since),
        {"active": active, "limits": {node: scene.capacity_of(node) for node in nodes}},
        f"one of these nodes, once it has room: {listed(nodes)}",
        None,
        (scene.start_a_node(), scene.cancel()),
    )


def _lease_lost(scene: Scene, expired_at: int) -> Cause:
    serving = scene.able_to_take_over
    waker = f"a process of node {listed(serving)}" if serving else f"a node that has {scene.run.workflow}"
    return Cause(
        "lease_lost",
        f"its owner, {scene.owner}, has lost its lease at {moment(expired_at)}"
        + ("" if serving else ", and no other process of a running node has its workflow"),
        at(expired_at),
        {"node": scene.run.owner_node, "pid": scene.run.owner_pid, "others": serving},
        waker,
        at(scene.now) if serving else None,
        () if serving else (scene.start_a_node(),),
    )


def _owner_silent(scene: Scene, renewed_at: int, expires_at: int) -> Cause:
    serving = scene.able_to_take_over
    silence = (scene.now - renewed_at) / MICROSECONDS
    waker = f"its owner, or a process of node {listed(serving)}" if serving else "its owner, if it comes back"
    return Cause(
        "owner_silent",
        f"its owner, {scene.owner}, gives no sign of life for {silence:.0f} s; "
        f"its lease ends at {moment(expires_at)}"
        + ("" if serving else ", and no other process of a running node has its workflow"),
        at(renewed_at),
        {
            "node": scene.run.owner_node,
            "pid": scene.run.owner_pid,
            "silent_seconds": round(silence, 1),
            "lease_ends": moment(expires_at),
            "others": serving,
        },
        waker,
        at(expires_at) if serving else None,
        () if serving else (scene.start_a_node(),),
    )


def _hanging(scene: Scene, hang: Hang) -> Cause:
    """Return that the process of a run executes code that does not give it back."""
    run, since, limit, unread = scene.run, hang.since, hang.silence.limit, scene.unread()
    process, blamed = f"process {hang.pid} of node {hang.node}", hang.silence.run_id
    if blamed is None:
        what = f"{process} does not answer since {moment(since)}, and executes no code of yours"
    else:
        code = _code_that_hangs(scene, hang.silence)
        what = f"{code} keeps {process} busy since {moment(since)} and does not await"
    lies = f"; {listed(unread)} lies unread" if unread else ""
    fixes: tuple[Fix, ...] = ()
    if blamed == run.id:
        fixes = (scene.cancel("to give the run up; its process hangs until it is killed", force=True),)
    elif blamed is not None:
        fixes = (Fix(f"continuum explain {blamed}", "to see what it does"),)
    watchdog = f"the watchdog of node {hang.node}, which kills the process"
    return Cause(
        "hanging",
        f"{what}: no run of that process continues meanwhile{lies}{scene.died}",
        at(since),
        {
            "node": hang.node,
            "pid": hang.pid,
            "run": blamed,
            "seq": hang.silence.seq,
            "silent_seconds": round((scene.now - since) / MICROSECONDS, 1),
            "unread": unread,
            "deaths": scene.situation.deaths,
        },
        "the code that hangs" if limit is None else watchdog,
        None if limit is None else scene.ahead(since + round(limit * MICROSECONDS)),
        fixes,
    )


def _code_that_hangs(scene: Scene, silence: Silence) -> str:
    own = silence.run_id == scene.run.id
    if silence.seq is None:
        return "its own code" if own else f"the code of run {silence.run_id}"
    call = scene.history.calls.get(silence.seq) if own else None
    name = f"activity {silence.seq}" if call is None else f"activity {call.name}"
    return name if own else f"{name} of run {silence.run_id}"
