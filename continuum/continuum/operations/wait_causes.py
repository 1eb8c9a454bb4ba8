"""Causes that lie with what the code waits for: activities, timers, signals, children, its own stop.

What the owner wrote when it parked the run (`RunRow.waits`) is compared with history and tasks, which
are newer.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from continuum.journal.facts import InboxKind, NodeRow, RunState
from continuum.journal.situation import Suspicion, TaskPlace
from continuum.journal.untyped_values import at, readable
from continuum.journal.wait import Wait
from continuum.operations.executing_causes import interrupted
from continuum.operations.explanation import Cause, Fix
from continuum.operations.findings import amount
from continuum.operations.ownership_causes import company
from continuum.operations.pause_causes import paused_queue
from continuum.operations.run_history import OpenCall, StartedChild
from continuum.operations.scene import MICROSECONDS, Scene, moment, optional_moment
from continuum.quoting import listed, one_line


def wait_causes(scene: Scene) -> Iterator[Cause]:
    """Yield what an open run waits for, what is at work first."""
    asked, asked_at = scene.cancel_requested_at
    if asked:
        yield _cancelling(scene, asked_at)
    yield from _calls(scene)
    yield from _signals(scene)
    yield from _timers(scene)
    yield from _children(scene)


def waits_for_nothing(scene: Scene) -> Cause:
    """Return that nothing outside can wake the run."""
    return Cause(
        "nothing",
        "its code waits for an event, a future or a queue of its own, and nothing pending could set it",
        at(scene.run.updated_at),
        fixes=(scene.cancel("to stop it; then mend its code"),),
    )


def _cancelling(scene: Scene, asked_at: int | None) -> Cause:
    undoing = [call.name for call in scene.history.calls.values() if call.compensation]
    doing = f"compensates: {listed(undoing)}" if undoing else "has not stopped yet"
    since = "" if asked_at is None else f" at {moment(asked_at)}"
    return Cause(
        "cancelling",
        f"it was asked to stop{since} and {doing}",
        optional_moment(asked_at),
        {"compensating": undoing},
        scene.waker,
        None,
        (scene.cancel("to end it at once, without compensation", force=True),),
    )


def _calls(scene: Scene) -> Iterator[Cause]:
    tasks = {task.seq: task for task in scene.situation.tasks}
    calls = dict(scene.history.calls)
    for wait in scene.run.waits or ():
        # Before the events that were read: a call that is no task is tried again then.
        if wait.kind == "activity" and wait.due is not None and wait.seq < scene.situation.first:
            earlier = OpenCall(wait.seq, wait.name, "", wait.since, False, retry_due=wait.due)
            calls.setdefault(wait.seq, earlier)
    for seq in sorted({*tasks, *calls}):
        call, task = calls.get(seq), tasks.get(seq)
        if task is not None and task.owner_pid is not None:
            yield _task_running(scene, task, call)
        elif task is not None and task.lost:
            yield _task_lost(scene, task, call)
        elif task is not None and seq in scene.situation.suspicions:
            yield _suspected(scene, task, scene.situation.suspicions[seq], call)
        elif task is not None and (pause := scene.situation.paused_queues.get(task.queue)) is not None:
            yield paused_queue(scene, pause, task)
        elif task is not None:
            yield _queued(scene, task, call)
        elif call is not None and call.retry_due is not None:
            if _is_awaited(scene, "activity", seq, call.retry_due):
                yield _backing_off(scene, call, call.retry_due)
        elif call is not None and scene.run.state is RunState.RUNNING and scene.owner is not None:
            yield _running_here(scene, call)


def _is_awaited(scene: Scene, kind: str, seq: int, due: int) -> bool:
    """Whether the run waits for this: the history may have what the code waits for no more."""
    run = scene.run
    named = any(wait.kind == kind and wait.seq == seq for wait in run.waits or ())
    return run.state is RunState.RUNNING or due == run.due_at or named


def _facts(call: OpenCall | None) -> dict[str, Any]:
    if call is None:
        return {}
    summary = {} if call.summary is None else {"summary": call.summary}
    return {"place": call.place, "crashes": call.crashes, "compensation": call.compensation, **summary}


def _task_running(scene: Scene, task: TaskPlace, call: OpenCall | None) -> Cause:
    deadline = task.deadline
    if task.timeout and task.claimed_at is not None:
        ends = task.claimed_at + round(task.timeout * MICROSECONDS)
        deadline = ends if deadline is None else min(deadline, ends)
    where = f"process {task.owner_pid} of node {task.owner_node}"
    queue = f" of queue {task.queue}" if task.queue else ""
    cause = _running(
        scene, task.seq, task.activity, task.attempt, where, task.claimed_at, deadline, queue, _facts(call)
    )
    if task.owner_node not in scene.silent_nodes:
        return cause
    silent = (
        f"{cause.sentence}; that node gives no sign of life, and once its lease has ended another runs it"
    )
    return replace(cause, sentence=silent, wakes_by=f"a node that has {task.activity}", wakes_at=None)


def _task_lost(scene: Scene, task: TaskPlace, call: OpenCall | None) -> Cause:
    return Cause(
        "lost_wake",
        f"the task of activity {task.activity} belongs to a worker that does not exist: no node looks for it",
        optional_moment(task.claimed_at),
        {"activity": task.activity, "seq": task.seq, "attempt": task.attempt, **_facts(call)},
        fixes=(Fix(f"continuum repair owner-unknown {scene.run.id}"), scene.cancel()),
    )


def _running_here(scene: Scene, call: OpenCall) -> Cause:
    where, deaths = scene.owner or "", scene.situation.deaths
    if scene.has_lost_owner:
        return interrupted(scene, call, where, _facts(call))
    # An owner that took the run over began the attempt again.
    since = max(call.since, scene.run.claimed_at or 0)
    facts = {**_facts(call), "deaths": deaths}
    cause = _running(scene, call.seq, call.name, call.attempt, where, since, None, "", facts)
    blamed = None if scene.hang is None else scene.hang.silence
    hangs = blamed is not None and (blamed.run_id, blamed.seq) != (scene.run.id, call.seq)
    unknown = "; whether it still runs is not known, because its process hangs" if hangs else ""
    return replace(cause, sentence=f"{cause.sentence}{unknown}{scene.died}")


def _running(
    scene: Scene,
    seq: int,
    name: str,
    attempt: int,
    where: str,
    since: int | None,
    deadline: int | None,
    queue: str,
    facts: dict[str, Any],
) -> Cause:
    heartbeat = scene.situation.heartbeats.get(seq)
    evidence = {"activity": name, "seq": seq, "attempt": attempt, "where": where, **facts}
    if heartbeat is not None:
        evidence["heartbeat"] = readable(heartbeat)
    if deadline is not None:
        evidence["deadline"] = moment(deadline)
    began = "" if since is None else f" since {moment(since)}"
    ends = "" if deadline is None else f", until {moment(deadline)} at most"
    return Cause(
        "activity_running",
        f"attempt {attempt} of activity {name}{queue} runs in {where}{began}{ends}",
        optional_moment(since),
        evidence,
        f"activity {name}",
        optional_moment(deadline),
        (scene.cancel("to stop the attempt and the run"),),
    )


def _queued(scene: Scene, task: TaskPlace, call: OpenCall | None) -> Cause:
    queue = f"queue {task.queue}" if task.queue else "the activities without a queue"
    place = task.ahead + 1
    limits = _limits(scene, task)
    since = "" if task.queued_at is None else f" since {moment(task.queued_at)}"
    if limits:
        most = listed(f"{'?' if limit is None else limit} on node {node}" for node, limit in limits.items())
        sentence = (
            f"activity {task.activity} waits{since} as number {place} in {queue}, of which {task.busy} run, "
            f"at most {most}"
        )
        waker = f"a process that serves {queue}: {listed(limits)}"
    else:
        why = _missing(scene, task)
        sentence = f"activity {task.activity} waits{since}, and no running node claims it: {why}"
        waker = f"a node that has {task.activity}"
    return Cause(
        "activity_queued",
        sentence,
        optional_moment(task.queued_at),
        {
            "activity": task.activity,
            "seq": task.seq,
            "attempt": task.attempt,
            "queue": task.queue,
            "position": place,
            "running": task.busy,
            "limits": limits,
            "isolated": task.isolated,
            "node": task.node,
            **_facts(call),
        },
        waker,
        None,
        (scene.start_a_node("to run more of them" if limits else None), scene.cancel()),
    )


def _suspected(scene: Scene, task: TaskPlace, suspicion: Suspicion, call: OpenCall | None) -> Cause:
    nodes = [node.node for node in scene.running_nodes if _may_run(scene, task, node)]
    return Cause(
        "quarantine",
        f"activity {task.activity} was there when processes died, the last one at {moment(suspicion.since)}; "
        f"it waits to be tried {company(suspicion.together)}, one trial after the other on each node",
        at(suspicion.since),
        {
            "activity": task.activity,
            "seq": task.seq,
            "together": suspicion.together,
            "nodes": nodes,
            **_facts(call),
        },
        f"the process of a node that tries suspects: {listed(nodes)}",
        None,
        (scene.start_a_node("to have another trial beside those under way"), scene.cancel(force=True)),
    )


def _limits(scene: Scene, task: TaskPlace) -> dict[str, int | None]:
    """Return how many activities of the task's queue each node that may claim it runs at once."""
    return {
        node.node: None if node.code is None else node.code.limit_of(task.queue)
        for node in scene.running_nodes
        if node.state != "draining" and task.node in (None, node.node) and _may_run(scene, task, node)
    }


def _may_run(scene: Scene, task: TaskPlace, node: NodeRow) -> bool:
    in_namespace = node.namespaces is None or scene.run.namespace in node.namespaces
    return in_namespace and _has_loaded(task, node) and _has_process(task, node)


def _has_loaded(task: TaskPlace, node: NodeRow) -> bool:
    """Whether a node has loaded the activity, as far as is known."""
    return node.code is None or task.activity in node.code.activities


def _has_process(task: TaskPlace, node: NodeRow) -> bool:
    return not task.isolated or any(role == "activity_host" for role, _ in node.processes)


def _missing(scene: Scene, task: TaskPlace) -> str:
    if task.node is not None:
        return f"it is for node {task.node} alone"
    having = [node for node in scene.running_nodes if _has_loaded(task, node)]
    if not having:
        return "none has loaded it"
    if not any(_has_process(task, node) for node in having):
        return "none that has loaded it has an activity host"
    return f"none that has loaded it serves namespace {scene.run.namespace}, or it drains"


def _backing_off(scene: Scene, call: OpenCall, due: int) -> Cause:
    begins = "was to begin" if due <= scene.now else "begins"
    attempts = scene.attempts_of(call)
    # The attempt of a call before the events that were read is not known.
    which = f"attempt {call.attempt}" if call.error else "another attempt"
    most = f" of {attempts}" if attempts is not None and call.error else ""
    return Cause(
        "backing_off",
        f"{which}{most} of activity {call.name} {begins} at {moment(due)}; the one before failed "
        f"with {one_line(call.error or 'an error')}",
        at(call.since),
        {
            "activity": call.name,
            "seq": call.seq,
            "attempt": call.attempt,
            "attempts": attempts,
            "error": call.error,
            **_facts(call),
        },
        scene.waker,
        scene.ahead(due),
        (*scene.ways_on, scene.cancel()),
    )


def _signals(scene: Scene) -> Iterator[Cause]:
    waits = [wait for wait in scene.run.waits or () if wait.kind == "signal"]
    if not waits:
        return
    unread = _unread(scene, {wait.name for wait in waits})
    for wait in waits:
        yield _signal(scene, wait, unread)


def _unread(scene: Scene, awaited: set[str]) -> list[str]:
    """Return the names of the signals that have arrived and that no code has taken."""
    known = {wait.name for wait in scene.run.waits or () if wait.kind == "unread"}
    # The owner has named those that it had when it wrote the row.
    later = {name for name, when in scene.history.signals if when >= scene.run.updated_at}
    posted = {name for kind, name in scene.situation.mail if kind == InboxKind.SIGNAL}
    return sorted((known | later | posted) - awaited)


def _signal(scene: Scene, wait: Wait, unread: list[str]) -> Cause:
    # The owner writes no row when it waits for the same signal at the same place again.
    since = max([wait.since, *(when for name, when in scene.history.signals if name == wait.name)])
    place = f", at {wait.place}" if wait.place else ""
    until = "" if wait.due is None else f", until {moment(wait.due)} at most"
    others = f"; {listed(unread)} came, and no code has taken it" if unread else ""
    sender = f"the sender of signal {wait.name}"
    come = scene.situation.mail.get((int(InboxKind.SIGNAL), wait.name), 0)
    # Another one would wait behind those that have come.
    came = f"; {amount(come, 'such signal')} came, and no process has read it" if come else ""
    waker = scene.waker if come else sender
    # A name that begins like an option is none.
    dashes = "-- " if wait.name.startswith("-") else ""
    command = f"continuum signal {scene.run.id} {dashes}{shlex.quote(wait.name)} VALUE"
    return Cause(
        "signal",
        f"it waits for signal {wait.name} since {moment(since)}{until}{place}{came}{others}",
        at(since),
        {"signal": wait.name, "place": wait.place, "come": come, "unread": unread},
        waker
        if wait.due is None or come or not scene.can_continue
        else f"{waker}, or {scene.waker} when the time is over",
        None if come else scene.ahead(wait.due),
        (scene.cancel(),)
        if come
        else (Fix(command, "with the JSON that the code expects for VALUE"), scene.cancel()),
    )


def _timers(scene: Scene) -> Iterator[Cause]:
    run = scene.run
    if run.state is RunState.RUNNING:
        return
    # The timeout of a signal is part of that cause.
    of_signals = {wait.due for wait in run.waits or () if wait.kind == "signal"}
    of_their_own = {wait.seq for wait in run.waits or () if wait.kind == "timer"}
    found = {
        seq: (timer.since, timer.due, timer.place)
        for seq, timer in scene.history.timers.items()
        if _is_awaited(scene, "timer", seq, timer.due)
    }
    for wait in run.waits or ():
        # Before the events that were read.
        if wait.kind == "timer" and wait.due is not None and wait.seq < scene.situation.first:
            found[wait.seq] = wait.since, wait.due, ""
    for seq, (since, due, place) in sorted(found.items(), key=lambda entry: entry[1][1]):
        if due not in of_signals or seq in of_their_own:
            yield _timer(scene, seq, since, due, place)


def _timer(scene: Scene, seq: int, since: int, due: int, place: str) -> Cause:
    waits = "waited" if due <= scene.now else "waits"
    return Cause(
        "timer",
        f"it {waits} until {moment(due)}{f', at {place}' if place else ''}",
        at(since),
        {"seq": seq, "place": place or None},
        scene.waker,
        scene.ahead(due),
        (scene.cancel(),),
    )


def _children(scene: Scene) -> Iterator[Cause]:
    for child in scene.situation.children:
        explained = scene.children.get(child.id)
        started = scene.history.children.get(child.seq, StartedChild(child.id, child.workflow, 0, ""))
        held = explained.causes[0] if explained is not None and explained.causes else None
        because = "" if held is None else f": {held.sentence}"
        yield Cause(
            "child",
            f"it waits for child {child.id} of {child.workflow}{because}",
            at(started.since) if started.since else None,
            {
                "child": child.id,
                "workflow": child.workflow,
                "state": child.state.name.lower(),
                "place": started.place or None,
                "causes": [] if explained is None else [cause.code for cause in explained.causes],
            },
            f"the end of child {child.id}" if held is None or held.wakes_by is None else held.wakes_by,
            None if held is None else held.wakes_at,
            (Fix(f"continuum explain {child.id}"),) if held is None else held.fixes,
        )
