"""A version stored as source is loaded again as the old code, next to the current version."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from continuum import Workflow, workflow
from continuum.definitions.activity import defined_activities
from continuum.errors import InvalidDefinition, UnknownVersion
from continuum.journal.event_codec import pack_body
from continuum.versions.loaded_code import Code
from continuum.versions.pinning import load_pinned, pinned_source
from tests.unit.versions.written_modules import module_of

FLOW = """
from __future__ import annotations
from dataclasses import dataclass
from continuum import activity, workflow

WORD = "before"

@dataclass
class Order:
    id: str

@activity(name="pinning.charge")
async def charge(amount: int) -> str:
    return WORD

@workflow(name="pinning.flow", on_change="pin")
async def flow(order: Order) -> str:
    await charge(1)
    return helper(order)

def helper(order: Order) -> str:
    return WORD + order.id
"""


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[bytes, str, Workflow[..., Any]]]:
    """The stored source of a workflow, its version, and the current code."""
    with monkeypatch.context() as earlier:
        earlier.setattr(sys.modules["continuum.definitions.activity"], "_DEFINED", {})
        before: Workflow[..., Any] = module_of(FLOW, tmp_path, "pinned_shop").flow
    monkeypatch.setattr(sys.modules["continuum.definitions.activity"], "_DEFINED", {})
    after = module_of(FLOW.replace('"before"', '"after"'), tmp_path, "pinned_shop").flow
    loaded = set(sys.modules)
    yield pinned_source(before), before.version_hash, after
    for name in set(sys.modules) - loaded:
        del sys.modules[name]


def test_vdp3_a_stored_version_is_loaded_as_it_was(flows: tuple[bytes, str, Workflow[..., Any]]) -> None:
    """VDP3: helpers and constants are those of the old code too."""
    stored, version, current = flows
    pinned = load_pinned(stored, version, current)
    assert (pinned.name, pinned.version_hash) == (current.name, version)
    assert pinned.version_hash != current.version_hash
    helper = pinned.fn.__globals__["helper"]
    args, _ = pinned.arguments.decode_call(current.arguments.encode_call(({"id": "1"},), {}))
    assert helper(*args) == "before1"


def test_a_pinned_version_uses_the_loaded_activities(
    flows: tuple[bytes, str, Workflow[..., Any]],
) -> None:
    stored, version, current = flows
    known = defined_activities()
    pinned = load_pinned(stored, version, current)
    assert pinned.fn.__globals__["charge"] is current.fn.__globals__["charge"]
    assert defined_activities() == known
    assert asyncio.run(_await(pinned.fn.__globals__["charge"](1))) == "after"


async def _await(call: Any) -> Any:
    return await call


@pytest.mark.parametrize(
    ("stored", "complaint"),
    [
        (b"\x07nonsense", "cannot be read"),
        (pack_body(("m", "flow")), "cannot be read"),
        (pack_body(("m", "flow", "raise ValueError('no')")), "ValueError: no"),
        (pack_body(("m", "flow", "x = ")), "SyntaxError"),
        (pack_body(("m", "other", FLOW)), "AttributeError"),
        (pack_body(("m", "helper", FLOW)), "another version"),
        (pack_body(("m", "flow", FLOW.replace("charge(1)", "charge(2)"))), "another version"),
    ],
)
def test_source_that_yields_another_version_is_refused(
    stored: bytes, complaint: str, flows: tuple[bytes, str, Workflow[..., Any]]
) -> None:
    _, version, current = flows
    with pytest.raises(UnknownVersion, match=complaint):
        load_pinned(stored, version, current)
    assert not [name for name in sys.modules if name.startswith("_continuum_pinned_")]


def test_a_workflow_inside_a_function_cannot_be_pinned() -> None:
    @workflow(name="pinning.nested", on_change="pin")
    async def nested() -> None:
        """Do nothing."""

    with pytest.raises(InvalidDefinition, match="top of its module"):
        Code([nested])


def test_pinned_code_is_not_loaded_before_its_source_is_stored(
    flows: tuple[bytes, str, Workflow[..., Any]],
) -> None:
    stored, version, current = flows
    code = Code([current])
    assert code.loaded == []
    code.pinned_are_stored()
    code.add_pinned(load_pinned(stored, version, current))
    assert {(one.version, one.current, one.takes_others) for one in code.loaded} == {
        (current.version_hash, True, False),
        (version, False, False),
    }
    assert code.workflow_for(current.name, version).version_hash == version
    assert code.workflow_for(current.name, None) is current
