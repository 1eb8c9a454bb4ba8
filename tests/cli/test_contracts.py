"""`continuum contracts`: JSON Schema of what workflows take, as one document."""

from __future__ import annotations

import jsonschema

from continuum.contracts.typed_json import read_json
from tests.cli.commands import CommandLine
from tests.cli.shop import Shop

MODULE = """
from dataclasses import dataclass
from datetime import date
from continuum import Signal, workflow

@dataclass
class Order:
    \"\"\"What a customer wants.\"\"\"
    id: str
    due: date

review = Signal("review", bool)

@workflow(name="{name}.order", signals=[review])
async def ship(order: Order, count: int = 1) -> date:
    \"\"\"Ship it.\"\"\"
    return order.due
"""


def test_contracts_prints_what_start_reads(shop: Shop) -> None:
    shop.write(MODULE)

    shown = shop.cli.bare("contracts", shop.name)

    assert (shown.code, shown.err) == (0, "")
    contract = shown.json["workflows"][shop.flow]
    assert contract["description"] == "Ship it."
    assert contract["parameters"] == [
        {"name": "order", "kind": "either"},
        {"name": "count", "kind": "either"},
    ]
    takes = jsonschema.Draft202012Validator(contract["input"])
    order = '{"id": "o1", "due": {"$date": "2026-01-31"}}'
    takes.validate({"order": read_json(order, typed=False)})
    assert not takes.is_valid({"order": {"id": "o1", "due": "2026-01-31"}})
    assert shop.cli("start", shop.flow, order).code == 0
    assert contract["signals"]["review"]["type"] == "boolean"


def test_contracts_show_is_the_same(shop: Shop) -> None:
    shop.write(MODULE)
    shown = shop.cli.bare("contracts", "show", shop.name)
    assert shown.out == shop.cli.bare("contracts", shop.name).out


def test_a_module_without_workflows_has_no_contracts(shop: Shop) -> None:
    shop.write("import continuum\n")
    shown = shop.cli.bare("contracts", shop.name)
    assert (shown.code, shown.json["workflows"]) == (1, {})
    assert shown.err == f"no workflow is defined in {shop.name}; name the modules that have them\n"


def test_a_module_that_is_not_there_is_named(cli: CommandLine) -> None:
    shown = cli.bare("contracts", "no_such_module")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("continuum: there is no module 'no_such_module'; name it as in `import")
