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
from tests.process.node.nodes import LAUNCH, site

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
    to_file = f"import os; os.dup2(os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)"
    async with site(dsn, schema) as at:
        node = at.node(
            "north",
            run_hosts=2,
            modules=["doubtful_code"],
            script=f"{to_file}\n{LAUNCH}",
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


def test_a_warning_of_python_is_a_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_options: None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.log_to_stderr(logging.WARNING)
        warnings.warn_explicit("on its way out", DeprecationWarning, "shop.py", 7)
    assert caplog.messages == ["shop.py:7: DeprecationWarning: on its way out"]
