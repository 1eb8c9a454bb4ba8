"""What a contract says of a workflow: its parameters, their order and defaults, its result, its signals."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict, Unpack

import pydantic
import pytest

from continuum import Signal, activity, workflow
from continuum.contracts.call_arguments import call_of
from continuum.contracts.documents import contracts_document, storable
from continuum.contracts.workflow_contract import WorkflowContract, contract_of, workflow_contracts
from continuum.errors import InvalidOption


class Speed(enum.Enum):
    """How fast it is to be there."""

    SLOW = "slow"
    FAST = "fast"


@dataclass
class Item:
    """One line of an order."""

    sku: str
    count: Annotated[int, "how many of them"] = 1
    price: Decimal = Decimal("1.50")
    due: date | None = None
    parts: list[Item] = field(default_factory=list)


class Address(pydantic.BaseModel):
    street: str = pydantic.Field(description="with its number")
    zip: str | None = None


class Extras(TypedDict, total=False):
    gift: bool


verdicts: Any = Literal["yes", "no"]
review: Signal[str] = Signal("review", verdicts)


@activity(name="contracts.charge")
async def charge(amount: Decimal, card: str | None = None) -> str:
    """Charge a card."""
    return f"{amount}{card}"


@workflow(name="contracts.order", label=3, signals=[review])
async def order(item: Item, to: Address, *notes: str, speed: Speed = Speed.SLOW, **more: int) -> date:
    """Ship an item.

    And nothing else.
    """
    return date(2026, 1, 1)


@workflow(name="contracts.bare")
async def bare(a, b=2, /):  # type: ignore[no-untyped-def]
    return a


@workflow(name="contracts.extras")
async def extras(**more: Unpack[Extras]) -> None:
    """Take what the codec does not check."""


def test_an_input_has_a_property_for_each_parameter() -> None:
    made = contract_of(order).input
    assert made["required"] == ["item", "to"]
    assert list(made["properties"]) == ["item", "to", "notes", "speed"]
    assert made["properties"]["notes"] == {"type": "array", "items": {"type": "string"}}
    assert made["properties"]["speed"] == {
        "title": "Speed",
        "enum": ["slow", "fast"],
        "description": "How fast it is to be there.",
        "default": "slow",
    }
    assert made["additionalProperties"] == {"type": "integer"}
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_record_says_what_its_code_says() -> None:
    item = contract_of(order).input["$defs"]["Item"]
    assert (item["title"], item["description"]) == ("Item", "One line of an order.")
    assert item["required"] == ["sku"]
    assert list(item["properties"]) == ["sku", "count", "price", "due", "parts"]
    count = item["properties"]["count"]
    assert count == {"type": "integer", "description": "how many of them", "default": 1}
    assert item["properties"]["price"]["default"] == {"$Decimal": "1.50"}
    assert item["properties"]["parts"] == {"type": "array", "items": {"$ref": "#/$defs/Item"}}


def test_a_pydantic_model_describes_itself() -> None:
    address = contract_of(order).input["$defs"]["Address"]
    assert address["properties"]["street"]["description"] == "with its number"
    assert address["required"] == ["street"]


def test_a_contract_names_the_version_and_the_signals() -> None:
    made = contract_of(order)
    assert (made.name, made.label, made.version) == ("contracts.order", "3", order.version_hash)
    assert made.description == "Ship an item.\n\nAnd nothing else."
    assert made.signals is not None
    assert made.signals["review"]["enum"] == ["yes", "no"]
    assert contract_of(bare).signals is None, "it takes signals of any name"


def test_a_result_is_described_as_it_is_printed() -> None:
    result = contract_of(order).result
    assert result["anyOf"] == [
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ]


def test_a_parameter_without_annotation_takes_anything() -> None:
    made = contract_of(bare)
    assert made.input["properties"] == {"a": {}, "b": {"default": 2}}
    assert made.result.keys() == {"$schema"}
    assert contract_of(extras).input["additionalProperties"] is True


def test_the_contract_of_the_highest_label_is_that_of_the_name() -> None:
    @workflow(name="contracts.order", label=4)
    async def newer() -> None:
        """Take nothing."""

    made = workflow_contracts([order, newer])
    assert {name: contract.label for name, contract in made.items()} == {"contracts.order": "4"}


def test_a_stored_contract_is_read_again() -> None:
    document = storable(order)
    assert document is not None
    stored = json.loads(json.dumps(document))
    assert WorkflowContract.from_document("contracts.order", stored) == contract_of(order)


@pytest.mark.parametrize("odd", [{}, {"input": 7}, {"parameters": [1]}, {"signals": [1], "input": {}}])
def test_a_document_of_another_kind_is_no_contract(odd: Any) -> None:
    assert WorkflowContract.from_document("contracts.order", odd) is None


def test_a_contract_that_the_database_does_not_take_is_not_stored() -> None:
    @workflow(name="contracts.odd")
    async def odd(text: str = "\0") -> None:
        """Have a NUL."""

    @workflow(name="contracts.large")
    async def large(how: Literal["x" * 300_000]) -> None:  # type: ignore[valid-type]
        """Be too large."""

    assert storable(odd) is None
    assert storable(large) is None


def test_a_document_has_workflows_and_activities_by_name() -> None:
    made = contracts_document([order, bare], [charge])
    assert list(made["workflows"]) == ["contracts.bare", "contracts.order"]
    assert made["activities"]["contracts.charge"]["description"] == "Charge a card."
    assert made["activities"]["contracts.charge"]["input"]["required"] == ["amount"]


@pytest.mark.parametrize(
    ("given", "call"),
    [
        ({"item": 1, "to": 2}, ((1, 2), {})),
        ({"item": 1, "to": 2, "notes": ["a", "b"], "speed": "fast"}, ((1, 2, "a", "b"), {"speed": "fast"})),
        ({"to": 2, "x": 7}, ((), {"to": 2, "x": 7})),
        ({"to": 2, "notes": []}, ((), {"to": 2})),
    ],
)
def test_the_values_of_a_form_become_a_call(given: dict[str, Any], call: Any) -> None:
    assert call_of(contract_of(order), given) == call


@pytest.mark.parametrize(
    ("flow", "given", "reason"),
    [
        (order, {"to": 2, "notes": ["a"]}, "takes notes by its place; give item before it"),
        (bare, {"b": 2}, "takes b by its place; give a before it"),
        (bare, {"a": 1, "c": 2}, "has no parameter 'c'"),
    ],
)
def test_values_without_a_place_are_refused(flow: Any, given: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidOption, match=reason):
        call_of(contract_of(flow), given)
