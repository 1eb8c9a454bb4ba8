"""Failed runs, made for real: the fix lets them continue."""

from __future__ import annotations

from pathlib import Path

from tests.process.node.nodes import DEADLINE_S, site
from tests.process.operations import waiting_flows as flows
from tests.process.operations.explaining import MODULE, apply, commands, explained

MODULES = [MODULE]


async def test_a_failed_run_goes_on_from_its_failure_by_the_fix(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.gives_up, str(tmp_path))
        cause = await explained(run, "ended")
        assert commands(cause) == [f"continuum runs restart {run.id}"]
        (tmp_path / "mended").touch()
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "mended"
        assert (await run.get()).continued_to is not None


async def test_a_run_that_has_undone_something_goes_back_to_before_it_by_the_fix(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.gives_up_and_undoes, str(tmp_path))
        cause = await explained(run, "ended")
        assert commands(cause) == [f"continuum runs reset {run.id} --at 0"]
        (tmp_path / "mended").touch()
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "mended"
        assert [event.type for event in await run.history()].count("compensation_completed") == 1


async def test_a_compensation_that_failed_is_tried_again_by_the_fix(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.gives_up_and_cannot_undo, str(tmp_path))
        cause = await explained(run, "ended")
        assert commands(cause) == [f"continuum runs restart {run.id}"]
        assert "explain.cannot_undo can succeed" in (cause.fixes[0].when or "")
        (tmp_path / "mended").touch()
        await apply(at, cause.fixes[0])
        latest = (await run.get()).continued_to
        assert latest is not None
        again = await explained(at.client.handle(latest), "ended")
        assert again.evidence["message"] == "2 is not enough"
        assert [event.type for event in await at.client.history(latest)][-1] == "compensation_completed"
        assert (tmp_path / "undone").read_text() == "tried\n" * 2
        # What was done is undone, and the next step is to do it again.
        assert commands(again) == [f"continuum runs reset {latest} --at 0"]


async def test_a_run_that_its_code_failed_is_replayed_by_the_fix(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.fails, 0)
        cause = await explained(run, "ended")
        await apply(at, cause.fixes[0])
        latest = (await run.get()).continued_to
        assert latest is not None
        # The code is as it was.
        again = await explained(at.client.handle(latest), "ended")
        assert again.evidence["message"] == "there is no such account"


async def test_a_failure_in_a_child_is_mended_by_starting_the_child_anew(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.fails, 1)
        cause = await explained(run, "ended")
        assert commands(cause) == [f"continuum runs reset {run.id} --at 0"]
        await apply(at, cause.fixes[0])
        latest = (await run.get()).continued_to
        assert latest is not None
        started = (await explained(at.client.handle(latest), "ended")).evidence["root"]["run"]
        assert started != cause.evidence["root"]["run"]
        child = await at.client.explain(started)
        # Its parent has heard that it failed, so that the parent starts it anew.
        parent = await at.client.explain(latest)
        assert commands(child.causes[0]) == [f"continuum runs reset {latest} --at 1"]
        assert child.causes[0].fixes == parent.causes[0].fixes
