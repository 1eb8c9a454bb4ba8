"""`continuum runs export`: histories of named or chosen runs as lines that the testing kit reads."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from continuum.cli import run_export
from continuum.journal.postgres import PostgresJournal
from continuum.testing import load_histories, load_history
from tests.cli.commands import CommandLine
from tests.cli.stored_world import StoredWorld, stored_world


@pytest.fixture
def world(cli: CommandLine) -> StoredWorld:
    return stored_world(cli.options[1], cli.options[3])


def exported(text: str) -> list[str]:
    """Return the ids of the runs in an export, line by line."""
    return [json.loads(line)["run"]["id"] for line in text.splitlines()]


def test_named_runs_are_exported_in_order(cli: CommandLine, world: StoredWorld) -> None:
    outcome = cli("runs", "export", world.failed, world.parent)
    assert (outcome.code, outcome.err) == (0, "")
    assert exported(outcome.out) == [world.failed, world.parent]


def test_an_export_has_everything_that_the_journal_has(
    cli: CommandLine, world: StoredWorld, tmp_path: Path
) -> None:
    path = tmp_path / "runs.ndjson"
    path.write_text(cli("runs", "export", "--all").out, encoding="utf-8")
    loaded = load_history(path, world.parent)

    async def stored() -> object:
        journal = PostgresJournal(cli.options[1], schema=cli.options[3], listen=False)
        await journal.open()
        try:
            return (await journal.load([world.parent]))[world.parent]
        finally:
            await journal.close()

    assert list(loaded.stored) == asyncio.run(stored())
    assert [event.type for event in loaded][:2] == ["child_started", "child_started"]
    assert load_history(path, world.failed).ending.state == "failed"
    assert load_history(path, world.first).ending.continued_to == world.latest
    assert load_history(path, world.child).beginning.depth == 1


def test_filters_choose_as_they_do_in_a_list(cli: CommandLine, world: StoredWorld) -> None:
    assert exported(cli("runs", "export", "--state", "failed", "--state", "blocked").out) == [
        world.blocked,
        world.failed,
    ]
    assert set(exported(cli("runs", "export", "--parent", world.parent).out)) == {
        world.child,
        world.ended_child,
    }
    run = cli("start", "tagged", "--attribute", "vip=true", "--namespace", "eu").out.strip()
    assert exported(cli("runs", "export", "--attribute", "vip=true").out) == [run]
    assert exported(cli("runs", "export", "--namespace", "eu").out) == [run]
    assert exported(cli("runs", "export", "--workflow", "tagged").out) == [run]
    assert exported(cli("runs", "export", "--workflow", "nothing").out) == []


def test_every_run_is_exported_once_across_pages(
    cli: CommandLine, world: StoredWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run_export, "PAGE_ENTRIES", 2)
    path = tmp_path / "runs.ndjson"
    path.write_text(cli("runs", "export", "--all").out, encoding="utf-8")
    found = [history.beginning.run_id for history in load_histories(path)]
    listed = [entry["id"] for entry in cli("runs", "list", "--json", "--limit", "1000").json["entries"]]
    assert len(listed) > 4
    assert found == listed


def test_an_export_needs_runs_or_a_choice_and_not_both(cli: CommandLine, world: StoredWorld) -> None:
    for words in ((), (world.failed, "--state", "failed"), (world.failed, "--all")):
        outcome = cli("runs", "export", *words)
        assert outcome.code == 2
        assert "name runs, or choose them by options, or give --all" in outcome.err


def test_an_unknown_run_is_an_error(cli: CommandLine, world: StoredWorld) -> None:
    unknown = "01900000-0000-7000-8000-000000000009"
    outcome = cli("runs", "export", world.failed, unknown)
    assert exported(outcome.out) == [world.failed]
    assert (outcome.code, outcome.err.startswith(f"continuum: no run has the id {unknown}")) == (1, True)
    guarded = cli("runs", "export", world.failed, "--namespace", "us")
    assert (guarded.code, guarded.out) == (1, "")
