"""The person who makes a change, and what is recorded of its arguments."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from continuum.engine.ids import RunId
from continuum.errors import InvalidOption
from continuum.journal.announced_run import NewRun
from continuum.journal.audit_facts import Action, AuditFacts
from continuum.operations.actor import Actor, Recorder, actor_name, redacted

SECRET = "4111-1111"


def account() -> str:
    return "root@here"


@pytest.mark.parametrize(
    ("given", "environment", "name"),
    [
        ("ann", {"CONTINUUM_ACTOR": "bob"}, "ann"),
        (None, {"CONTINUUM_ACTOR": "bob"}, "bob"),
        (None, {"CONTINUUM_ACTOR": ""}, "root@here"),
        (None, {}, "root@here"),
    ],
)
def test_the_actor_is_the_one_given_then_that_of_the_environment_then_the_account(
    given: str | None, environment: dict[str, str], name: str
) -> None:
    assert actor_name(given, environment, account) == name


@pytest.mark.parametrize(
    "facts",
    [{"name": ""}, {"name": "a\nb"}, {"name": "n" * 256}, {"name": "ann", "reason": "r" * 1001}],
)
def test_an_actor_that_cannot_be_recorded_is_refused(facts: Any) -> None:
    with pytest.raises(InvalidOption):
        Actor(**facts)


def test_only_names_and_sizes_of_values_are_recorded() -> None:
    recorded = redacted(
        {
            "signal": "pay",
            "value": SECRET.encode(),
            "attributes": {"card": SECRET, "ü": "é"},
            "empty": {},
            "n": 3,
        }
    )
    assert recorded == {
        "signal": "pay",
        "value": {"bytes": 9},
        "attributes": {"card": {"bytes": 11}, "ü": {"bytes": 4}},
        "n": 3,
    }
    assert SECRET not in str(recorded)


def test_a_subject_is_cut_between_characters() -> None:
    record = Recorder(Actor("ann"), lambda: "id")
    (long, short) = [record(Action.DRAIN_NODE, each) for each in ("ü" * 501 + "x", "ü" * 500)]
    assert long is not None
    assert short is not None
    assert long.subject == short.subject == "ü" * 500
    odd = record(Action.DRAIN_NODE, "x" + "ü" * 500)
    assert odd is not None
    assert odd.subject == "x" + "ü" * 499


def test_a_recorder_without_an_actor_records_nothing_and_makes_no_id() -> None:
    def no_id() -> str:
        raise AssertionError("nobody needs it")

    run = NewRun(RunId("r"), "pay", b"")
    nobody = Recorder(None, no_id)
    assert nobody(Action.CANCEL, "r") is None
    assert nobody.started(run) is run


def test_a_recorder_makes_facts_with_an_id_for_each_change() -> None:
    numbers = count(1)
    ann = Recorder(None, lambda: f"id{next(numbers)}").by(Actor("ann", "web", "ticket 7"))
    assert ann(Action.CANCEL, "r") == AuditFacts("id1", "ann", "web", Action.CANCEL, "r", {}, "ticket 7")
    started = ann.started(NewRun(RunId("r"), "pay", b"12345", "eu", "key", {"vip": True})).audit
    assert started is not None
    assert (started.id, started.action, started.subject) == ("id2", Action.START, "r")
    assert started.arguments == {
        "workflow": "pay",
        "namespace": "eu",
        "input": {"bytes": 5},
        "attributes": {"vip": {"bytes": 4}},
    }
