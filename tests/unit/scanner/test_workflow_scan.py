"""A scan finds every way to do what is denied, and accepts harmless lookalikes."""

from __future__ import annotations

import pytest

from tests.unit.scanner.clock_reads import CLOCK_READS, HARMLESS
from tests.unit.scanner.snippets import codes, flow, found, place, scanned


@pytest.mark.parametrize("name", CLOCK_READS)
def test_every_way_to_read_a_clock_is_found(name: str) -> None:
    """C16, AST18, AST21, AST33, AST37, CMP6, CMP17, CMP19, CMP22, CMP23, B73, B74."""
    case = CLOCK_READS[name]
    text = flow(case.body, case.above)
    line, column = place(text, case.last)
    assert ("CT101", line, column) in [(one.code, one.line, one.column) for one in scanned(text)]
    assert {one.code for one in scanned(text)} == {"CT101"}


OWN = """
class Watch:
    def time(self):
        return 1
class Clock(Watch): ...
class Order:
    open: bool
"""


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless_lookalikes_are_accepted(case: str) -> None:
    """AST31, AST34, CMP24, CMP47, CMP48."""
    above, body, parameters = HARMLESS[case].above, HARMLESS[case].body, HARMLESS[case].last
    assert [str(one) for one in found(body, above + OWN, parameters)] == []


def test_a_finding_in_a_helper_names_the_calls_that_lead_there() -> None:  # CMP17
    above = "import time\ndef _one():\n    return _two()\ndef _two():\n    return time.time()"
    (finding,) = found("return _one()", above)
    assert finding.message.endswith("(in _two, called from _one, from flow)")


def test_helpers_that_call_each_other_are_scanned_once() -> None:
    above = "import time\ndef ping():\n    return pong()\ndef pong():\n    return time.time(), ping()"
    assert codes("return ping(), pong()", above) == ["CT101"]


def test_other_workflows_of_the_module_are_reported_once() -> None:
    above = (
        "import time\n@workflow(name=f'{time.time()}')\nasync def other() -> float:\n    return time.time()"
    )
    assert codes("return await other()", above) == ["CT101"]


def test_self_referential_names_end() -> None:
    body = """
        value = value / 2
        other = value or other
        value = other if other else value
        return value.thing()
    """
    assert codes(body) == []


@pytest.mark.parametrize(
    "producer",
    [
        "lambda: time.time()",
        "time.time",
        "partial(os.getenv, 'A')",
        "read",
        "lambda: open('a').read()",
        "lambda: uuid.uuid4().hex",
        "lambda: random.random()",
        "lambda: list({'a', 'b'})",
        "lambda: COUNTS['a']",
        "lambda: theirs.read()",
    ],
)
def test_a_producer_of_side_effect_may_read(producer: str) -> None:
    """C16"""
    above = """
        import os, time, uuid
        from functools import partial
        import theirs

        COUNTS = {}

        def read():
            COUNTS['a'] = 1
            return os.environ["HOME"], time.time()
    """
    body = f"return continuum.side_effect({producer})"
    assert [one for one in codes(body, above) if one != "CT301"] == []


@pytest.mark.parametrize(
    ("producer", "code"),
    [
        ("lambda: step(1)", "CT404"),
        ("lambda: child(1)", "CT404"),
        ("lambda: continuum.now()", "CT404"),
        ("lambda: continuum.side_effect(lambda: 1)", "CT404"),
        ("helper", "CT404"),
        ("lambda: requests.get('a')", "CT202"),
        ("lambda: time.sleep(1)", "CT207"),
        ("lambda: subprocess.run('a')", "CT204"),
    ],
)
def test_a_producer_of_side_effect_may_only_read(producer: str, code: str) -> None:
    above = "import requests, subprocess, time\n\ndef helper():\n    return step(1)"
    assert codes(f"return continuum.side_effect({producer})", above) == [code]


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ("return getattr(order, 'a' + 'b')()", "CT501", "getattr"),
        ("act = getattr(order, name)\nreturn act()", "CT501", "act()"),
        ("return getattr(asyncio, name)", "CT501", "getattr"),
        ("return order.handle(1)", "CT502", "order.handle()"),  # CMP25
        ("return order.handler.apply_rules(1)", "CT502", "order.handler.apply_rules()"),  # CMP29
        ("return order['handler'](1)", "CT502", "order['handler']()"),  # CMP32
        ("return order(1)", "CT502", "order()"),  # CMP32
        ("return table['a'](1)", "CT502", "table['a']()"),  # CMP32
        ("return list(map(order.transform, [1]))", "CT502", "order.transform"),  # CMP30
    ],
)
def test_calls_of_runtime_values_are_reported(body: str, code: str, named: str) -> None:
    """AST18, CMP12, CMP25, CMP29, CMP30, CMP32."""
    (finding,) = found(body, parameters="order, name: str, table: dict[str, str]")
    assert finding.code == code
    assert finding.message.startswith(named)


@pytest.mark.parametrize(
    "body",
    [
        "return order.seed, order['a']",  # CMP31
        "return order.get('a'), order.items()",
        "return (lambda n: n + 1)(1)",  # CMP33
        "double = lambda n: n * 2\nreturn double(1)",  # CMP34
        "def twice(act):\n    return act(act(1))\nreturn twice(lambda n: n)",
        "return typed.total()",
        "return getattr(order, name)",
        "return ' '.join(name.split()).strip().title()",  # CMP28
    ],
)
def test_reading_values_and_calling_local_functions_is_accepted(body: str) -> None:
    """CMP28, CMP31, CMP33, CMP34."""
    assert codes(body, parameters="order, name: str, typed: Order", above="from shop import Order") == []


def test_a_line_may_allow_a_rule_by_its_code() -> None:
    body = """
        print("a")  # continuum: allow CT208 - the reason
        print(datetime.now(UTC))  # noqa: T201; continuum: allow CT208, CT101
        print("b")  # continuum: allow CT101
        values = [
            1,  # continuum: allow CT101
            random.random(),
        ]
    """
    assert [(one.code, one.line) for one in found(body)] == [
        ("CT208", place(flow(body), 'print("b")')[0]),
        ("CT102", place(flow(body), "random.random()")[0]),
    ]


def test_an_undeclared_signal_is_refused() -> None:  # SIG3
    text = flow(
        """
        await go.wait()
        await continuum.wait_signal("go")
        await stop.wait()
        await continuum.wait_signal("pause", timeout=3)
        """,
        'go, stop = Signal("go", str), Signal("stop", str)',
    ).replace("@workflow\nasync def flow", "@workflow(signals=[go])\nasync def flow")
    assert [(one.code, one.line) for one in scanned(text)] == [
        ("CT405", place(text, "stop.wait")[0]),
        ("CT405", place(text, 'wait_signal("pause"')[0]),
    ]


def test_a_workflow_that_declares_no_signals_accepts_any() -> None:  # SIG3
    assert codes('return await continuum.wait_signal("go")') == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("await step(1)\nawait continuum.compensate_all()", ["CT406"]),  # CMP49
        ("await helper()\nawait continuum.compensate_all()", ["CT406"]),  # CMP51
        ("await step.options(compensate=undo.bind(1))(1)\nawait continuum.compensate_all()", []),  # CMP50
        ("await step.options(**given)(1)\nawait continuum.compensate_all()", []),  # CMP52
        ("await step.options(compensate=None)(1)\nawait continuum.compensate_all()", []),  # CMP53
        ("await step(1)", []),
        ("await continuum.compensate_all()", []),
    ],
)
def test_compensate_all_with_nothing_to_undo_is_reported(body: str, expected: list[str]) -> None:
    """CMP49, CMP50, CMP51, CMP52, CMP53, B77."""
    above = "async def helper():\n    return await step(1)\n"
    findings = found(body, above, "given: dict[str, int]")
    assert [one.code for one in findings] == expected
    assert all("compensate=None" in one.message for one in findings)
