"""Runs that no node looks for, because of rows written by hand: `health` and `explain` say the same."""

from __future__ import annotations

import psycopg

from continuum.engine.ids import RunId
from continuum.journal.port import Journal, Loaded
from tests.cli.commands import CommandLine
from tests.cli.test_health import _released as released
from tests.cli.test_health import found_by, lives, on_journal, with_code
from tests.contract.builders import (
    commit,
    new_task,
    owned_run,
    queue_tasks,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)


def test_runs_of_an_owner_that_does_not_exist_are_named_with_their_repair(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    run = on_journal(cli, released)
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v1"))))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'update "{schema}".runs set owner = 99999'.encode())
    finding = found_by(cli)["owner-unknown", "orders"]
    assert finding["fixes"] == [f"continuum repair owner-unknown {run} --schema {schema}"]
    assert "belongs to worker 99999, which does not exist" in finding["sentence"]
    (cause,) = cli("explain", run, "--json").json["causes"]
    assert (cause["code"], cause["wakes_by"]) == ("lost_wake", None)
    assert cli("repair", "owner-unknown", run, "--yes").code == 0
    assert ("owner-unknown", "orders") not in found_by(cli)


def test_tasks_of_an_owner_that_does_not_exist_are_named_with_their_repair(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    async def queued(journal: Journal) -> RunId:
        worker = await worker_of(journal)
        await journal.renew([worker.id], 600.0, with_code(Loaded("orders", "v1")))
        run = await owned_run(journal, worker)
        await queue_tasks(journal, worker, run, new_task())
        await take_tasks(journal, worker)
        await commit(journal, worker, write(run, transition=sleep_until(None, release=False)))
        return run.id

    run = on_journal(cli, queued)
    assert found_by(cli) == {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'update "{schema}".tasks set owner = 99999'.encode())
    finding = found_by(cli)["owner-unknown", "orders"]
    assert finding["fixes"] == [f"continuum repair owner-unknown {run} --schema {schema}"]
    assert finding["sentence"] == (
        "1 task of workflow 'orders' belongs to worker 99999, which does not exist: no node looks for it; "
        f"repair it, it is of run {run}"
    )
    cause = cli("explain", run, "--json").json["causes"][0]
    assert (cause["code"], cause["wakes_by"]) == ("lost_wake", None)
    assert cause["sentence"].endswith("belongs to a worker that does not exist: no node looks for it")
    assert cause["fixes"][0]["command"] == f"continuum repair owner-unknown {run} --schema {schema}"


def test_a_run_that_is_due_at_infinity_is_explained_as_health_reports_it(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    run = on_journal(cli, released)
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v1"))))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"update \"{schema}\".runs set due_at = 'infinity'".encode())
    (cause,) = cli("explain", run, "--json").json["causes"]
    assert cause["code"] == "lost_wake"
    assert cause["fixes"][0]["command"] == f"continuum repair odd-time {run} --schema {schema}"
    assert cli("repair", "odd-time", run, "--yes").code == 0
    assert [each["code"] for each in cli("explain", run, "--json").json["causes"]] == ["ready"]
