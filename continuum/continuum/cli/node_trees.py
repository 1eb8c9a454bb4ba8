"""How `continuum nodes show --tree` writes what a node reports of itself: a line for each actor, indented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from continuum.operations.node_report import (
    ActorReport,
    Load,
    NodeReport,
    ProcessReport,
    ProcessStacks,
    Stack,
)

_MEGABYTE = 1_000_000


def tree_lines(report: NodeReport) -> Iterator[str]:
    """Yield the lines about each process and its actors."""
    for process in report.processes:
        yield ""
        yield _process(process)
        if process.silent_for is not None:
            yield f"  does not answer; its loop turned last {process.silent_for:.1f} s ago"
        yield from (f"  {line}" for line in _condition(process))
        if process.tree is not None:
            yield from _actor(process.tree, "  ")


def stack_lines(processes: Sequence[ProcessStacks]) -> Iterator[str]:
    """Yield the lines about where the threads and tasks of each process are."""
    for process in processes:
        yield ""
        yield f"stacks of {process.process_id}, pid {process.pid}"
        if not process.answered:
            yield "  does not answer, not even from its main thread"
        for stack in process.stacks:
            yield f"  {_title(stack)}"
            yield from (f"    {frame}" for frame in stack.frames or ("nowhere",))
        if process.omitted:
            yield f"  {process.omitted} more did not fit"


def _process(process: ProcessReport) -> str:
    words = [f"{process.process_id}, pid {process.pid}"]
    if process.up_for is not None:
        words.append(f"up for {process.up_for:.0f} s")
    if process.draining:
        words.append("draining")
    words.append(_times(process.restarts, "restarted") or "never restarted")
    return ", ".join(words) + (f" ({process.last_end})" if process.last_end else "")


def _condition(process: ProcessReport) -> Iterator[str]:
    words = []
    if process.lease_age is not None:
        words.append(f"lease renewed {process.lease_age:.1f} s ago")
    if process.loop_lag is not None:
        words.append(f"loop {process.loop_lag * 1000:.1f} ms late")
    if process.memory is not None:
        words.append(f"{process.memory / _MEGABYTE:.0f} MB")
    if process.connections is not None:
        words.append(f"{process.connections} connection{'' if process.connections == 1 else 's'}")
    if words:
        yield ", ".join(words)
    if process.load is not None:
        yield from _load(process.load)


def _load(load: Load) -> Iterator[str]:
    if load.active_limit:
        yield (
            f"runs: {load.active_runs} of {load.active_limit} active,"
            f" {load.suspended_runs} of {load.suspended_limit} suspended in memory"
        )
    yield (
        f"activities: {load.local} of runs here, {load.tasks} of {load.task_limit} from queues;"
        f" threads: {load.busy_threads} of {load.thread_limit} busy, {load.waiting_for_a_thread} wait for one"
    )


def _actor(actor: ActorReport, indent: str) -> Iterator[str]:
    words = [actor.doing]
    if actor.strategy is not None:
        words.append(actor.strategy)
    if actor.mailbox:
        words.append(f"{actor.mailbox} waiting")
    if actor.restarts:
        words.append(_last(_times(actor.restarts, "restarted"), actor.ended_ago, actor.why))
    if actor.crashes:
        words.append(_last(_times(actor.crashes, "a child crashed"), actor.crashed_ago, actor.crash))
    name = "" if actor.actor is None else f" {actor.actor}"
    yield f"{indent}{actor.id}:{name} {', '.join(words)}"
    for child in actor.children:
        yield from _actor(child, indent + "  ")
    if actor.unlisted:
        yield f"{indent}  and {actor.unlisted} more"


def _last(what: str, ago: float | None, why: str | None) -> str:
    if ago is None:
        return what
    return f"{what}, last {ago:.0f} s ago" + (f" ({why})" if why else "")


def _times(number: int, what: str) -> str:
    return "" if not number else f"{what} once" if number == 1 else f"{what} {number} times"


def _title(stack: Stack) -> str:
    like = "" if stack.number == 1 else f", and {stack.number - 1} more like it"
    return f"{stack.kind} {stack.name}{like}"
