"""Calls that are never awaited are reported at their place; coroutines that the code keeps are not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from continuum import Workflow
from continuum.errors import DeterminismError
from tests.unit.scanner.snippets import codes, found
from tests.unit.versions.written_modules import module_of

ABOVE = """
    approved = Signal("approved", bool)
    asked = Signal[bool]("asked", bool)

    async def helper(number):
        return await step(number)

    async def numbers():
        yield 1

    def plain(number):
        return step(number)

    class Desk:
        async def work(self):
            return await step(1)

        def rest(self):
            return 1
"""


@pytest.mark.parametrize(
    ("statement", "written"),
    [
        ("step(1)", "step"),
        ("step.options(timeout=3)(1)", "step.options(timeout=3)"),
        ("quick = step.options(timeout=3)\nquick(1)", "quick"),
        ("child(1)", "child"),
        ("child.start_child(1)", "child.start_child"),
        ("child.options(id='a').start_child(1)", "child.options(id='a').start_child"),
        ("continuum.sleep(1)", "continuum.sleep"),
        ("continuum.sleep_until(continuum.now())", "continuum.sleep_until"),
        ("continuum.wait_signal('answer')", "continuum.wait_signal"),
        ("continuum.compensate_all()", "continuum.compensate_all"),
        ("approved.wait()", "approved.wait"),
        ("asked.wait(timeout=3)", "asked.wait"),
        ("asyncio.sleep(1)", "asyncio.sleep"),
        ("asyncio.wait_for(step(1), 3)", "asyncio.wait_for"),
        ("helper(1)", "helper"),
        ("Desk().work()", "Desk().work"),
        ("if continuum.patched('new'):\n    step(1)", "step"),
        ("async def inner():\n    await step(1)\ninner()", "inner"),
    ],
)
def test_a_statement_that_drops_a_coroutine_is_refused(statement: str, written: str) -> None:
    (finding,) = found(statement, ABOVE)
    assert finding.code == "CT407"
    assert finding.message == (
        f"{written}(...) is never awaited, so it never happens; write `await {written}(...)`"
    )
    before, _, call = statement.rpartition(f"{written}(")
    assert codes(f"{before}await {written}({call}", ABOVE) == []


@pytest.mark.parametrize(
    "statement",
    [
        "running = step(1)\nawait running",
        "asyncio.create_task(step(1))",
        "tasks = [step(1)]\ntasks.append(step(2))\nawait asyncio.gather(*tasks)",
        "async with asyncio.TaskGroup() as group:\n    group.create_task(step(1))",
        "plain(1)",
        "Desk().rest()",
        "numbers()",
        "asyncio.gather(step(1), step(2))",
        "continuum.publish('state', 1)",
        "continuum.log.info('text')",
        "asyncio.Event().set()",
        "await (await child.start_child(1))",
        "await (await child.options(id='a').start_child(1))",
        "step.bind(1)",
    ],
)
def test_kept_coroutines_and_plain_calls_are_accepted(statement: str) -> None:
    assert codes(statement, ABOVE) == []


def test_a_forgotten_await_in_a_helper_is_reported() -> None:
    (finding,) = found("await caller()", "async def caller():\n    step(1)\n")
    assert finding.code == "CT407"
    assert "in caller, called from flow" in finding.message


def test_a_forgotten_await_can_be_allowed_on_its_line() -> None:
    assert codes("step(1)  # continuum: allow CT407") == []


STEPS = """
import continuum

@continuum.activity(name="{name}.act")
async def act(number: int) -> int:
    return number

careful = act.options(timeout=3)
said = continuum.Signal("said", int)
"""
FLOW = """
import continuum
import {name}
from {name} import act as renamed

@continuum.workflow(name="{name}.flow")
async def flow() -> None:
    {statement}
"""


@pytest.mark.parametrize("called", ["{name}.act(1)", "renamed(1)", "{name}.said.wait()", "{name}.careful(1)"])
def test_an_activity_of_another_loaded_module_is_recognised(
    called: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"forgotten_{tmp_path.name}".replace("-", "_").replace("[", "_").replace("]", "_")
    monkeypatch.setitem(sys.modules, name, module_of(STEPS.format(name=name), tmp_path, name))
    with pytest.raises(DeterminismError, match="CT407"):
        module_of(FLOW.format(name=name, statement=called.format(name=name)), tmp_path)
    statement = f"await {called.format(name=name)}"
    assert isinstance(module_of(FLOW.format(name=name, statement=statement), tmp_path).flow, Workflow)


@pytest.mark.parametrize("called", ["act(1)", "again(1)", "said.wait()", "act.options(timeout=3)(1)"])
def test_an_activity_of_another_module_is_recognised_by_its_text(
    called: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forgotten_steps.py").write_text(STEPS, encoding="utf-8")
    (tmp_path / "forgotten_names.py").write_text(
        "from forgotten_steps import act as again\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    above = "from forgotten_steps import act, said\nfrom forgotten_names import again\n"
    assert codes(called, above) == ["CT407"]
    assert codes(f"await {called}", above) == []
