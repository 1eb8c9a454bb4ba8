"""Which changes make another version of a workflow, and which do not."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

import continuum
from continuum import Workflow, activity, workflow
from continuum.source.content_hash import content_hash
from continuum.source.module_source import definition_of
from continuum.source.normal_form import NormalForm
from continuum.source.reachable_code import reachable_form
from tests.unit.versions.written_modules import module_of

FLOW = '''
"""What this module is for."""
import math
import continuum
from continuum import Signal, activity, workflow

LIMIT = 3
UNUSED = 1
RATES = {"usual": 0}
RATES["fancy"] = 1
RATES.update(gift=2)
UNREAD = {}
UNREAD["x"] = 1
math.offset = 1
approval = Signal("content.approval", str)

@activity(name="content.charge")
async def charge(amount: int) -> str:
    return f"paid {amount}"

class Price:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def rounded(self) -> int:
        return math.floor(self.amount * 1.21)

def discount(amount: int) -> int:
    """Not for everybody."""
    return _lowered(amount) + RATES["fancy"] if amount > LIMIT else amount

def _lowered(amount: int) -> int:
    return amount - 1

def unused() -> int:
    return 1

@workflow(name="content.flow", label=1)
async def flow(amount: int, mode: str = "plain") -> str:
    """Pay."""
    answer = await charge(discount(Price(amount).rounded()))
    verdict = await approval.wait()  # for ever
    return answer + verdict
'''


@pytest.fixture
def hash_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that hashes the `flow` of a module with a given text."""

    def hashed(text: str) -> str:
        # These modules are versions of one module, so they may define activities of the same name.
        monkeypatch.setattr(sys.modules["continuum.definitions.activity"], "_DEFINED", {})
        flow: Workflow[..., Any] = module_of(text, tmp_path).flow
        return flow.version_hash

    return hashed


def changed(old: str, new: str) -> str:
    """Return the module text with one change."""
    assert FLOW.count(old) == 1, old
    return FLOW.replace(old, new)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(FLOW, id="another module of the same text"),
        pytest.param(changed('    """Pay."""', '    """Pay, or not."""'), id="docstring"),
        pytest.param(changed('    """Pay."""\n', ""), id="no docstring"),
        pytest.param(changed('    """Not for everybody."""', "    # nobody"), id="docstring of a helper"),
        pytest.param(changed("  # for ever", ""), id="comment"),
        pytest.param(
            changed("return answer + verdict", "return (\n        answer\n        + verdict\n    )"),
            id="formatting",
        ),
        pytest.param(changed('"plain"', "'plain'"), id="quotes"),
        pytest.param("\n\n\n" + FLOW, id="lines moved"),
        pytest.param(changed("UNUSED = 1", "UNUSED = 2"), id="an unused constant"),
        pytest.param(changed('UNREAD["x"] = 1', 'UNREAD["x"] = 2'), id="an unused table"),
        pytest.param(changed("math.offset = 1", "math.offset = 2"), id="an attribute of an imported module"),
        pytest.param(changed("def unused() -> int:\n    return 1", ""), id="an unused helper"),
        pytest.param(changed('return f"paid {amount}"', 'return f"got {amount}"'), id="an activity's body"),
        pytest.param(changed("label=1", "label=2"), id="the label"),
        pytest.param(changed("label=1", 'label=1, on_change="wait"'), id="the policy"),
        pytest.param(
            changed("def _lowered(amount: int) -> int:\n    return amount - 1\n", "").replace(
                "LIMIT = 3", "LIMIT = 3\ndef _lowered(amount: int) -> int:\n    return amount - 1\n"
            ),
            id="a helper moved",
        ),
    ],
)
def test_changes_without_meaning_keep_the_version(text: str, hash_of: Callable[[str], str]) -> None:
    """C8, CMP36, VRG2."""
    assert hash_of(text) == hash_of(FLOW)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(changed("answer + verdict", "verdict + answer"), id="body"),  # CMP37
        pytest.param(FLOW.replace("_lowered", "_cut"), id="a helper's name"),  # VRG3
        pytest.param(changed("amount - 1", "amount - 2"), id="a helper of a helper"),
        pytest.param(changed("LIMIT = 3", "LIMIT = 4"), id="a constant a helper reads"),
        pytest.param(changed('RATES["fancy"] = 1', 'RATES["fancy"] = 3'), id="an entry of a table"),
        pytest.param(changed("gift=2", "gift=3"), id="an entry added by a call"),
        pytest.param(changed("1.21", "1.19"), id="a method"),
        pytest.param(changed('"plain"', '"fancy"'), id="a default"),
        pytest.param(changed('"plain"', 'b"plain"'), id="the type of a constant"),
        pytest.param(changed('"content.charge"', '"content.charge2"'), id="which activity"),
        pytest.param(changed('"content.approval"', '"content.consent"'), id="which signal"),
        pytest.param(changed("import math\n", "import cmath as math\n"), id="an import"),
        pytest.param(
            changed("async def flow(", "async def other(") + "\nflow = other\n", id="the function's own name"
        ),
    ],
)
def test_changes_of_meaning_make_another_version(text: str, hash_of: Callable[[str], str]) -> None:
    """CMP37, VRG3."""
    assert hash_of(text) != hash_of(FLOW)


def test_a_hash_is_thirty_two_hexadecimal_digits(hash_of: Callable[[str], str]) -> None:
    found = hash_of(FLOW)
    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")


def made(limit: int, helper: Callable[[int], int]) -> Workflow[[int], int]:
    """Return a workflow defined inside a function, with closure variables."""

    @workflow(name="content.made")
    async def flow(amount: int) -> int:
        return min(helper(amount), limit)

    return flow


def test_closure_variables_of_a_nested_workflow_count() -> None:
    def double(amount: int) -> int:
        return amount * 2

    def treble(amount: int) -> int:
        return amount * 3

    assert made(1, double).version_hash == made(1, double).version_hash
    versions = {made(limit, helper).version_hash for limit in (1, 2) for helper in (double, treble)}
    assert len(versions) == 4


@activity(name="content.replaced")
async def replaced(amount: int) -> int:
    return amount


@workflow(name="content.of_replaced")
async def of_replaced(amount: int) -> int:
    return await replaced(amount)


def test_a_workflow_has_a_version_while_a_mock_replaces_its_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "replaced", AsyncMock(spec=replaced, return_value=7))
    assert len(content_hash(of_replaced.fn, of_replaced.source)) == 32


@activity(name="content.twice")
async def twice(amount: int) -> int:
    return amount * 2


def using(held: object) -> Workflow[[], str]:
    """Return a workflow whose closure holds an object."""

    @workflow(name="content.using")
    async def flow() -> str:
        return str(held)

    return flow


@pytest.mark.parametrize(
    ("held", "name"),
    [
        (continuum.log, "_ReplayAwareLogger"),
        (twice.bind(1), "Deferred"),
        (twice.options(priority=1), "ConfiguredActivity"),
        (continuum.Retry(), "Retry"),
        (continuum.sleep, "sleep"),
    ],
)
def test_the_file_that_holds_one_of_our_names_is_not_part_of_the_version(held: object, name: str) -> None:
    flow = using(held)
    assert flow.source is not None
    definition = definition_of(flow.fn, flow.source)
    assert definition is not None
    assert list(reachable_form(flow.fn, flow.source, definition))[-1] == f"\nheld: continuum.{name}"


def test_a_local_name_hides_that_of_the_module(hash_of: Callable[[str], str]) -> None:
    text = changed("    answer = await", "    UNUSED = amount\n    answer = await").replace(
        "answer + verdict", "answer + verdict + str(UNUSED)"
    )
    assert hash_of(text) == hash_of(text.replace("UNUSED = 1", "UNUSED = 2"))


def test_mutually_recursive_helpers_end() -> None:
    assert even_flow.version_hash != odd_flow.version_hash


def is_even(number: int) -> bool:
    return number == 0 or is_odd(number - 1)


def is_odd(number: int) -> bool:
    return number != 0 and is_even(number - 1)


@workflow(name="content.even")
async def even_flow(number: int) -> bool:
    return is_even(number)


@workflow(name="content.odd")
async def odd_flow(number: int) -> bool:
    return is_odd(number)


@activity(name="content.touch")
async def touch() -> None:
    """Touch."""


def test_splitting_the_text_of_an_f_string_changes_nothing() -> None:
    """Pythons split it in different places."""
    hole = ast.FormattedValue(ast.Name("x", ast.Load()), -1)
    cut = ast.JoinedStr([ast.Constant("a"), ast.Constant("b"), hole, ast.Constant("")])
    whole = ast.JoinedStr([ast.Constant("ab"), hole])
    forms = NormalForm(), NormalForm()
    for form, tree in zip(forms, (cut, whole), strict=True):
        form.write(tree)
    assert forms[0].parts == forms[1].parts


def test_a_decorator_that_wraps_workflow_is_part_of_the_code(hash_of: Callable[[str], str]) -> None:
    own = "import functools\n@functools.wraps(workflow)\ndef own(fn):\n    return workflow(fn)\n"
    text = FLOW.replace('@workflow(name="content.flow", label=1)', f"{own}\n@own")
    assert hash_of(text) != hash_of(text.replace("return workflow(fn)", "return workflow(name='x')(fn)"))


def without_source(text: str) -> Workflow[..., Any]:
    """Return a workflow without source, as defined at a prompt."""
    namespace: dict[str, Any] = {"workflow": workflow, "touch": touch, "__name__": "nowhere"}
    exec(text, namespace)
    flow: Workflow[..., Any] = namespace["flow"]
    return flow


PROMPT = """
def helper(): return 1
@workflow(name="content.prompt")
async def flow():
    await touch()
    return helper() in {"a", "b", "c"}
"""


def test_code_without_source_has_versions_too() -> None:
    assert without_source(PROMPT).version_hash == without_source(PROMPT).version_hash
    assert without_source(PROMPT.replace("return 1", "return 2")).version_hash != (
        without_source(PROMPT).version_hash
    )
    assert without_source(PROMPT.replace('"a"', '"z"')).version_hash != without_source(PROMPT).version_hash


def test_editing_a_file_does_not_change_the_loaded_version(tmp_path: Path) -> None:
    text = "from continuum import workflow\n\n@workflow\nasync def flow():\n    return 1\n"
    module = module_of(text, tmp_path)
    loaded: Workflow[..., Any] = module.flow
    Path(str(module.__file__)).write_text(text.replace("return 1", "return 2"), encoding="utf-8")
    assert loaded.version_hash == module_of(text, tmp_path).flow.version_hash
