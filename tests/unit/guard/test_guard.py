"""During a step the code of a run cannot reach outside in any way; all other code can."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import random
import subprocess
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import continuum
from continuum import DeterminismError, activity, guard
from continuum.engine.outcome import Completed, Failed
from tests.unit.engine.driver import Driver, replay
from tests.unit.guard import shop

HERE = "guard/test_guard.py"


@pytest.fixture(autouse=True)
def _guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(guard.SWITCH, raising=False)
    guard.install()


def result_of(call: Callable[[], object]) -> object:
    """Return the result of a call inside a run."""

    async def program() -> object:
        return call()

    return Driver(program).result()


def refusal_of(call: Callable[[], object]) -> str:
    """Return the message that refuses a call inside a run."""

    async def program() -> object:
        return call()

    outcome = Driver(program).run()
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, DeterminismError), outcome.error
    return str(outcome.error)


@pytest.mark.parametrize("name", sorted(shop.REFUSED))
def test_a_call_that_reaches_outside_is_refused_by_name_with_a_hint(name: str) -> None:
    call, what, instead = shop.REFUSED[name]
    line = call.__code__.co_firstlineno
    refusal = refusal_of(call)
    assert refusal.startswith(f"{name} at guard/shop.py:")
    assert line <= int(refusal.split("shop.py:")[1].split(",")[0]) <= line + 2
    assert what in refusal
    assert instead in refusal


def test_the_refusal_names_the_line_of_the_workflow_that_called_the_helper() -> None:
    line = test_the_refusal_names_the_line_of_the_workflow_that_called_the_helper.__code__.co_firstlineno + 4

    async def program() -> object:
        return shop.read_everything()

    outcome = Driver(program).run()
    assert isinstance(outcome, Failed)
    assert f"called from {HERE}:{line}, reads the clock" in str(outcome.error)


def test_a_call_in_the_workflow_itself_is_reported_with_its_line_only() -> None:
    assert f"time.time() at {HERE}:" in (refusal := refusal_of(lambda: time.time()))
    assert "called from" not in refusal


def test_date_today_reads_the_clock() -> None:
    assert "reads the clock" in refusal_of(shop.today)


def test_a_random_default_of_a_model_is_refused() -> None:
    assert refusal_of(shop.Numbered).startswith(f"uuid.uuid4() at {HERE}")
    assert result_of(lambda: shop.Numbered(id=continuum.uuid4()).id.version) == 4


def test_a_forbidden_function_called_by_the_loop_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def program() -> None:
        asyncio.get_running_loop().call_soon(time.time)
        await continuum.sleep(1)

    Driver(program).run()
    assert "time.time() in a callback reads the clock" in caplog.text


def test_formatting_a_given_time_does_not_read_the_clock() -> None:
    assert result_of(lambda: time.strftime("%Y", time.gmtime(0))) == "1970"


def test_a_refusal_replays() -> None:
    async def program() -> str:
        await continuum.sleep(1)
        try:
            return str(time.time())
        except DeterminismError as error:
            return str(error)

    driver = Driver(program)
    refusal = driver.result()
    assert "reads the clock" in refusal
    assert replay(program, driver.history).outcome == Completed(refusal)


def test_outside_a_run_nothing_is_refused() -> None:
    before = time.time, random.random, os.urandom, vars(shop)["wall_clock"]
    result_of(lambda: None)
    assert shop.try_everything() == []
    assert before == (time.time, random.random, os.urandom, vars(shop)["wall_clock"])


def test_a_step_that_fails_leaves_nothing_behind() -> None:
    before = time.time
    refusal_of(lambda: time.time())
    assert time.time is before


def test_other_threads_are_not_guarded_meanwhile() -> None:
    inside, finished = threading.Event(), threading.Event()
    refusals: list[str] = []

    def elsewhere() -> None:
        inside.wait(30)
        refusals.extend(shop.try_everything())
        finished.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()

    def stay() -> bool:
        inside.set()
        return finished.wait(30)

    assert result_of(stay) is True
    thread.join()
    assert refusals == []


def test_a_side_effect_may_read_anything() -> None:
    assert result_of(lambda: continuum.side_effect(shop.try_everything)) == []


def test_an_activity_may_reach_anything() -> None:
    async def program() -> list[str]:
        return await reach_outside()

    assert Driver(program).result() == []


@activity
def reach_outside() -> list[str]:
    return shop.try_everything()


def test_journaled_effects_are_not_refused() -> None:
    def use_journaled_effects() -> bool:
        return bool(continuum.now() and continuum.today() and continuum.uuid4() and continuum.random() < 1)

    assert result_of(use_journaled_effects) is True


def test_logging_may_write_to_a_file(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "log", delay=True)
    logger = continuum.log.logger
    logger.addHandler(handler)
    try:
        result_of(lambda: continuum.log.warning("seen %s", 1))
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert (tmp_path / "log").read_text() == "seen 1\n"


def test_a_run_may_import_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_by_a_run.py").write_text("import time\nAT = time.time()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert result_of(lambda: importlib.import_module("imported_by_a_run").AT) is not None


@pytest.mark.parametrize("debugger", ["pdb", "debugpy.server", "ipdb", "IPython.terminal", "pudb"])
def test_a_debugger_may_read_anything_at_its_prompt(debugger: str) -> None:
    names: dict[str, Any] = {"__name__": debugger}
    exec("import time, pathlib\ndef prompt(): return time.time() and pathlib.Path().exists()", names)
    assert result_of(names["prompt"]) is True


def test_a_traceback_may_be_formatted() -> None:
    def report() -> str:
        try:
            raise ValueError("wrong")
        except ValueError:
            return traceback.format_exc()

    assert 'raise ValueError("wrong")' in str(result_of(report))


def test_a_warning_may_read_its_source() -> None:
    with pytest.warns(UserWarning, match="careful"):
        result_of(lambda: warnings.warn("careful", stacklevel=1))


def test_a_time_zone_may_be_read() -> None:
    # No other test has this zone: a second object of one that it holds would be another zone.
    ZoneInfo.clear_cache(only_keys=["Asia/Kathmandu"])
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    assert str(result_of(lambda: noon.astimezone(ZoneInfo("Asia/Kathmandu")))).endswith("+05:45")


class Lock:
    """Deletes a file when it is collected, whichever code is running then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def __del__(self) -> None:
        self.path.unlink()


def test_an_object_collected_meanwhile_may_clean_up(tmp_path: Path) -> None:
    locks = [Lock(tmp_path / "lock")]
    result_of(locks.clear)
    assert not (tmp_path / "lock").exists()


def test_an_object_finalized_meanwhile_may_clean_up(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    things = [Lock(tmp_path / "other")]
    weakref.finalize(things[0], (tmp_path / "lock").unlink)
    result_of(things.clear)
    assert not (tmp_path / "lock").exists()


@pytest.fixture
def watched_collector() -> Iterator[list[float]]:
    seen: list[float] = []

    def watch(phase: str, info: dict[str, int]) -> None:
        seen.append(time.perf_counter())

    gc.callbacks.append(watch)
    try:
        yield seen
    finally:
        gc.callbacks.remove(watch)


def test_callbacks_of_the_collector_may_read_the_clock(watched_collector: list[float]) -> None:
    result_of(gc.collect)
    assert watched_collector


def test_a_function_replaced_by_other_code_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 42.0)
    assert "reads the clock" in refusal_of(lambda: time.time())
    assert time.time() == 42.0
    monkeypatch.undo()
    result_of(lambda: None)
    assert time.time() > 42.0


def test_the_switch_is_on_or_off() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(guard.SWITCH, "perhaps")
        with pytest.raises(continuum.errors.InvalidOption, match="'on' or 'off', not 'perhaps'"):
            guard.install()


SWITCHED_OFF = """
import asyncio, os, time
from continuum import guard
from continuum.engine.execution import Execution

async def program():
    return time.time()

guard.install()
assert not guard.is_installed()
execution = Execution(None, os.urandom)
print(type(execution.begin(program(), (), started_at=0, now=0)).__name__)
"""


def test_a_guard_that_is_switched_off_refuses_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SWITCHED_OFF],
        env={"CONTINUUM_GUARD": "off", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout.strip(), ended.stderr) == ("Completed", "")


def test_importing_the_product_guards_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import continuum, sys; print('continuum.guard' in sys.modules)"],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout.strip(), ended.stderr) == ("False", "")
