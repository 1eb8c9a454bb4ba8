"""`continuum verify`: a healthy database has no findings, and each kind of damage is named by its rule."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from continuum.verify.rules import RULES
from tests.cli.commands import CommandLine
from tests.cli.stored_world import StoredWorld, stored_world

# Some damage is refused by an index or a check of the tables; those had to be lost first.
DROP_KEYS = "drop index {s}.runs_idempotency; "
DROP_CHECKS = (
    "do $$ declare c text; begin for c in select conname from pg_constraint where contype = 'c' "
    "and conrelid = '{s}.runs'::regclass loop execute format('alter table {s}.runs drop constraint %I', c); "
    "end loop; end $$; "
)

END_ALL = (
    "update {s}.runs set state = 4, owner = null, due_at = null, reason = null, fault = null, "
    "result = '\\x01', completed_at = now() where state < 4; "
)
# Rules of which nothing is left once every run has ended.
OF_OPEN_RUNS = {
    "not-ended",
    "lost-wake",
    "blocked-without-fault",
    "blocked-and-asked-to-stop",
    "child-missing",
    "child-end-lost",
    "child-not-asked",
    "owner-unknown",
    "task-dispatch",
    "task-without-activity",
}

# By rule: the run that is damaged (None for what belongs to no run), and the damage.
DAMAGE: dict[str, tuple[str | None, str]] = {
    "history-gap": ("parent", "delete from {s}.events where run_id = '{parent}' and seq = 4"),
    "history-short": ("parent", "delete from {s}.events where run_id = '{parent}' and seq = 5"),
    "history-unreadable": (
        "parent",
        "update {s}.events set payload = '\\xff' where run_id = '{parent}' and seq = 3",
    ),
    "history-time": (
        "parent",
        "update {s}.events set at = at - interval '1 day' where run_id = '{parent}' and seq = 4",
    ),
    "two-winners": (
        "parent",
        (
            "insert into {s}.events select run_id, 6, 7, at, '\\x019109' from {s}.events where run_id = "
            "'{parent}' and seq = 5"
        ),
    ),
    "signal-twice": (
        "parent",
        (
            "update {s}.events e set payload = f.payload from {s}.events f where e.run_id = '{parent}' and "
            "f.run_id = e.run_id and e.seq = 4 and f.seq = 3"
        ),
    ),
    "after-the-end": (
        "first",
        (
            "insert into {s}.events select '{first}', 1, type, now(), payload from {s}.events where run_id = "
            "'{parent}' and seq = 3"
        ),
    ),
    "end-incomplete": ("ended_child", "update {s}.runs set result = null where id = '{ended_child}'"),
    "not-ended": ("asleep", "update {s}.runs set completed_at = now() where id = '{asleep}'"),
    "leftovers": (
        "failed",
        (
            "insert into {s}.tasks select '{failed}', seq, dispatch, attempt, queue, priority, isolated, "
            "activity, arguments, timeout, key, node from {s}.tasks"
        ),
    ),
    "owner-unknown": ("parent", "delete from {s}.workers"),
    "token": ("parent", "update {s}.runs set token = token + 1000000 where id = '{parent}'"),
    "lost-wake": (
        "asleep",
        (
            "insert into {s}.inbox (run_id, kind, name, payload) select '{asleep}', kind, name, payload from "
            "{s}.inbox where run_id = '{parent}' and kind = 1"
        ),
    ),
    "odd-time": ("asleep", "update {s}.runs set due_at = 'infinity' where id = '{asleep}'"),
    "blocked-without-fault": ("blocked", "update {s}.runs set fault = null where id = '{blocked}'"),
    "blocked-and-asked-to-stop": (
        "blocked",
        "insert into {s}.inbox (run_id, kind, name, key, payload) values ('{blocked}', 6, '', 'cancel', '')",
    ),
    "task-without-activity": ("parent", "update {s}.tasks set seq = 3 where run_id = '{parent}'"),
    "task-dispatch": ("parent", "update {s}.tasks set attempt = 7 where run_id = '{parent}'"),
    "child-missing": ("parent", "delete from {s}.runs where id = '{child}'"),
    "child-unknown": ("parent", "update {s}.runs set parent_seq = 3 where id = '{ended_child}'"),
    "child-end-lost": ("parent", "delete from {s}.inbox where run_id = '{parent}' and kind = 7"),
    "child-not-asked": (
        "child",
        DROP_CHECKS + "update {s}.runs set state = 4, owner = null, result = input, completed_at = now() "
        "where id = '{parent}'",
    ),
    "chain-broken": ("first", "update {s}.runs set continued_to = null where id = '{first}'"),
    "snapshot-differs": ("parent", "update {s}.snapshots set payload = '\\x00' where run_id = '{parent}'"),
    "payload-unreadable": ("parent", "update {s}.runs set input = '\\xc1' where id = '{parent}'"),
    "published-differs": ("asleep", "delete from {s}.published_values"),
    "inbox-unreadable": ("parent", "update {s}.inbox set payload = '\\xff' where kind = 1"),
    "key-twice": (
        "unknown",
        DROP_KEYS + "update {s}.runs set idempotency_key = 'one' where idempotency_key = 'two'",
    ),
    "lease-odd": (None, "update {s}.workers set expires_at = 'infinity'"),
    "lease-expired": (
        None,
        "insert into {s}.workers (node, role, pid, expires_at) values ('lost', 'run_host', 1, '2020-01-01')",
    ),
    "orphan": ("unknown", "delete from {s}.runs where id = '{parent}'"),
    "fired-early": (
        "parent",
        (
            "insert into {s}.events select run_id, 6, 7, at, '\\x019105' from {s}.events where run_id = "
            "'{parent}' and seq = 5"
        ),
    ),
}


@pytest.fixture
def world(dsn: str, schema: str) -> StoredWorld:
    """A healthy database."""
    return stored_world(dsn, schema)


def damage(dsn: str, schema: str, world: StoredWorld, statement: str) -> None:
    """Change the tables behind the engine's back."""
    names: dict[str, Any] = {name: getattr(world, name) for name in StoredWorld.__slots__}
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.format(s=schema, **names).encode())


def test_a_healthy_database_has_no_findings(cli: CommandLine, world: StoredWorld) -> None:
    done = cli("verify")
    assert (done.code, done.err) == (0, "")
    assert "every rule holds" in done.out


@pytest.mark.parametrize("rule", sorted(DAMAGE))
def test_damage_is_found_and_its_rule_is_named(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, rule: str
) -> None:
    where, statement = DAMAGE[rule]
    damage(dsn, schema, world, statement)
    done = cli("verify", "--json")
    assert done.code == 1
    named = {(each["run_id"], each["rule"]) for each in done.json}
    wanted = None if where is None else getattr(world, where, None)
    assert (wanted, rule) in named if where != "unknown" else rule in {each for _, each in named}, done.out
    assert all(len(each["text"]) > 30 and (each["fix"] or "; " in each["text"]) for each in done.json), (
        "what to do"
    )


@pytest.mark.parametrize("rule", sorted(DAMAGE.keys() - OF_OPEN_RUNS))
def test_nobody_is_told_to_cancel_or_wake_a_run_that_has_ended(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, rule: str
) -> None:
    _, statement = DAMAGE[rule]
    damage(dsn, schema, world, END_ALL + statement)
    found = cli("verify", "--json").json
    assert rule in {each["rule"] for each in found}
    told = [each["text"] for each in found if each["run_id"] is not None]
    assert [text for text in told if "cancel" in text or "due_at to now" in text] == []


NO_SNAPSHOT = "delete from {s}.snapshots; "
LAST_EVENTS = {
    "snapshot": ("parent", "delete from {s}.events where run_id = '{parent}' and seq > 3", "up to 5"),
    "task": (
        "parent",
        NO_SNAPSHOT + "delete from {s}.events where run_id = '{parent}'",
        "its history has no event, and task 2 is for a later one",
    ),
    "child": (
        "parent",
        NO_SNAPSHOT + "delete from {s}.tasks; delete from {s}.events where run_id = '{parent}'",
        "was started by event 1",
    ),
    "signal": (
        "asleep",
        (
            "update {s}.runs set waits_for = jsonb_build_array(jsonb_build_array('signal', -1, 'go', "
            "(extract(epoch from started_at) * 1000000)::bigint + 1, null, null)) where id = '{asleep}'"
        ),
        "waits for signal go since an event that came later",
    ),
    "timer": (
        "asleep",
        (
            "update {s}.runs set waits_for = jsonb_build_array(jsonb_build_array('timer', 1, '', 1, "
            "(extract(epoch from due_at) * 1000000)::bigint, null)) where id = '{asleep}'"
        ),
        "its history ends with event 0, and the run waits for timer 1: its end is lost",
    ),
    "activity": (
        "asleep",
        (
            'update {s}.runs set waits_for = \'[["activity", 0, "send", 1, null, null]]\' '
            "where id = '{asleep}'"
        ),
        "the run waits for activity 0",
    ),
}


@pytest.mark.parametrize("known", LAST_EVENTS)
def test_lost_last_events_are_known_by_what_was_written_with_them(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, known: str
) -> None:
    where, statement, said = LAST_EVENTS[known]
    damage(dsn, schema, world, statement)
    found = [each for each in cli("verify", "--json").json if each["run_id"] == getattr(world, where)]
    (short,) = [each for each in found if each["rule"] == "history-short"]
    assert said in short["text"]
    assert [each["rule"] for each in found if each["fix"]] == [], "no repair may trust what is left"


def test_a_published_value_of_a_run_with_lost_events_is_kept(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    damage(
        dsn,
        schema,
        world,
        LAST_EVENTS["timer"][1] + "; delete from {s}.events where run_id = '{asleep}'",
    )
    found = {each["rule"]: each for each in cli("verify", "--json").json}
    assert found.keys() == {"history-short", "published-differs"}
    assert found["published-differs"]["fix"] is None
    assert "see history-short" in found["published-differs"]["text"]


def test_a_blocked_run_that_has_lost_its_whole_history_is_not_ended(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    task = (
        "; insert into {s}.tasks (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, "
        "arguments, timeout) values ('{blocked}', 0, 1, 1, 'default', 0, false, 'send', '', 0)"
    )
    damage(dsn, schema, world, DAMAGE["blocked-and-asked-to-stop"][1] + task)
    found = {each["rule"]: each for each in cli("verify", "--json").json}
    assert found.keys() == {"history-short", "blocked-and-asked-to-stop"}
    assert found["blocked-and-asked-to-stop"]["fix"] is None


def test_a_wait_for_what_the_history_has_is_no_damage(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    damage(
        dsn,
        schema,
        world,
        'update {s}.runs set state = 2, waits_for = \'[["activity", 2, "send", 1, null, null], '
        '["child", 0, "orders", 1, null, null], ["timer", 5, "", 1, null, null]]\' '
        "where id = '{parent}'",
    )
    assert cli("verify", "--json").json == []


# The first row of the parent holds three events.
DAMAGED_ROWS = {
    "set payload = '\\xff'": [("history-unreadable", "the row of events 0 to 2")],
    "set payload = ''": [("history-unreadable", "the row of events 0 to 2")],
    "set payload = '\\x7f' || payload": [("history-unreadable", "the row of events 0 to 2")],
    "set at = 'infinity'": [("history-unreadable", "the row of events 0 to 2")],
    "set type = -2": [
        ("history-unreadable", "the row of events 0 to 1"),
        ("history-gap", "event 2 is missing"),
    ],
    "set type = -32768": [("history-gap", "event 3 is stored twice")],
    "set seq = 1": [("history-gap", "event 0 is missing")],
}


@pytest.mark.parametrize("change", DAMAGED_ROWS)
def test_a_damaged_row_of_several_events_is_named_with_all_of_them(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld, change: str
) -> None:
    damage(dsn, schema, world, f"update {{s}}.events {change} where run_id = '{{parent}}' and seq = 0")
    found = [
        (each["rule"], each["text"])
        for each in cli("verify", "--json").json
        if each["run_id"] == world.parent
    ]
    for rule, text in DAMAGED_ROWS[change]:
        assert any(each == rule and text in said for each, said in found), found


def test_a_row_that_begins_within_another_one_is_found(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    damage(
        dsn,
        schema,
        world,
        "insert into {s}.events select run_id, 1, type, at, payload from {s}.events "
        "where run_id = '{parent}' and seq = 3",
    )
    found = {each["rule"]: each["text"] for each in cli("verify", "--json").json}
    assert "event 1 is stored twice" in found["history-gap"]


@pytest.mark.parametrize(
    ("where", "statement", "rule", "said"),
    [
        (
            "ended_child",
            "update {s}.runs set result = '\\xc1' where id = '{ended_child}'",
            "payload-unreadable",
            "its result",
        ),
        (
            "parent",
            (
                "update {s}.events set payload = '\\x0193a6726576696577c401c1a864656c6976657279' where "
                "run_id = '{parent}' and seq = 3"
            ),
            "payload-unreadable",
            "the value of event 3 (signal_received)",
        ),
        ("asleep", "update {s}.published_values set value = '\\xc1'", "payload-unreadable", "value 'stage'"),
        ("asleep", "update {s}.published_values set name = 'other'", "published-differs", "no event"),
        (
            "failed",
            (
                "insert into {s}.events select '{failed}', 0, type, now() + interval '1 hour', payload from "
                "{s}.events where run_id = '{parent}' and seq = 3"
            ),
            "after-the-end",
            "later than the end",
        ),
    ],
    ids=["result", "event", "published", "unsaid", "late"],
)
def test_each_place_of_a_damage_is_named(
    cli: CommandLine,
    dsn: str,
    schema: str,
    world: StoredWorld,
    where: str,
    statement: str,
    rule: str,
    said: str,
) -> None:
    damage(dsn, schema, world, statement)
    found = [(each["run_id"], each["rule"], each["text"]) for each in cli("verify", "--json").json]
    wanted = getattr(world, where)
    assert any((run, named) == (wanted, rule) and said in text for run, named, text in found), found


def test_every_rule_is_tried() -> None:
    assert DAMAGE.keys() == RULES.keys()


def test_one_run_is_checked_alone(cli: CommandLine, dsn: str, schema: str, world: StoredWorld) -> None:
    damage(dsn, schema, world, "update {s}.runs set fault = null where id = '{blocked}'")
    assert cli("verify", "--run", world.parent).code == 0
    done = cli("verify", "--run", world.blocked)
    assert done.code == 1
    assert world.blocked in done.out


def test_another_namespace_is_left_out(cli: CommandLine, dsn: str, schema: str, world: StoredWorld) -> None:
    damage(dsn, schema, world, "update {s}.runs set fault = null where id = '{blocked}'")
    assert cli("verify", "--namespace", "other").code == 0
    assert cli("verify", "--namespace", "default").code == 1


def test_runs_that_have_not_changed_since_are_left_out(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    damage(dsn, schema, world, "update {s}.runs set fault = null where id = '{blocked}'")
    for since in ("1h", "2020-01-01T00:00:00Z", "2020-01-01"):
        assert cli("verify", "--since", since).code == 1
    damage(dsn, schema, world, "update {s}.runs set updated_at = now() - interval '2 days'")
    assert cli("verify", "--since", "1d").code == 0
    assert cli("verify", "--since", "3d").code == 1


@pytest.mark.parametrize("since", ["yesterday", "1y", "-1d", ""])
def test_a_text_that_is_no_time_is_wrong_usage(cli: CommandLine, since: str) -> None:
    done = cli("verify", "--since", since)
    assert (done.code, "neither a duration like" in done.err) == (2, True)


def test_a_sample_checks_as_many_runs_as_asked(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    damage(dsn, schema, world, "update {s}.runs set token = 1000000 + token")
    everything = {each["run_id"] for each in cli("verify", "--json").json}
    for size in (1, 3):
        sampled = {each["run_id"] for each in cli("verify", "--sample", str(size), "--json").json}
        assert len(sampled) == size
        assert sampled <= everything
    assert {each["run_id"] for each in cli("verify", "--sample", "1000", "--json").json} == everything


def test_a_sample_of_named_runs_is_wrong_usage(cli: CommandLine, world: StoredWorld) -> None:
    assert cli("verify", "--run", world.parent, "--sample", "1").code == 2


def test_a_text_that_is_no_run_id_is_wrong_usage(cli: CommandLine) -> None:
    assert cli("verify", "--run", "order-1").code == 2


def test_a_check_waits_for_no_lock_and_takes_none(
    cli: CommandLine, dsn: str, schema: str, world: StoredWorld
) -> None:
    with psycopg.connect(dsn) as writing:
        writing.execute(f"update {schema}.runs set due_at = now()".encode())
        assert cli("verify").code == 0
        writing.execute(f"update {schema}.workers set batch = batch + 1".encode())
