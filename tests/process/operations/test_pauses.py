"""The cause of a person who has paused something, made for real, and what its first fix does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.process.node.nodes import DEADLINE_S, site
from tests.process.operations import waiting_flows as flows
from tests.process.operations.explaining import (
    MODULE,
    apply,
    commands,
    explained,
    facts,
    is_over,
)

MODULES = [MODULE]


@pytest.mark.parametrize(
    ("scope", "command", "said"),
    [
        ({}, "continuum runs resume {run}", "it is paused since "),
        (
            {"workflow": "explain.signal", "namespace": "default"},
            "continuum resume --workflow explain.signal --namespace default",
            "workflow explain.signal in namespace default is paused since ",
        ),
        (
            {"namespace": "default"},
            "continuum resume --namespace default",
            "namespace default is paused since ",
        ),
    ],
)
async def test_a_paused_run_names_who_has_paused_it_and_the_fix_resumes_it(
    dsn: str, schema: str, scope: dict[str, Any], command: str, said: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_signal)
        await at.until_state(run, "suspended")
        ann = at.client.as_actor("ann", reason="the bank asks")
        outcome = await (ann.pause(**scope) if scope else ann.handle(run.id).pause())
        cause = await explained(run, "paused")
        assert cause.sentence.startswith(said)
        assert " by ann: the bank asks" in cause.sentence
        assert (cause.since, cause.wakes_by) == (outcome.pause.since, "the person who resumes it")
        assert facts(cause, "by", "reason") == {"by": "ann", "reason": "the bank asks"}
        assert [each.code for each in (await run.explain()).causes] == ["paused", "signal"]
        assert commands(cause)[0] == command.format(run=run.id)
        await run.signal(flows.go, "yes")

        await apply(at, cause.fixes[0])
        await is_over(run, "paused")
        assert await run.result(DEADLINE_S) == "yes"


async def test_an_activity_in_a_paused_queue_names_the_queue(dsn: str, schema: str, tmp_path: Path) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        await at.client.pause(queue="narrow", reason="the printer burns")
        run = await at.client.start(flows.runs_task, str(tmp_path))
        cause = await explained(run, "paused")
        assert cause.sentence.startswith(
            "activity explain.queued waits in queue narrow, which is paused since "
        )
        assert facts(cause, "kind", "name", "reason") == {
            "kind": "queue",
            "name": "narrow",
            "reason": "the printer burns",
        }
        assert commands(cause)[0] == "continuum resume --queue narrow"
        await apply(at, cause.fixes[0])
        await explained(run, "activity_running")
        (tmp_path / "end").touch()
        assert await run.result(DEADLINE_S) == "ended"


async def test_a_paused_run_whose_activity_still_runs_says_both(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.runs_activity, str(tmp_path))
        await explained(run, "activity_running")
        await run.pause()
        cause = await explained(run, "paused")
        assert [each.code for each in (await run.explain()).causes] == ["paused", "activity_running"]
        await apply(at, cause.fixes[0])
        (tmp_path / "end").touch()
        assert await run.result(DEADLINE_S) == "ended"
