"""`continuum repair` mends each damage once, after a preview, or says why only a person can judge it."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path
from typing import Any

import psycopg
import pytest

from continuum.operations.function_repair import FUNCTION_CODE
from continuum.operations.index_repair import INDEX_CODES
from continuum.verify.rules import RULES
from tests.cli.commands import CommandLine
from tests.cli.stored_world import StoredWorld, stored_world
from tests.cli.test_audit import Terminal
from tests.cli.test_verify import DAMAGE, damage

# What only a person can decide: something is lost, or two rows contradict each other.
BY_A_PERSON = {
    "history-gap",
    "history-short",
    "history-unreadable",
    "history-time",
    "two-winners",
    "fired-early",
    "signal-twice",
    "after-the-end",
    "child-missing",
    "child-unknown",
    "chain-broken",
    "payload-unreadable",
    "inbox-unreadable",
    "key-twice",
}
# Damage of the same rules that a repair mends, or does not.
ALSO_MENDED = {
    "end-incomplete": "update {s}.runs set completed_at = null, due_at = now() where id = '{ended_child}'",
    "published-differs": (
        "insert into {s}.published_values (root, name, value) select root, 'other', value "
        "from {s}.published_values"
    ),
    "owner-unknown": ("update {s}.tasks set owner = 1000000 where run_id = '{parent}'"),
    "token": "update {s}.runs set token = 0 where id = '{asleep}'",
    "lost-wake": "update {s}.runs set state = 1, due_at = null where id = '{asleep}'",
    "leftovers": (
        "update {s}.runs set completed_at = now() - interval '1 hour' where id = '{failed}'; "
        "insert into {s}.inbox (run_id, kind, name, payload) select '{failed}', kind, name, payload "
        "from {s}.inbox where kind = 1"
    ),
    "odd-time": "update {s}.runs set started_at = '-infinity', updated_at = 'infinity' where id = '{asleep}'",
    "lease-odd": "update {s}.workers set expires_at = '-infinity'",
}
LATE_TIMER = (
    "update {s}.runs set due_at = now() + interval '1 day', waits_for = jsonb_build_array("
    "jsonb_build_array('signal', -1, 'go', 0, 1900000000000000, null)) where id = '{asleep}'"
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at a terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


@pytest.fixture
def world(dsn: str, schema: str) -> StoredWorld:
    """A healthy database."""
    return stored_world(dsn, schema)


def findings(cli: CommandLine) -> list[dict[str, Any]]:
    """Return what `continuum verify` finds."""
    found: list[dict[str, Any]] = cli("verify", "--json").json
    return found


def fix(cli: CommandLine, command: str, *more: str) -> Any:
    """Run a command that a finding gives, as it is typed."""
    program, *arguments = shlex.split(command)
    assert program == "continuum"
    return cli.bare(*arguments, *cli.options[:2], *more)


def everything(dsn: str, schema: str) -> dict[str, list[Any]]:
    """Return every row of the tables that a repair changes."""
    tables = ("runs", "inbox", "tasks", "snapshots", "published_values", "events", "workers", "audit")
    with psycopg.connect(dsn) as connection:
        return {
            table: connection.execute(
                f"select t::text from {schema}.{table} t order by 1".encode()
            ).fetchall()
            for table in tables
        }


def mend(cli: CommandLine, dsn: str, schema: str, rule: str) -> None:
    """Preview what was found, mend it, and try that again."""
    before = everything(dsn, schema)
    (command, *_) = [each["fix"] for each in findings(cli) if each["rule"] == rule and each["fix"]]
    preview = fix(cli, command)
    assert (preview.code, "nobody confirmed it" in preview.err) == (1, True), preview
    assert preview.out.startswith(rule)
    assert "\n    - " in preview.out, "it says what it would do"
    assert everything(dsn, schema) == before

    done = fix(cli, command, "--yes", "--json", "--by", "ann")
    assert (done.code, done.json["outcome"]) == (0, "done"), done
    again = fix(cli, command, "--yes", "--by", "ann")
    assert (again.code, "already" in again.out) == (0, True), again
    rows = cli("audit", "list", "--action", "repair", "--json").json["entries"]
    assert [row["outcome"] for row in rows] == ["already", "done"]
    assert rows[1]["arguments"]["code"] == rule


@pytest.mark.parametrize(
    "rule", sorted(DAMAGE.keys() - BY_A_PERSON - {"end-incomplete", "published-differs"})
)
def test_damage_is_found_by_its_code_and_mended(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, rule: str
) -> None:
    damage(dsn, schema, world, DAMAGE[rule][1])
    mend(cli, dsn, schema, rule)
    # Some damage is several: what belonged to a run that is gone, or to a worker.
    for _ in range(5):
        for each in findings(cli):
            assert each["fix"], each
            assert fix(cli, each["fix"], "--yes").code == 0
    assert findings(cli) == []


@pytest.mark.parametrize("rule", ALSO_MENDED)
def test_other_damage_gives_exactly_its_code_and_is_mended(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, rule: str
) -> None:
    damage(dsn, schema, world, ALSO_MENDED[rule])
    assert {each["rule"] for each in findings(cli)} == {rule}
    mend(cli, dsn, schema, rule)
    assert findings(cli) == []


def test_a_run_that_is_due_later_than_what_it_waits_for_has_lost_its_wake(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    damage(dsn, schema, world, LATE_TIMER.replace("1 day", "99 years"))
    (found,) = findings(cli)
    assert (found["rule"], found["run_id"]) == ("lost-wake", world.asleep)
    mend(cli, dsn, schema, "lost-wake")
    assert findings(cli) == []


@pytest.mark.parametrize("rule", sorted(BY_A_PERSON | {"end-incomplete", "published-differs"}))
def test_damage_that_only_a_person_can_judge_is_left_alone(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, rule: str
) -> None:
    damage(dsn, schema, world, DAMAGE[rule][1])
    found = next(each for each in findings(cli) if each["rule"] == rule)
    assert found["fix"] is None
    before = everything(dsn, schema)
    done = cli("repair", rule, found["run_id"], "--yes")
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1), done
    assert found["text"] in done.err
    assert everything(dsn, schema) == before


def test_every_rule_is_mended_or_left_to_a_person() -> None:
    assert BY_A_PERSON | {*ALSO_MENDED} | DAMAGE.keys() == RULES.keys()


def test_the_document_says_what_each_repair_does() -> None:
    text = (Path(__file__).parents[2] / "docs" / "health.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## What a repair does")
    table, _, _ = section.partition("\n## ")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == (RULES.keys() - BY_A_PERSON) | {
        *INDEX_CODES,
        FUNCTION_CODE,
    }


def test_a_change_between_the_preview_and_the_answer_stops_the_repair(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(dsn, schema, world, DAMAGE["lost-wake"][1])

    class Damaging(Terminal):
        def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
            damage(dsn, schema, world, DAMAGE["lost-wake"][1])
            return "y\n"

    monkeypatch.setattr("sys.stdin", Damaging())
    done = cli("repair", "lost-wake", world.asleep)
    assert (done.code, "stale" in done.err) == (1, True), done
    assert [each["rule"] for each in findings(cli)] == ["lost-wake"]
    (row,) = cli("audit", "list", "--json").json["entries"]
    assert (row["action"], row["outcome"]) == ("repair", "stale")


def test_a_repair_that_is_declined_changes_nothing_and_is_no_success(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(dsn, schema, world, DAMAGE["lost-wake"][1])
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = cli("repair", "lost-wake", world.asleep)
    assert (declined.code, declined.out.endswith(f"lost-wake of {world.asleep}: nothing changed\n")) == (
        1,
        True,
    )
    assert [each["rule"] for each in findings(cli)] == ["lost-wake"]


def test_a_run_that_a_process_has_in_hand_is_not_taken_from_it(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    damage(dsn, schema, world, "update {s}.runs set token = 0 where id = '{parent}'")
    done = cli("repair", "token", world.parent, "--yes")
    assert (done.code, "nodes drain" in done.err) == (1, True), done
    (row,) = cli("audit", "list", "--json").json["entries"]
    assert row["outcome"] == "refused"
    damage(dsn, schema, world, "delete from {s}.workers")
    assert cli("repair", "token", world.parent, "--yes").code == 0


@pytest.mark.parametrize(
    ("code", "subject", "said"),
    [
        ("lost-wakes", "00000000-0000-4000-8000-000000000007", "did you mean lost-wake?"),
        ("x", "00000000-0000-4000-8000-000000000007", "no rule of `continuum verify`"),
        ("no-code", "00000000-0000-4000-8000-000000000007", "no-code is a code of `continuum health`"),
        ("lost-wake", "order-1", "is no run"),
        ("lease-odd", "north", "is no worker"),
    ],
)
def test_other_codes_and_subjects_are_refused(cli: CommandLine, code: str, subject: str, said: str) -> None:
    done = cli("repair", code, subject, "--yes")
    assert (done.code, done.out, said in done.err) == (1, "", True), done
    assert cli("audit", "list", "--json").json["entries"] == []


def test_a_run_that_does_not_exist_is_not_found(cli: CommandLine, world: StoredWorld) -> None:
    nobody = "00000000-0000-4000-8000-000000000007"
    done = cli("repair", "lost_wake", nobody, "--yes")
    assert (done.code, "does not exist" in done.err) == (1, True)
    assert cli("repair", "orphan", nobody, "--yes").code == 0
    assert cli("repair", "lease-expired", "77", "--yes").code == 0
