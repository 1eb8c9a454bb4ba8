"""An odd row that nodes pass over is in the log, once, with what to do."""

from __future__ import annotations

import logging

import pytest

from continuum import Signal, workflow
from continuum.journal.odd_rows import OddRow
from continuum.journal.resilient import ResilientJournal
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits
from continuum_actors.node.odd_row_log import OddRowLog
from continuum_actors.node.recovery import Recovery
from continuum_actors.tree import host_supervisor
from continuum_supervision import ChildSpec, SystemClock
from tests.process.actors.controlling import NODE, never_early
from tests.process.actors.hosting import Stage, stage

go = Signal("go", str)


@workflow(name="odd_row_log.waiting")
async def waiting(number: int) -> str:
    """Wait for a signal."""
    return await go.wait()


# An odd value for a row of run %(run)s, and what the line about it says.
ODD = {
    "never run": (
        "update {schema}.runs set due_at = 'infinity' where id = %(run)s",
        (
            "run {run} has the due_at infinity in table runs: no node continues it; "
            "look at it with `continuum verify`"
        ),
    ),
    "run of a version": (
        "update {schema}.runs set due_at = '290000-01-01', version = 'v2' where id = %(run)s",
        "run {run} has the due_at 290000-01-01 ",
    ),
    "refused run": (
        "update {schema}.runs set due_at = 'infinity', version = 'v2', refused = '{{v1}}' where id = %(run)s",
        "run {run} has the due_at infinity ",
    ),
    "kept run": (
        "update {schema}.runs set state = 4, due_at = null, retain_until = 'infinity' where id = %(run)s",
        "run {run} has the retain_until infinity in table runs: it is never removed; ",
    ),
    "task": (
        (
            "insert into {schema}.tasks (run_id, seq, dispatch, attempt, queue, priority, isolated, activity,"
            " arguments, timeout, due_at) values (%(run)s, 9, 1, 1, 'far', 0, false, 'a', '', 1, 'infinity')"
        ),
        "activity task {run}/9 has the due_at infinity in table tasks: no node begins it; ",
    ),
    "worker": (
        (
            "insert into {schema}.workers (node, role, pid, expires_at)"
            " values ('ghost', 'run_host', 1, 'infinity')"
        ),
        (
            "worker 1 of node ghost has the expires_at infinity in table workers: no other node takes over "
            "its runs when its process is gone; look at it with `continuum verify`, and set its expires_at "
            "to now()"
        ),
    ),
    "node": (
        (
            "insert into {schema}.nodes (node, pid, address, state, renewed_at)"
            " values ('ghost', 1, 'local', 'up', 'infinity')"
        ),
        "node ghost has the renewed_at infinity in table nodes: it is listed for ever; ",
    ),
    "suspicion": (
        (
            "insert into {schema}.suspects (run_id, seq, level, worker, since)"
            " values (%(run)s, -1, 1, 1, 'infinity')"
        ),
        "suspect {run}/-1 has the since infinity in table suspects: it is suspected for ever; ",
    ),
    "death": (
        (
            "insert into {schema}.suspects (run_id, seq, level, worker, killed_at)"
            " values (%(run)s, -1, 1, 1, 'infinity')"
        ),
        "suspect {run}/-1 has the killed_at infinity in table suspects: its workflow may be kept apart ",
    ),
}


async def sweeps(on: Stage, number: int) -> None:
    """Have a control process sweep so often."""
    begun, swept = 0, on.journal.odd_rows

    async def counted() -> list[OddRow]:
        nonlocal begun
        begun += 1
        return await swept()

    on.journal.odd_rows = counted  # type: ignore[method-assign]
    resilient = ResilientJournal(on.journal, SystemClock(), never_early)
    recovery = Recovery(resilient, NODE, Code([]), boot=False, random_fraction=lambda: 0.0)
    async with host_supervisor([ChildSpec("recovery", lambda: recovery)]):
        # A look begins when the rows of the one before are in the log.
        await on.until(lambda: on.holds("select %s", begun > number), "it does not sweep")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if " has the " in record.getMessage()]


@pytest.mark.parametrize("kind", ODD)
async def test_an_odd_row_is_one_line_however_often_a_process_sweeps(
    kind: str, dsn: str, schema: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 0.01)
    statement, said = ODD[kind]
    async with stage(dsn, schema) as on:
        run, _ = [await on.client.start(waiting, number) for number in range(2)]
        await on.sql(statement.replace("%(run)s", f"'{run.id}'"))
        await sweeps(on, 3)
        (line,) = lines(caplog)
        assert line.startswith(said.format(run=run.id))


async def test_sound_rows_are_no_line(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 0.01)
    async with stage(dsn, schema) as on:
        tree = await on.tree(waiting)
        runs = [await on.client.start(waiting, number) for number in range(3)]
        await runs[0].signal(go, "yes")
        await runs[0].result()
        await on.sql("update {schema}.runs set due_at = '9999-12-31Z' where id = %s", runs[1].id)
        await sweeps(on, 2)
        assert lines(caplog) == []
        del tree


def test_a_row_that_was_mended_and_is_odd_again_is_a_line_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "continuum.recovery")
    found, log = OddRow("nodes", "renewed_at", "ghost", "infinity"), OddRowLog()
    for rows in ([found], [found], [], [found]):
        log.report(rows)
    assert len(lines(caplog)) == 2
