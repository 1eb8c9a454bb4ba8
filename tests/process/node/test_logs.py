"""The log of a node: all its processes write to standard error."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import warnings
from pathlib import Path

import pytest

from continuum_supervision.process import log
from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, LAUNCH, site

DOUBTFUL = """
import logging
import continuum
from doubtful_help import price

logging.getLogger("shop").warning("loaded")

@continuum.workflow
async def doubtful(number: int) -> int:
    return price(number)
"""
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [a-z_.]+: .+")


async def test_every_process_logs_alike_and_a_warning_about_code_appears_once(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    (tmp_path / "doubtful_code.py").write_text(DOUBTFUL)
    (tmp_path / "doubtful_help.py").write_text("def price(number):\n    return number\n")
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        node = at.node(
            "north",
            run_hosts=2,
            modules=["doubtful_code"],
            script=logging_to(log),
            environment={"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        )
        victim = await at.pid("north", "run_host")
        os.kill(victim, signal.SIGKILL)

        async def is_logged() -> bool:
            # The supervisor logs the death, and the successor is the fifth process that loads the code.
            return "is started again" in log.read_text() and log.read_text().count("loaded") == 5

        await at.until(is_logged, "the node does not log the death")
        assert node.terminate() == 0
    lines = log.read_text().splitlines()
    assert [line for line in lines if not RECORD.fullmatch(line)] == []
    (warning,) = [line for line in lines if "CT503" in line]
    assert "WARNING py.warnings: DeterminismWarning: " in warning


def logging_to(path: Path) -> str:
    """Return a script that launches a node whose standard error is a file."""
    return f"import os; os.dup2(os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)\n{LAUNCH}"


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("long", "activity 0 of run {} was out of time, so its process was ended"),
        ("silent", "activity nodes.silent of run {}, attempt 1: no heartbeat"),
    ],
)
async def test_a_process_that_ends_at_a_deadline_is_a_warning_and_no_crash(
    dsn: str, schema: str, tmp_path: Path, which: str, said: str
) -> None:
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        node = at.node("north", activity_hosts=1, script=logging_to(log))
        victim = await at.pid("north", "activity_host")
        run = await at.client.start(flows.limited, which)
        assert (await run.result(DEADLINE_S)).startswith("TimeoutError")

        async def is_replaced() -> bool:
            return (await at.pids("north", "activity_host")) not in ([], [victim])

        await at.until(is_replaced, "the activity host is not replaced")
        assert node.terminate() == 0
    lines = log.read_text().splitlines()
    (why,) = [line for line in lines if "continuum.activities" not in line]
    assert " WARNING " in why
    assert said.format(run.id) in why


def test_a_warning_of_python_is_a_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_options: None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.log_to_stderr(logging.WARNING)
        warnings.warn_explicit("on its way out", DeprecationWarning, "shop.py", 7)
    assert caplog.messages == ["shop.py:7: DeprecationWarning: on its way out"]
