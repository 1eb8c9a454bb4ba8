"""`continuum versions`: lists versions, and checks whether a deploy would leave open runs behind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import pytest

from continuum.cli.main import INTERRUPTED
from continuum.cli.versions import counted_runs
from continuum.drift import deploy_check
from continuum.drift.deploy_check import OpenRunsCheck
from continuum.journal.port import RunRow, VersionRow
from tests.cli.commands import place
from tests.cli.shop import Shop
from tests.process.actors.hosting import stage

SHOP = """
from continuum import Signal, activity, workflow

go = Signal("go", str)

@activity(name="{name}.charge")
async def charge(amount: int) -> int:
    return amount

@activity(name="{name}.ship")
async def ship(amount: int) -> int:
    return amount

@workflow(name="{name}.order")
async def order(amount: int) -> str:
    paid = await charge(amount)
    return await go.wait() + str(paid)
"""
SHIPS_FIRST = SHOP.replace("paid = await charge(amount)", "paid = await ship(amount)")
CHARGES_NOTHING = SHOP.replace("await charge(amount)", "amount")
REWORDED = SHOP.replace("paid", "payment")


def test_list_shows_versions_and_their_open_runs(shop: Shop) -> None:
    module = shop.deploy(SHOP)
    shop.park(module)
    (row,) = shop.cli("versions", "list", "--json").json
    assert (row["workflow"], row["label"], row["version"], row["open_runs"], row["module"]) == (
        shop.flow,
        "1",
        module.order.version_hash,
        1,
        shop.name,
    )
    table = shop.cli("versions", "list")
    assert table.code == 0
    assert module.order.version_hash in table.out


def test_a_number_of_runs_that_were_not_counted_to_the_end_says_so() -> None:
    few = VersionRow("shop", "v1", "1", "shop", None, None, open_runs=2)
    many = few._replace(open_runs=50, more_open_runs=True)
    assert [counted_runs(few), counted_runs(few, many)] == ["2", "more than 52"]


def test_vck1_check_passes_if_every_open_version_is_there(shop: Shop) -> None:
    """VCK1: an ended run needs no version."""
    run_id = shop.park(shop.deploy(SHOP))
    assert shop.cli("versions", "check", shop.name).code == 0
    shop.deploy(SHIPS_FIRST)
    assert shop.cli("versions", "check", shop.name).code == 1
    shop.cli("cancel", run_id, "--force", "--yes")
    assert shop.cli("versions", "check", shop.name).code == 0


def test_vck2_check_fails_if_a_version_is_missing(shop: Shop) -> None:
    """VCK2, VCK3: also as JSON."""
    version = shop.deploy(SHOP).order.version_hash
    shop.park(sys.modules[shop.name])
    shop.deploy(SHIPS_FIRST)
    outcome = shop.cli("versions", "check", shop.name, "--json")
    assert outcome.code == 1
    assert outcome.json["ready"] is False
    (row,) = outcome.json["versions"]
    assert (row["version"], row["status"]) == (version, "missing")


def test_check_live_accepts_changes_that_do_the_same(shop: Shop) -> None:
    shop.park(shop.deploy(SHOP))
    shop.deploy(REWORDED)
    outcome = shop.cli("versions", "check", "--live", shop.name, "--json")
    assert (outcome.code, outcome.json) == (
        0,
        {"ready": True, "runs": [], "elsewhere": {}},
    )
    printed = shop.cli("versions", "check", "--live", shop.name)
    assert (printed.out, printed.err) == (f"every open run would continue in {place(shop.cli)}\n", "")


def test_check_live_shows_a_bar_to_a_person_who_watches(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.park(shop.deploy(SHOP))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    printed = shop.cli("versions", "check", "--live", shop.name)
    assert (printed.code, printed.out) == (0, f"every open run would continue in {place(shop.cli)}\n")
    assert "open runs" in printed.err
    assert "100%" in printed.err


def test_an_interrupted_check_says_how_to_continue_it(shop: Shop) -> None:
    module = shop.deploy(SHOP)
    first, second = sorted([shop.park(module), shop.park(module)])
    shop.deploy(SHIPS_FIRST)
    inspect = OpenRunsCheck._inspect
    inspected: list[str] = []

    async def interrupted(check: OpenRunsCheck, rows: Sequence[RunRow]) -> None:
        if inspected:
            raise KeyboardInterrupt
        inspected.extend(row.id for row in rows)
        await inspect(check, rows)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deploy_check, "PAGE_RUNS", 1)
        patched.setattr(OpenRunsCheck, "_inspect", interrupted)
        outcome = shop.cli("versions", "check", "--live", shop.name)
    assert outcome.code == INTERRUPTED
    assert f"continue it with --after {first}" in outcome.err
    assert first in outcome.out
    rest = shop.cli("versions", "check", "--live", "--after", first, shop.name, "--json")
    assert [found["run_id"] for found in rest.json["runs"]] == [second]


def test_a_check_of_versions_alone_has_nothing_to_continue(shop: Shop) -> None:
    shop.deploy(SHOP)
    run = "00000000-0000-0000-0000-000000000001"
    assert "add --live" in shop.cli("versions", "check", "--after", run, shop.name).err


def test_check_live_shows_the_drift_its_line_and_a_patch(shop: Shop) -> None:
    """VCK2, VCK3: the deploy check."""
    run_id = shop.park(shop.deploy(SHOP))
    shop.deploy(SHIPS_FIRST)
    outcome = shop.cli("versions", "check", "--live", shop.name, "--json")
    assert outcome.code == 1
    (found,) = outcome.json["runs"]
    assert (found["run_id"], found["problem"], found["event"]) == (run_id, "drift", 0)
    assert found["journal"] == f"activity_scheduled {shop.name}.charge from order"
    assert found["code"] == f"activity_scheduled {shop.name}.ship from order"
    assert found["where"].endswith(f"{shop.name}.py:16")
    assert found["line"] == "paid = await ship(amount)"
    assert found["suggestion"] == (
        f'if continuum.patched("{shop.flow}-0"):\n'
        "    paid = await ship(amount)\n"
        "else:\n"
        f"    paid = ...  # the code before the change: activity {shop.name}.charge"
    )
    printed = shop.cli("versions", "check", "--live", shop.name)
    assert printed.code == 1
    assert run_id in printed.out
    assert found["suggestion"] in printed.out


def test_check_live_accepts_the_suggested_patch(shop: Shop) -> None:
    shop.park(shop.deploy(SHOP))
    patched = SHOP.replace("import Signal,", "import patched, Signal,").replace(
        "    paid = await charge(amount)\n",
        '    if patched("order-0"):\n        paid = await ship(amount)\n'
        "    else:\n        paid = await charge(amount)\n",
    )
    shop.deploy(patched)
    assert shop.cli("versions", "check", "--live", shop.name).code == 0


def test_check_live_finds_workflows_that_were_removed(shop: Shop) -> None:
    run_id = shop.park(shop.deploy(SHOP))
    shop.deploy("")
    (found,) = shop.cli("versions", "check", "--live", shop.name, "--json").json["runs"]
    assert (found["run_id"], found["problem"]) == (run_id, "missing")


def test_check_names_workflows_of_other_applications_and_passes(shop: Shop) -> None:
    shop.park(shop.deploy(SHOP))
    billing = Shop(shop.folder, f"{shop.name}_billing", shop.cli)
    billing.deploy(SHOP)
    for live in ([], ["--live"]):
        outcome = shop.cli("versions", "check", *live, billing.name)
        assert outcome.code == 0
        assert outcome.err == (
            f"not checked, because no node loaded them from these modules: {shop.flow} (1)\n"
        )
    assert outcome.out == f"every open run of these modules would continue in {place(shop.cli)}\n"
    assert shop.cli("versions", "check", "--live", billing.name, "--json").json == {
        "ready": True,
        "runs": [],
        "elsewhere": {shop.flow: 1},
    }
    (row,) = shop.cli("versions", "check", billing.name, "--json").json["versions"]
    assert row["status"] == "elsewhere"


def test_check_fails_if_a_workflow_was_renamed(shop: Shop) -> None:
    run_id = shop.park(shop.deploy(SHOP))
    shop.deploy(SHOP.replace('name="{name}.order"', 'name="{name}.purchase"'))
    (found,) = shop.cli("versions", "check", "--live", shop.name, "--json").json["runs"]
    assert (found["run_id"], found["problem"]) == (run_id, "missing")
    assert shop.cli("versions", "check", shop.name).code == 1


def test_check_live_fails_if_waiting_code_has_no_such_version(shop: Shop) -> None:
    run_id = shop.park(shop.deploy(SHOP))
    shop.deploy(REWORDED.replace('.order")', '.order", on_change="wait")'))
    (found,) = shop.cli("versions", "check", "--live", shop.name, "--json").json["runs"]
    assert (found["run_id"], found["problem"]) == (run_id, "waits")


def test_check_accepts_a_pinned_version(shop: Shop) -> None:
    pinned = ('.order")', '.order", on_change="pin")')
    shop.park(shop.deploy(SHOP.replace(*pinned)))
    shop.deploy(SHIPS_FIRST.replace(*pinned))
    outcome = shop.cli("versions", "check", shop.name, "--json")
    assert (outcome.code, [row["status"] for row in outcome.json["versions"]]) == (0, ["pinned"])
    assert shop.cli("versions", "check", "--live", shop.name).code == 0


def test_gc_deletes_versions_without_open_runs_except_the_latest(shop: Shop) -> None:
    run_id = shop.park(shop.deploy(SHOP))

    async def register() -> None:
        async with stage(shop.cli.options[1], shop.cli.options[3]) as on:
            for version in ("second", "third"):
                await on.journal.register_versions([VersionRow(shop.flow, version, "1", "shop", None, None)])

    asyncio.run(register())
    dry = shop.cli("versions", "gc", "--dry-run", "--json").json
    assert (dry["forgotten"], [row["version"] for row in dry["versions"]]) == (0, ["second"])
    assert shop.cli("versions", "gc", "--yes", "--json").json["forgotten"] == 1
    left = [row["version"] for row in shop.cli("versions", "list", "--json").json]
    assert len(left) == 2
    assert "third" in left
    shop.cli("cancel", run_id, "--force", "--yes")
    assert shop.cli("versions", "gc", "--yes").code == 0
    assert [row["version"] for row in shop.cli("versions", "list", "--json").json] == ["third"]


def test_show_prints_journal_and_code_side_by_side(shop: Shop) -> None:
    run_id = shop.park(shop.deploy(SHOP))
    assert "≠" not in shop.cli("runs", "show", run_id, "--module", shop.name).out
    shop.deploy(SHIPS_FIRST)
    shown = shop.cli("runs", "show", run_id, "--module", shop.name).out
    (differing,) = [line.split("\t") for line in shown.splitlines() if "≠" in line]
    assert differing[:3] == ["0", "≠", f"activity_scheduled {shop.name}.charge from order"]
    assert differing[3].startswith(f"activity_scheduled {shop.name}.ship from order at ")


def refused_run(shop: Shop) -> tuple[str, str]:
    """Return a run of the module, and the version of its next code, which a node has refused."""
    run_id = shop.park(shop.deploy(SHOP))
    other = shop.deploy(SHIPS_FIRST)

    async def refusing() -> None:
        async with stage(shop.cli.options[1], shop.cli.options[3]) as on, on.alone(other.order):
            await on.client.signal(run_id, "go", "on")

            async def refused() -> bool:
                return bool(await on.journal.refusals(on.client.handle(run_id).id))

            await on.until(refused, "the code was not refused")

    asyncio.run(refusing())
    version: str = other.order.version_hash
    return run_id, version


def test_show_prints_a_refusal_without_the_code(shop: Shop) -> None:
    run_id, version = refused_run(shop)
    shown = shop.cli("runs", "show", run_id).out
    assert f"version {version} was refused: drift: at event 0" in shown
    assert [line.split("\t")[:2] for line in shown.splitlines() if "≠" in line] == [["0", "≠"]]


def test_show_gives_refusals_as_json(shop: Shop) -> None:
    run_id, version = refused_run(shop)
    shown = shop.cli("runs", "show", run_id, "--json").json
    assert (shown["fault"], shown["replay"]) == (None, None)
    (refusal,) = shown["refusals"]
    assert refusal["version"] == version
    assert refusal["reason"].startswith("drift: at event 0 the journal has activity_scheduled")
    fault = refusal["fault"]
    assert (fault["kind"], fault["position"]) == ("drift", 0)
    assert fault["expected"] == f"activity_scheduled {shop.name}.charge from order"
    assert fault["actual"] == f"activity_scheduled {shop.name}.ship from order"
    assert fault["where"].endswith(f"{shop.name}.py:16")
    assert refusal["diff"] == [
        {
            "event": 0,
            "journal": fault["expected"],
            "code": f"{fault['actual']} at {fault['where']}",
            "differs": True,
        }
    ]


def test_show_gives_a_replay_as_json(shop: Shop) -> None:
    run_id, version = refused_run(shop)
    shown = shop.cli("runs", "show", run_id, "--module", shop.name, "--json").json
    (refusal,), (replayed,) = shown["refusals"], shown["replay"]
    assert replayed == {**refusal, "reason": refusal["reason"].removeprefix("drift: ")}
    assert replayed["version"] == version
    shop.deploy(SHOP)
    shown = shop.cli("runs", "show", run_id, "--module", shop.name, "--json").json
    assert (shown["refusals"], shown["replay"]) == ([refusal], [])


def test_show_gives_the_mismatch_of_an_input_as_json(shop: Shop) -> None:
    run_id = shop.park(shop.deploy(SHOP))
    shop.deploy(SHOP.replace("order(amount: int)", "order(amount: str)"))
    (replayed,) = shop.cli("runs", "show", run_id, "--module", shop.name, "--json").json["replay"]
    assert replayed["fault"]["actual"] == "input.amount: expected str, got int"
