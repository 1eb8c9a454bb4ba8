"""Fixes as forms: each command that changes something has the form that does the same."""

from __future__ import annotations

import pytest

from continuum.observer.actions import ACTIONS
from continuum.observer.fix_forms import ActionForm, form_of, path_of
from continuum.observer.input_fields import InputField
from continuum.operations.explanation import Fix

RUN = "01900000-0000-7000-8000-000000000001"


def made(command: str) -> ActionForm | None:
    return form_of(Fix(command), lambda name: InputField("value", f"Value of {name}"))


@pytest.mark.parametrize(
    ("command", "action", "values"),
    [
        (f"continuum runs reset {RUN} --at 5", "reset_run", {"run": RUN, "at": "5"}),
        (f"continuum runs reset {RUN} --at 5 --schema other", "reset_run", {"run": RUN, "at": "5"}),
        (f"continuum runs restart {RUN}", "restart_run", {"run": RUN}),
        (f"continuum runs unblock {RUN}", "unblock_run", {"run": RUN}),
        (f"continuum runs resume {RUN}", "resume_run", {"run": RUN}),
        (f"continuum cancel {RUN}", "cancel", {"run": RUN}),
        (f"continuum signal {RUN} approve VALUE", "signal_run", {"run": RUN, "signal": "approve"}),
        (f"continuum signal {RUN} --schema s -- --odd VALUE", "signal_run", {"run": RUN, "signal": "--odd"}),
        (f"continuum signal {RUN} 'two words' VALUE", "signal_run", {"run": RUN, "signal": "two words"}),
        ("continuum resume --queue parcels", "resume_together", {"kind": "queue", "name": "parcels"}),
        (
            "continuum resume --workflow pay --namespace eu",
            "resume_together",
            {"kind": "workflow", "name": "pay", "namespace": "eu"},
        ),
        ("continuum resume --namespace eu", "resume_together", {"kind": "namespace", "name": "eu"}),
    ],
)
def test_a_command_that_changes_is_a_form(command: str, action: str, values: dict[str, str]) -> None:
    form = made(command)
    assert form is not None
    assert (form.action, form.values) == (action, values)
    assert form.action in ACTIONS


def test_a_signal_has_a_field_for_its_value() -> None:
    form = made(f"continuum signal {RUN} approve VALUE")
    assert form is not None
    assert [each.label for each in form.fields] == ["Value of approve"]


def test_an_end_by_force_is_confirmed_with_the_id() -> None:
    form = made(f"continuum cancel {RUN} --force")
    assert form is not None
    assert (form.action, form.confirm) == ("force_cancel_run", RUN)


@pytest.mark.parametrize(
    "command",
    [
        "continuum run-node shop",
        f"continuum repair lost-wake {RUN}",
        f"continuum explain {RUN}",
        "rm -rf /",
        "continuum 'unclosed",
        "",
    ],
)
def test_any_other_command_is_a_text(command: str) -> None:
    assert made(command) is None


def test_a_command_that_shows_something_is_a_link() -> None:
    assert path_of(f"continuum explain {RUN} --schema other") == f"/runs/{RUN}"
    assert path_of(f"continuum runs history {RUN}") == f"/runs/{RUN}/history"
    assert path_of(f"continuum cancel {RUN}") is None
