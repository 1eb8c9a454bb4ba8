"""Code that changes under its runs: who takes them up, what they execute, and what they say meanwhile."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from continuum import RunHandle, Workflow
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.port import VersionRow
from continuum.journal.postgres import PostgresJournal
from continuum_actors.host import limits
from continuum_actors.host.host import NoPulse
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
    """Make workflows of the text of their module, as a deploy would bring them."""
    loaded = set(sys.modules)

    def deployed(text: str, **options: object) -> Flow:
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        flow: Flow = module_of(text.replace('")\nasync', f'"{given})\nasync'), tmp_path).order
        return flow

    yield deployed
    for name in set(sys.modules) - loaded:
        if name.startswith("_continuum_pinned_"):
            del sys.modules[name]


async def parked_under(on: Stage, flow: Flow, *others: Flow) -> RunHandle[str]:
    """Start a run on a node that has this code, and stop the node once the run waits."""
    async with on.alone(flow, *others):
        run = await on.client.start(flow, 1)
        await on.until_state(run, "suspended")
    return run


async def version_of(on: Stage, run: RunHandle[Any]) -> str | None:
    """Return the hash of the code that the run is of."""
    row = await on.journal.get_run(RunId(run.id))
    assert row is not None
    return row.version


async def history_types(on: Stage, run: RunHandle[Any]) -> list[str]:
    """Return what the run has journaled."""
    return [event.type for event in await on.client.history(run.id)]


async def refused(on: Stage, run: RunHandle[Any], flow: Flow) -> bool:
    """Tell whether this code was found not to fit the run's history."""
    return [one.version for one in await on.journal.refusals(RunId(run.id))] == [flow.version_hash]


async def test_vdp1_a_run_goes_on_with_the_version_it_began_with(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """VDP1, VRG4: the later version is loaded beside its own, and takes new runs."""
    before, after = deploy(FIRST, label=1), deploy(INCOMPATIBLE, label=2)
    async with stage(dsn, schema) as on:
        run = await parked_under(on, before)
        await on.tree(before, after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == before.version_hash
        new = await on.client.start(after, 1)
        await new.signal(verdict, "yes")
        assert await new.result(DEADLINE_S) == SHIPPED_TWICE
        assert await version_of(on, new) == after.version_hash


class Trace(NoPulse):
    """Keeps whose code has been executed."""

    def __init__(self) -> None:
        self.executed: list[str] = []

    def executing(self, run_id: bytes) -> None:
        self.executed.append(str(uuid.UUID(bytes=run_id)))


async def test_who_dies_of_trying_other_code_has_said_whose_run_it_was(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """I11: a history that changed code never comes back from is counted against its run."""
    async with stage(dsn, schema) as on:
        run = await parked_under(on, deploy(FIRST))
        changed = deploy(INCOMPATIBLE)
        tree = await on.tree(changed)
        trace = tree.host.pulse = Trace()
        await run.signal(verdict, "yes")
        await on.until(lambda: refused(on, run, changed), "it was not refused")
        assert trace.executed == [run.id]


async def test_a_run_goes_on_with_changed_code_that_does_the_same(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """UNK1: what it went on with stands in its history."""
    before, after = deploy(FIRST), deploy(REWORDED)
    async with stage(dsn, schema) as on:
        run = await parked_under(on, before)
        await on.tree(after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == after.version_hash
        assert (await history_types(on, run)).count("version_changed") == 1


async def test_unk1_a_run_that_changed_code_does_not_fit_waits_untouched_for_its_own(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """UNK1: it says what it waits for, is not tried again by that code, and its own code finishes it."""
    before, after = deploy(FIRST), deploy(INCOMPATIBLE)
    async with stage(dsn, schema) as on:
        run = await parked_under(on, before)
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


async def test_a_run_whose_code_waits_is_not_taken_up_by_other_code(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """Not even by code that would do the same."""
    before, after = deploy(FIRST, on_change="wait"), deploy(REWORDED, on_change="wait")
    less_strict = [deploy(text.replace("versions.order", "versions.control")) for text in (FIRST, REWORDED)]
    async with stage(dsn, schema) as on:
        run = await parked_under(on, before)
        control = await parked_under(on, less_strict[0])
        await run.signal(verdict, "yes")
        await control.signal(verdict, "yes")
        async with on.alone(after, less_strict[1]):
            # Others are given time to come first; once it is over for one it is over for both.
            assert await control.result(DEADLINE_S) == SHIPPED
            assert await version_of(on, run) == before.version_hash
            assert await on.journal.refusals(RunId(run.id)) == []
        await on.tree(before)
        assert await run.result(DEADLINE_S) == SHIPPED
        assert "version_changed" not in await history_types(on, run)


async def test_vdp3_pinned_runs_finish_on_their_own_code_after_a_deploy(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """VDP3: no node has loaded the old code, it comes from the database; new runs are of the new code."""
    before, after = deploy(FIRST, on_change="pin"), deploy(INCOMPATIBLE, on_change="pin")
    async with stage(dsn, schema) as on:
        run = await parked_under(on, before)
        await on.tree(after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == before.version_hash
        new = await on.client.start(after, 1)
        await new.signal(verdict, "yes")
        assert await new.result(DEADLINE_S) == SHIPPED_TWICE


async def test_a_pinned_version_that_was_forgotten_under_its_node_is_noted_again(
    deploy: Deploy, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VDP3: nothing was of it when it was forgotten, but what its node starts afterwards is."""
    monkeypatch.setattr(limits, "PINNED_VERSIONS_SECONDS", 0.05)
    before, after = deploy(FIRST, on_change="pin"), deploy(INCOMPATIBLE, on_change="pin")
    version = before.name, before.version_hash
    async with stage(dsn, schema) as on:
        async with on.alone(before):
            await on.until(lambda: noted(on, before), "it was not noted")
            assert await on.journal.delete_versions([version]) == 1
            await on.until(lambda: noted(on, before), "it was not noted again")
            run = await on.client.start(before, 1)
            await on.until_state(run, "suspended")
        await on.tree(after)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED


async def noted(on: Stage, flow: Flow) -> bool:
    """Tell whether the journal has the source of this version."""
    return await on.journal.version_source(flow.name, flow.version_hash) is not None


async def test_stored_source_is_executed_only_where_the_code_says_pin(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """It is not even loaded where another workflow's is."""
    before, after = deploy(FIRST, on_change="pin"), deploy(INCOMPATIBLE)
    pinned = [
        deploy(text.replace("versions.order", "versions.control"), on_change="pin")
        for text in (FIRST, INCOMPATIBLE)
    ]
    async with stage(dsn, schema) as on:
        run = await parked_under(on, before)
        control = await parked_under(on, pinned[0])
        tree = await on.tree(after, pinned[1])
        await run.signal(verdict, "yes")
        await control.signal(verdict, "yes")
        assert await control.result(DEADLINE_S) == SHIPPED
        await on.until(lambda: refused(on, run, after), "the code was not found unfit")
        assert tree.host.code.knows(pinned[0].name, pinned[0].version_hash)
        assert not tree.host.code.knows(before.name, before.version_hash)


async def test_a_run_blocked_by_drift_goes_on_with_a_fixed_deploy(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """The fixed code is another version; being tried again is the node's doing at its boot."""
    before, after = deploy(FIRST), deploy(INCOMPATIBLE)
    async with stage(dsn, schema) as on:
        run = await parked_under(on, before)
        # As if what makes them differ stood outside what the hash covers.
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


async def test_unk2_a_run_that_an_earlier_release_named_by_its_label_goes_on(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    """UNK2: "1" is the version of no code; its history decides."""
    flow = deploy(FIRST)
    async with stage(dsn, schema) as on:
        run = await parked_under(on, flow)
        await on.sql("update {schema}.runs set version = '1' where id = %s", run.id)
        await on.tree(flow)
        await run.signal(verdict, "yes")
        assert await run.result(DEADLINE_S) == SHIPPED
        assert await version_of(on, run) == flow.version_hash


async def test_vrd1_a_node_notes_what_it_has_loaded(deploy: Deploy, dsn: str, schema: str) -> None:
    """VRD1, VRG6: ready, with counts, once it stands in the journal."""
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


async def test_a_run_that_is_ended_by_force_is_kept_as_long_as_its_workflow_says(
    deploy: Deploy, dsn: str, schema: str
) -> None:
    flow = deploy(f"import datetime\n{FIRST}", retention=timedelta(0))
    async with stage(dsn, schema) as on:
        run = await parked_under(on, flow)
        await run.cancel(force=True)
        await on.journal.sweep()
        assert await on.journal.get_run(RunId(run.id)) is None


async def test_vrg5_a_version_registry_that_dies_is_restarted_and_disturbs_nobody(
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
    """Refuses the first registrations."""

    refusals_left = 2

    async def register_versions(self, versions: Sequence[VersionRow]) -> None:
        if self.refusals_left:
            self.refusals_left -= 1
            raise JournalUnavailable("not yet")
        await super().register_versions(versions)


async def test_vrg6_a_registration_that_fails_is_tried_again(deploy: Deploy, dsn: str, schema: str) -> None:
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
