"""The log of a node: all its processes write to standard error."""

from __future__ import annotations

import json
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
LOGGING = """
import logging
import threading
import continuum

log = logging.getLogger("shop")

class Unhappy:
    def __del__(self) -> None:
        raise LookupError("nowhere to go")

@continuum.activity(name="logging.here")
async def here() -> None:
    log.info("here")
    thread = threading.Thread(target=lambda: 1 / 0, name="aside")
    thread.start()
    thread.join()
    Unhappy()

@continuum.activity(name="logging.threaded")
def threaded() -> None:
    log.info("threaded")

@continuum.activity(name="logging.queued", queue="mail")
def queued() -> None:
    log.info("queued")

again = continuum.Retry(max_attempts=2, base=0.0)

@continuum.activity(name="logging.isolated", executor="process", retry=again)
def isolated() -> None:
    try:
        if continuum.activity_context().attempt == 1:
            raise ValueError("line one\\nline two")
    finally:
        log.info("isolated", exc_info=True)

@continuum.workflow(name="logging.flow")
async def flow() -> None:
    continuum.log.info("flow")
    await here()
    await threaded()
    await queued()
    await isolated()
"""
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
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


async def test_every_line_of_a_node_that_logs_json_is_an_object_that_says_whose_it_is(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    (tmp_path / "logging_code.py").write_text(LOGGING)
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        node = at.node(
            "north",
            run_hosts=1,
            activity_hosts=1,
            modules=["logging_code"],
            script=logging_to(log),
            log_format="json",
            log_level="info",
            environment={"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        )
        run = await at.client.start("logging.flow", trace_context=f"00-{TRACE_ID}-b7ad6b7169203331-01")
        await run.result(DEADLINE_S)
        os.kill(await at.pid("north", "run_host"), signal.SIGKILL)

        async def is_logged() -> bool:
            return "is started again" in log.read_text()

        await at.until(is_logged, "the node does not log the death")
        assert node.terminate() == 0
    found = [json.loads(line) for line in log.read_text().splitlines()]
    assert {each["node"] for each in found} == {"north"}
    own = [each for each in found if each.get("run_id") == run.id]
    assert {(each["workflow"], each["trace_id"]) for each in own} == {("logging.flow", TRACE_ID)}
    assert [
        (each["message"], each.get("activity"), each.get("attempt"), each["process"])
        for each in own
        if each["level"] == "INFO"
    ] == [
        ("flow", None, None, "run_host-1"),
        ("here", "logging.here", 1, "run_host-1"),
        ("threaded", "logging.threaded", 1, "run_host-1"),
        ("queued", "logging.queued", 1, "run_host-1"),
        ("isolated", "logging.isolated", 1, "activity_host-1"),
        ("isolated", "logging.isolated", 2, "activity_host-1"),
    ]
    dropped, failed = [each for each in own if "exception" in each]
    assert dropped["exception"].endswith("LookupError: nowhere to go\n")
    assert failed["exception"].endswith("ValueError: line one\nline two\n")
    (warning,) = [each for each in own if each["level"] == "WARNING"]
    assert (warning["logger"], warning["activity"], warning["attempt"]) == (
        "continuum.activities",
        "logging.isolated",
        1,
    )
    (aside,) = [each for each in found if each["message"] == "thread aside ended with an exception"]
    assert aside["exception"].endswith("ZeroDivisionError: division by zero\n")
    (death,) = [each for each in found if "is started again" in each["message"]]
    assert death["process"] == "node_supervisor"


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
        log.log_to_stderr(log.LogOutput(), "here")
        warnings.warn_explicit("on its way out", DeprecationWarning, "shop.py", 7)
    assert caplog.messages == ["shop.py:7: DeprecationWarning: on its way out"]
