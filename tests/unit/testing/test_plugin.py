"""The pytest plugin, run in separate pytest sessions."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.unit.docs.blocks import ROOMS, ROOT, blocks

PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"]
ALONE = ("-p", "no:asyncio", "-p", "no:anyio")
FLOWS = """
import asyncio
import pytest
import continuum
from continuum import activity, workflow
from continuum.testing import crash_everywhere

@activity
async def double(number: int) -> int:
    return number * 2

@workflow
async def doubling(number: int) -> int:
    await continuum.sleep(3600)
    return await double(number)
"""


def session(
    directory: Path, text: str, *arguments: str, flows: str = FLOWS, others: tuple[str, ...] = ALONE
) -> tuple[dict[str, int], str]:
    """Run pytest on a file of tests; return the number of tests per outcome, and the output."""
    (directory / "test_it.py").write_text(flows + text, encoding="utf-8")
    installed = any(point.value == "continuum.testing.plugin" for point in entry_points(group="pytest11"))
    loaded = [] if installed else ["-p", "continuum.testing.plugin"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONTINUUM_")}
    paths = [*(str(ROOT / room) for room in ROOMS), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [*PYTEST, *others, *loaded, *arguments, "test_it.py"],
        cwd=directory,
        env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = done.stdout + done.stderr
    last = output.strip().splitlines()[-1]
    return {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|error)", last)}, output


def test_async_tests_with_an_environment_run_without_other_plugins(tmp_path: Path) -> None:
    outcomes, output = session(
        tmp_path,
        """
async def test_time(continuum_env):
    run = await continuum_env.start(doubling, 4)
    await continuum_env.advance(3600)
    assert await run.result() == 8

class TestMethods:
    async def test_method(self, continuum_env, tmp_path):
        assert tmp_path.exists()
        run = await continuum_env.start(doubling, 5)
        assert await run.result(timeout=7200) == 10

@crash_everywhere
async def test_crashes(continuum_env):
    run = await continuum_env.start(doubling, 4)
    assert await run.result(timeout=7200) == 8

@crash_everywhere
async def test_crashes_otherwise(env, tmp_path):
    assert (await (await env.start(doubling, 1)).result(timeout=7200)) == 2

@pytest.mark.continuum(now=__import__("datetime").datetime(2031, 1, 1, tzinfo=__import__("datetime").UTC))
async def test_mark(continuum_env):
    assert continuum_env.now.year == 2031

@pytest.mark.parametrize("number", [1, 2])
async def test_parameters(continuum_env, number):
    run = await continuum_env.start(doubling, number)
    assert await run.result(timeout=7200) == 2 * number
""",
    )
    assert outcomes == {"passed": 7}, output


def test_failures_are_reported(tmp_path: Path) -> None:
    outcomes, output = session(
        tmp_path,
        """
async def test_hasty(continuum_env):
    run = await continuum_env.start(doubling, 4)
    await run.result()

def test_not_async(continuum_env):
    pass

@crash_everywhere
async def test_careless(env):
    calls = []
    async def count(number: int) -> int:
        calls.append(number)
        return number
    with env.mock_activity(double, count):
        await (await env.start(doubling, 4)).result(timeout=7200)
    assert len(calls) == 1
""",
    )
    assert outcomes == {"failed": 3}, output
    assert "still waits, for a timer due at 2026-01-01T01:00:00+00:00 (" in output
    assert "make it an `async def`" in output
    assert "Run only this again with CONTINUUM_SEED=0:" in output


PARANOID = """
import itertools
world = itertools.count()

@workflow(name="fickle")
async def fickle() -> None:
    other = next(world) % 2  # continuum: allow CT302
    await (double(1) if other else continuum.sleep(1))

async def test_fickle(continuum_env):
    await continuum_env.start(fickle)
    await continuum_env.advance(60)
"""


def test_an_ini_option_makes_every_environment_paranoid(tmp_path: Path) -> None:
    """PAR1, PAR7."""
    outcomes, output = session(tmp_path, PARANOID, "-o", "continuum_paranoid=true")
    assert outcomes == {"failed": 1}, output
    assert "not the same when replayed: run" in output


GOLDEN = """
async def test_golden(continuum_env, golden_history):
    run = await continuum_env.start(doubling, 4)
    await continuum_env.advance(3600)
    golden_history(doubling, await continuum_env.history(run.id))
"""


def test_golden_histories_are_written_and_compared(tmp_path: Path) -> None:
    """GLD1: one file per test, next to it."""
    outcomes, output = session(tmp_path, GOLDEN)
    assert outcomes == {"failed": 1}
    assert "write it with --update-golden" in output
    assert session(tmp_path, GOLDEN, "--update-golden")[0] == {"passed": 1}
    assert [path.name for path in (tmp_path / "golden" / "test_it").iterdir()] == ["test_golden.json"]
    changed = FLOWS.replace("    await continuum.sleep(3600)\n", "    await double(number)\n")
    outcomes, output = session(tmp_path, GOLDEN, flows=changed)
    assert outcomes == {"failed": 1}
    assert "the journal has timer_started from doubling" in output


OTHERS = """
{mark}
async def test_time(continuum_env):
    loop = asyncio.get_running_loop()
    run = await continuum_env.start(doubling, 4)
    await continuum_env.advance(3600)
    assert await run.result() == 8

{mark}
async def test_stuck(continuum_env):
    await continuum_env.start(doubling, 4)
    await continuum_env.settle()
"""


@pytest.mark.skipif(not importlib.util.find_spec("anyio"), reason="anyio is not installed")
def test_anyio_runs_its_own_tests(tmp_path: Path) -> None:
    flows = FLOWS + "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    outcomes, output = session(
        tmp_path, OTHERS.format(mark="@pytest.mark.anyio"), flows=flows, others=("-p", "no:asyncio")
    )
    assert outcomes == {"passed": 2}, output


@pytest.mark.skipif(not importlib.util.find_spec("pytest_asyncio"), reason="pytest-asyncio is not installed")
@pytest.mark.parametrize(
    ("mode", "mark"), [("strict", "@pytest.mark.asyncio"), ("strict", ""), ("auto", "")], ids=str
)
def test_pytest_asyncio_runs_its_own_tests(tmp_path: Path, mode: str, mark: str) -> None:
    options = ("-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function")
    outcomes, output = session(tmp_path, OTHERS.format(mark=mark), *options, others=())
    assert outcomes == {"passed": 2}, output


def test_the_plugin_does_not_import_the_engine() -> None:
    program = (
        "import sys, continuum.testing.plugin; "
        "print([name for name in sys.modules if 'continuum_actors' in name or 'testing.env' in name])"
    )
    paths = [*(str(ROOT / room) for room in ROOMS), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_testing_guide_run(tmp_path: Path) -> None:
    """B79"""
    text = "\n\n".join(block.text for block in blocks(ROOT / "docs" / "testing.md", "python"))
    outcomes, output = session(tmp_path, text, "--update-golden", flows="")
    assert outcomes == {"passed": 5}, output
