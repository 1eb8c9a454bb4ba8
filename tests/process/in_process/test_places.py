"""The default journal of an in-process node, and the activities that it leaves to other nodes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import continuum
from continuum import activity, workflow
from continuum_supervision import Supervisor
from tests.postgres.holding import server_directory
from tests.process.actors.hosting import stage
from tests.process.in_process import flows
from tests.process.in_process.hosts import DEADLINE_S, WORKFLOWS

GUIDE = Path(__file__).parents[3] / "docs" / "embedding.md"


@activity(name="embedding.press", executor="process")
def press(number: int) -> int:
    """Run in a process that can be killed."""
    return os.getpid() if number else 0


@workflow(name="embedding.printing")
async def printing(number: int) -> int:
    """Run one isolated activity."""
    return await press(number)


async def test_without_a_dsn_an_instance_uses_the_embedded_server_and_migrates_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server_directory() as directory:
        monkeypatch.delenv("CONTINUUM_DSN", raising=False)
        monkeypatch.setenv("CONTINUUM_DATA_DIR", str(directory))
        async with Supervisor(continuum.children(name="shop", workflows=WORKFLOWS)):
            async with continuum.connect(name="shop") as client:
                run = await client.start(flows.order, 1)
                await run.signal(flows.go, "yes")
                assert await run.result(DEADLINE_S) == flows.shipped(1)
            # The environment alone leads to the same server.
            async with continuum.connect() as client:
                assert await client.await_run(run.id, DEADLINE_S) == flows.shipped(1)


async def test_isolated_activities_wait_for_an_activity_host_of_another_node(dsn: str, schema: str) -> None:
    node = continuum.children(name="shop", dsn=dsn, schema=schema, workflows=[printing])
    async with stage(dsn, schema) as on, Supervisor(node), continuum.connect(name="shop") as client:
        run = await client.start(printing, 1)
        await on.until(
            lambda: on.holds("select exists (select from {schema}.tasks where isolated)"), "there is no task"
        )
        assert (await run.get()).state == "suspended"
        await on.tree(isolated=True)
        assert await run.result(DEADLINE_S) == os.getpid()


def test_an_instance_in_memory_warns_of_isolated_activities(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "continuum.node"):
        continuum.children(name="shop", journal="memory", workflows=[printing], activities=[press])
    assert "never run: embedding.press" in caplog.text


@pytest.mark.parametrize(
    ("options", "warnings"),
    [
        ({}, 1),
        ({"workflows": [printing]}, 0),
        ({"activities": [press]}, 0),
        ({"queues": {"packing": 1}}, 0),
        ({"dispatcher": False}, 0),
    ],
)
def test_an_instance_that_serves_nothing_warns_unless_that_is_intended(
    options: dict[str, Any], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "continuum.node"):
        continuum.children(name="shop", dsn="postgresql://u@h/d", **options)
    assert caplog.text.count("instance shop serves no workflow") == warnings


# No text of a module has it as a string.
UNUSED = "queue of nobody"[::-1]


def test_an_instance_warns_of_limits_for_queues_that_nothing_uses(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "continuum.node"):
        continuum.children(name="shop", journal="memory", workflows=[printing], queues={UNUSED: 1})
    assert f"instance shop: nothing that is loaded uses queue {UNUSED!r}" in caplog.text


def test_the_embedding_guide_runs() -> None:
    _, _, rest = GUIDE.read_text(encoding="utf-8").partition("```python\n")
    code, _, _ = rest.partition("```\n")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "receipt for Ada\n", "")
