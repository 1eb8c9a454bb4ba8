"""The plan of an orderly stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum_supervision import Actor, ChildExists, ChildSpec, Shutdown
from continuum_supervision.child_spec import in_order
from continuum_supervision.shutdown import KillChild, StopChild, plan

budgets = st.one_of(st.sampled_from(Shutdown), st.floats(0, 1e6))


def test_each_kind_of_shutdown_has_its_step() -> None:
    specs = [
        ChildSpec("patient", Actor, shutdown=Shutdown.INFINITY),
        ChildSpec("brisk", Actor, shutdown=2.5),
        ChildSpec("brutal", Actor, shutdown=Shutdown.BRUTAL_KILL),
    ]
    assert plan(specs) == (KillChild("brutal"), StopChild("brisk", 2.5), StopChild("patient", None))


@given(st.lists(budgets))
def test_children_stop_in_the_reverse_of_their_start(shutdowns: list[float | Shutdown]) -> None:
    specs = [ChildSpec(str(n), Actor, shutdown=shutdown) for n, shutdown in enumerate(shutdowns)]
    assert [step.child_id for step in plan(specs)] == [spec.id for spec in reversed(specs)]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": 7},
        {"start": Actor()},
        {"start": None},
        {"restart": "permanent"},
        {"shutdown": "5"},
        {"shutdown": True},
        {"shutdown": -1.0},
        {"shutdown": float("inf")},
        {"name": []},
    ],
)
def test_an_invalid_field_is_refused_with_one_line(fields: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        ChildSpec(**{"id": "worker", "start": Actor, **fields})  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_two_children_cannot_have_one_id() -> None:
    with pytest.raises(ChildExists, match="listed twice"):
        in_order([ChildSpec("a", Actor), ChildSpec("a", Actor)])
