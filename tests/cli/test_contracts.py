"""`continuum contracts`: JSON Schema of what workflows take, as one document."""

from __future__ import annotations

import sys

import jsonschema

from continuum.contracts.typed_json import read_json
from tests.cli.commands import CommandLine, place
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


SHOP = """
from continuum import Signal, activity, workflow

go = Signal("go", str)

@activity(name="{name}.charge")
async def charge(amount: int) -> int:
    return amount

@workflow(name="{name}.order")
async def order(amount: int) -> str:
    paid = await charge(amount)
    return await go.wait() + str(paid)
"""


def test_check_live_names_what_open_runs_hold_that_new_types_refuse(shop: Shop) -> None:
    run_id = shop.park(shop.deploy(SHOP))
    assert shop.cli("signal", run_id, "go", '"now"').code == 0
    same = shop.cli("contracts", "check", shop.name, "--live")
    assert (same.code, same.out) == (0, f"what every open run holds in {place(shop.cli)} fits\n")

    shop.deploy(SHOP.replace('Signal("go", str)', 'Signal("go", int)').replace("amount: int", "amount: str"))
    changed = shop.cli("contracts", "check", shop.name, "--live")

    assert changed.code == 1
    assert [line.partition("; ")[0] for line in changed.out.splitlines()] == [
        f"{run_id} {shop.flow}: its input: input.amount: expected str, got int",
        f"{run_id} {shop.flow}: signal go (unread): signal go: expected int, got str",
    ]
    shown = shop.cli("contracts", "check", shop.name, "--live", "--json")
    assert (shown.code, shown.json["fits"]) == (1, False)
    assert [(run["run_id"], run["place"]) for run in shown.json["runs"]] == [
        (run_id, "its input"),
        (run_id, "signal go (unread)"),
    ]
    shop.cli("cancel", run_id, "--force", "--yes")
    assert shop.cli("contracts", "check", shop.name, "--live").code == 0


def test_check_counts_the_runs_of_other_applications(shop: Shop) -> None:
    shop.park(shop.deploy(SHOP))
    shop.write("from continuum import workflow\n@workflow\nasync def other_flow() -> None: ...\n")
    del sys.modules[shop.name]
    (shop.folder / f"{shop.name}_other.py").write_text(shop.path.read_text(encoding="utf-8"))
    checked = shop.cli("contracts", "check", f"{shop.name}_other", "--live")
    assert checked.code == 0
    assert f"not checked, because no node loaded them from these modules: {shop.flow} (1)" in checked.err


def test_check_without_live_says_what_to_add(shop: Shop) -> None:
    shop.write(SHOP)
    asked = shop.cli("contracts", "check", shop.name)
    assert (asked.code, asked.out) == (2, "")
    assert asked.err.startswith("continuum: contracts are checked with what open runs hold; add --live")
