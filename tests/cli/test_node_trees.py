"""How the report of a node is written for a terminal."""

from __future__ import annotations

from continuum.cli.node_trees import stack_lines, tree_lines
from continuum.operations.node_report import (
    ActorReport,
    Load,
    NodeReport,
    ProcessReport,
    ProcessStacks,
    Stack,
)

RUNS = ActorReport(
    "run_supervisor",
    "dynamic_supervisor",
    "idle",
    actor="RunSupervisor",
    children=(ActorReport("run-1", "worker", "busy", 4, "Run"),),
    unlisted=12,
    crashes=1,
    crashed_ago=3.2,
    crash="crashed with Boom: x",
)
HOST = ProcessReport(
    "run_host-1",
    "run_host",
    7,
    restarts=2,
    last_end="it was killed by SIGKILL",
    up_for=61.0,
    lease_age=0.4,
    loop_lag=0.0012,
    memory=81_000_000,
    connections=2,
    draining=True,
    load=Load(13, 1, 1000, 12, 16000, 3, 1, 64, 2, 32, 5),
    tree=ActorReport(
        "run_host-1",
        "supervisor",
        "idle",
        strategy="one_for_one",
        actor="Supervisor",
        children=(
            RUNS,
            ActorReport("timer_wheel", "worker", "down", restarts=1, ended_ago=9.0, why="killed"),
        ),
    ),
)


def test_each_process_is_written_with_its_load_and_its_actors_below_their_supervisors() -> None:
    silent = ProcessReport("run_host-2", "run_host", 8, silent_for=4.04)
    assert list(tree_lines(NodeReport("north", "up", (HOST, silent)))) == [
        "",
        "run_host-1, pid 7, up for 61 s, draining, restarted 2 times (it was killed by SIGKILL)",
        "  lease renewed 0.4 s ago, loop 1.2 ms late, 81 MB, 2 connections",
        "  runs: 1 of 1000 active, 12 of 16000 suspended in memory",
        "  activities: 3 of runs here, 1 of 64 from queues; threads: 2 of 32 busy, 5 wait for one",
        "  run_host-1: Supervisor idle, one_for_one",
        "    run_supervisor: RunSupervisor idle, a child crashed once, last 3 s ago (crashed with Boom: x)",
        "      run-1: Run busy, 4 waiting",
        "      and 12 more",
        "    timer_wheel: down, restarted once, last 9 s ago (killed)",
        "",
        "run_host-2, pid 8, never restarted",
        "  does not answer; its loop turned last 4.0 s ago",
    ]


def test_each_stack_is_written_with_the_number_of_those_that_are_like_it() -> None:
    frames = ("/a/b.py:3 outer", "/a/b.py:9 inner")
    stacks = ProcessStacks("run_host-1", "run_host", 7, (Stack("thread", "charge", frames, 3),), 2)
    silent = ProcessStacks("run_host-2", "run_host", 8, answered=False)
    assert list(stack_lines([stacks, silent])) == [
        "",
        "stacks of run_host-1, pid 7",
        "  thread charge, and 2 more like it",
        "    /a/b.py:3 outer",
        "    /a/b.py:9 inner",
        "  2 more did not fit",
        "",
        "stacks of run_host-2, pid 8",
        "  does not answer, not even from its main thread",
    ]
