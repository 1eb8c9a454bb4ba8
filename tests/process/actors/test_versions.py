"""Code that changes under its runs: which node claims them, what they execute, and their state meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from continuum import RunHandle, Workflow
from continuum.contracts.workflow_contract import WorkflowContract, contract_of
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.port import VersionRow
from continuum.journal.postgres import PostgresJournal
from continuum.journal.suspect_port import Executed
from continuum_actors.host import limits
from continuum_actors.host.pulse import NoPulse
from continuum_actors.host.traces import read_trace
from continuum_actors.tree import run_host_children
from continuum_supervision import Restart
from tests.process.actors.hosting import DEADLINE_S, Stage, eventually, stage
from tests.process.actors.orders import verdict
from tests.unit.versions.written_modules import module_of

FIRST = """
from continuum import workflow
from tests.process.actors.orders import charge, ship, verdict

@workflow(name="versions.order")
async def order(number: int) -> str:
    payment = await charge(number)
    await verdict.wait()
    return await ship(payment)
"""
REWORDED = FIRST.replace("payment", "paid")
INCOMPATIBLE = FIRST.replace("await charge(number)", "await ship(str(number))")
SHIPPED = "shipped for payment 1"
SHIPPED_TWICE = "shipped for shipped for 1"

Flow: TypeAlias = Workflow[[int], str]
Deploy: TypeAlias = Callable[..., Flow]


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """Make workflows from the text of their module, as a deploy would."""
    loaded = set(sys.modules)

    def deployed(text: str, **options: object) -> Flow:
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        flow: Flow = module_of(text.replace('")\nasync', f'"{given})\nasync'), tmp_path).order
        return flow

    yield deployed
    for name in set(sys.modules) - loaded:
        if name.startswith("_continuum_pinned_"):
            del sys.modules[name]


async def suspended_under(on: Stage, flow: Flow, *others: Flow) -> RunHandle[str]:
    """Start a run on a node that has this code, and stop the node once the run waits."""
    async with on.alone(flow, *others):
        run = await on.client.start(flow, 1)
        await on.until_state(run, "suspended")
    return run


async def version_of(on: Stage, run: RunHandle[Any]) -> str | None:
    """Return the run's version."""
    row = await on.journal.get_run(RunId(run.id))
    assert row is not None
    return row.version


async def history_types(on: Stage, run: RunHandle[Any]) -> list[str]:
    """Return the types of the run's events."""
    return [event.type for event in await on.client.history(run.id)]


async def refused(on: Stage, run: RunHandle[Any], flow: Flow) -> bool:
    """Return whether this code was found not to match the run's history."""
    return [one.version for one in await on.journal.refusals(RunId(run.id))] == [flow.version_hash]


async def test_vdp1_a_run_continues_with_the_version_it_began_with(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """VDP1, VRG4: the later version is loaded as well, and new runs use it."""
    before, after = deploy(FIRST, label=1), deploy(INCOMPATIBLE, label=2)
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, before)
        await on.tree(before, after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == before.version_hash
        new = await on.client.start(after, 1)
        await new.signal(verdict, "yes")
        assert await new.result(DEADLINE_S) == SHIPPED_TWICE
        assert await version_of(on, new) == after.version_hash


class Trace(NoPulse):
    """Records whose code has been executed."""

    def __init__(self) -> None:
        self.executed: list[Executed] = []

    def executing(self, trace: bytes) -> None:
        self.executed.append(read_trace(trace))


async def test_a_crash_during_a_dry_replay_is_blamed_on_its_run(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """I11: a dry replay that kills its process counts against its run."""
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, deploy(FIRST))
        changed = deploy(INCOMPATIBLE)
        tree = await on.tree(changed)
        trace = tree.host.pulse = Trace()
        await run.signal(verdict, "yes")
        await on.until(lambda: refused(on, run, changed), "it was not refused")
        assert trace.executed == [Executed(run.id, None, 0)]


async def test_a_run_continues_with_changed_code_that_does_the_same(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """UNK1: the history records the new version."""
    before, after = deploy(FIRST), deploy(REWORDED)
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, before)
        await on.tree(after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == after.version_hash
        assert (await history_types(on, run)).count("version_changed") == 1


async def test_unk1_a_run_waits_unchanged_for_code_that_matches_it(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """UNK1: its reason says what it waits for, that code does not try again, and its own code finishes it."""
    before, after = deploy(FIRST), deploy(INCOMPATIBLE)
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, before)
        history = await history_types(on, run)
        async with on.alone(after):
            await run.signal(verdict, "yes")
            await on.until(lambda: refused(on, run, after), "the code was not found unfit")
            other = await on.client.start(after, 2)
            await other.signal(verdict, "yes")
            await other.result(DEADLINE_S)
            assert await history_types(on, run) == history
            shown = await run.get()
            assert shown.state == "suspended"
            assert before.version_hash in str(shown.reason)
            assert await version_of(on, run) == before.version_hash
            owners = await on.sql("select owner from {schema}.runs where id = %s", run.id)
            assert owners == [(None,)]
        await on.tree(before)
        assert await run.result(DEADLINE_S) == SHIPPED


async def test_other_code_does_not_claim_a_run_that_waits_for_its_own(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """Not even by code that would do the same."""
    before, after = deploy(FIRST, on_change="wait"), deploy(REWORDED, on_change="wait")
    less_strict = [deploy(text.replace("versions.order", "versions.control")) for text in (FIRST, REWORDED)]
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, before)
        control = await suspended_under(on, less_strict[0])
        await run.signal(verdict, "yes")
        await control.signal(verdict, "yes")
        async with on.alone(after, less_strict[1]):
            # Other code has had its chance by then: when the control run ends, the run was left alone.
            assert await control.result(DEADLINE_S) == SHIPPED
            assert await version_of(on, run) == before.version_hash
            assert await on.journal.refusals(RunId(run.id)) == []
        await on.tree(before)
        assert await run.result(DEADLINE_S) == SHIPPED
        assert "version_changed" not in await history_types(on, run)


async def test_vdp3_pinned_runs_finish_on_their_own_code_after_a_deploy(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """VDP3: the old code, which no node has loaded, comes from the database; new runs use the new code."""
    before, after = deploy(FIRST, on_change="pin"), deploy(INCOMPATIBLE, on_change="pin")
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, before)
        await on.tree(after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == before.version_hash
        new = await on.client.start(after, 1)
        await new.signal(verdict, "yes")
        assert await new.result(DEADLINE_S) == SHIPPED_TWICE


async def test_a_pinned_version_deleted_under_its_node_is_registered_again(
    deploy: Deploy, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VDP3: no run used it when it was deleted, but the node starts new runs of it afterwards."""
    monkeypatch.setattr(limits, "PINNED_VERSIONS_SECONDS", 0.05)
    before, after = deploy(FIRST, on_change="pin"), deploy(INCOMPATIBLE, on_change="pin")
    version = before.name, before.version_hash
    async with stage(dsn, schema) as on:
        async with on.alone(before):
            await on.until(lambda: registered(on, before), "it was not registered")
            assert await on.journal.delete_versions([version]) == 1
            await on.until(lambda: registered(on, before), "it was not registered again")
            run = await on.client.start(before, 1)
            await on.until_state(run, "suspended")
        await on.tree(after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED


async def registered(on: Stage, flow: Flow) -> bool:
    """Return whether the journal has the source of this version."""
    return await on.journal.version_source(flow.name, flow.version_hash) is not None


async def test_stored_source_is_executed_only_for_pinned_workflows(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """It is not even loaded on a node that loads another workflow's."""
    before, after = deploy(FIRST, on_change="pin"), deploy(INCOMPATIBLE)
    pinned = [
        deploy(text.replace("versions.order", "versions.control"), on_change="pin")
        for text in (FIRST, INCOMPATIBLE)
    ]
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, before)
        control = await suspended_under(on, pinned[0])
        tree = await on.tree(after, pinned[1])
        await run.signal(verdict, "yes")
        await control.signal(verdict, "yes")
        assert await control.result(DEADLINE_S) == SHIPPED
        await on.until(lambda: refused(on, run, after), "the code was not found unfit")
        assert tree.host.code.knows(pinned[0].name, pinned[0].version_hash)
        assert not tree.host.code.knows(before.name, before.version_hash)


async def test_a_run_blocked_by_drift_continues_after_a_fixed_deploy(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """The fixed code is another version; the node tries blocked runs again when it boots."""
    before, after = deploy(FIRST), deploy(INCOMPATIBLE)
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, before)
        # As if they differed only in code that the hash does not cover.
        await on.sql("update {schema}.runs set version = %s where id = %s", after.version_hash, run.id)
        async with on.alone(after):
            await run.signal(verdict, "yes")
            await on.until_state(run, "blocked")
            reason = str((await run.get()).reason)
            assert "orders.charge" in reason
            assert "orders.ship" in reason
        fixed = deploy(REWORDED)
        async with on.alone(fixed):
            await on.journal.unblock([fixed.name])
            assert await run.result(DEADLINE_S) == SHIPPED


async def test_unk2_a_run_whose_version_is_a_label_continues(deploy: Deploy, dsn: str, schema: str) -> None:
    """UNK2: an earlier release stored "1", which is the version of no code; the history decides."""
    flow = deploy(FIRST)
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, flow)
        await on.sql("update {schema}.runs set version = '1' where id = %s", run.id)
        await on.tree(flow)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == flow.version_hash


async def test_vrd1_a_node_registers_what_it_has_loaded(deploy: Deploy, dsn: str, schema: str) -> None:
    """VRD1, VRG6: ready, with counts, once the journal has it."""
    flows = [deploy(FIRST, label=1), deploy(REWORDED, label=2)]
    async with stage(dsn, schema) as on:
        tree = await on.tree(*flows)
        registry = tree.host.version_registry
        await registry.ready.wait()
        assert (registry.state, registry.registered) == ("ready", 2)
        rows = await on.journal.versions()
        assert {(row.workflow, row.version, row.label) for row in rows} == {
            (flow.name, flow.version_hash, flow.label) for flow in flows
        }


async def test_a_run_ended_by_force_is_kept_as_long_as_its_retention(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    flow = deploy(f"import datetime\n{FIRST}", retention=timedelta(0))
    async with stage(dsn, schema) as on:
        run = await suspended_under(on, flow)
        await run.cancel(force=True)
        await on.journal.sweep()
        assert await on.journal.get_run(RunId(run.id)) is None


async def test_vrg5_a_killed_version_registry_is_restarted_alone(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """VRG5."""
    flow = deploy(FIRST)
    async with stage(dsn, schema) as on:
        tree = await on.tree(flow)
        dispatcher = tree.actor("dispatcher")
        await tree.kill("version_registry")
        await eventually(lambda: tree.host.version_registry.state == "ready", "it is not ready again")
        assert tree.actor("dispatcher") is dispatcher
        spec = next(child for child in run_host_children(tree.host) if child.id == "version_registry")
        assert spec.restart is Restart.PERMANENT


class LateJournal(PostgresJournal):
    """Fails the first registrations."""

    refusals_left = 2

    async def register_versions(self, versions: Sequence[VersionRow]) -> None:
        if self.refusals_left:
            self.refusals_left -= 1
            raise JournalUnavailable("not yet")
        await super().register_versions(versions)


async def test_vrg6_a_failed_registration_is_retried(deploy: Deploy, dsn: str, schema: str) -> None:
    """VRG6, B65: by the same actor, which is not ready until then."""
    flow = deploy(FIRST)
    async with stage(dsn, schema) as on:
        journal = LateJournal(dsn, schema=schema)
        await journal.open()
        on.exits.push_async_callback(journal.close)
        tree = await on.tree_on(journal, flow)
        registry = tree.host.version_registry
        assert registry.state == "starting"
        await registry.ready.wait()
        assert (registry.state, journal.refusals_left) == ("ready", 0)
        assert tree.host.version_registry is registry
        assert [row.version for row in await on.journal.versions()] == [flow.version_hash]


async def test_a_node_stores_what_its_workflows_take_and_return(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    flow = deploy(FIRST)
    async with stage(dsn, schema) as on:
        tree = await on.tree(flow)
        await tree.host.version_registry.described.wait()
        (row,) = await on.journal.contracts(flow.name)
    assert WorkflowContract.from_document(flow.name, row.contract) == contract_of(flow)
