"""Sets, module state, and exception handlers around effects."""

from __future__ import annotations

import pytest

from tests.unit.scanner.snippets import codes, found


@pytest.mark.parametrize(
    "body",
    [
        "for name in {'a', 'b'}:\n    await step(1)",
        "return [name for name in {'a', 'b'}]",
        "return {name: 1 for name in set(names)}",
        "return {await step(n) for n in set(names)}",
        "return list(set(names))",
        "return tuple(frozenset(names))",
        "return ','.join({name for name in names})",
        "return [*set(names)]",
        "return max(*set(names))",
        "first, second = set(names)\nreturn first",
        "chosen = set(names)\nfor name in chosen:\n    await step(1)",
        "chosen = set(names) | {'a'}\nreturn list(chosen)",
        "chosen = set(names)\nreturn list(chosen.difference(names))",
        "chosen: set[str] = given()\nreturn list(chosen)",
        "chosen = set(names)\nreturn chosen.pop()",
        "return next(iter(set(names)))",
        "return list(enumerate(unique))",
        "return list(order.tags)",
        "return list(map(str, unique))",
        "return list({'a': 1}.keys() - names)",
        "return str(set(names))",
        "ordered = []\nordered.extend(set(names))\nreturn ordered",
        "if (chosen := set(names)):\n    return list(chosen)",
        "for name in listed():\n    await step(1)",
        "for name in await fetched():\n    await step(1)",
        "for name in Seen().names:\n    await step(1)",
        "return Seen().listed()",
        "names_of = set()\nnames_of.add('a')\nreturn list(names_of)",
    ],
)
def test_iterating_a_set_is_refused(body: str) -> None:
    above = """
class Order:
    tags: frozenset[str]
class Seen:
    def __init__(self):
        self.names = set()
        self.more: set[str] = set()
    def listed(self):
        return list(self.more)
def given():
    return set()
def listed() -> set[str]:
    return given()
@activity
async def fetched() -> set[str]:
    return given()
"""
    assert codes(body, above, "names: list[str], unique: set[str], order: Order") == ["CT303"]


@pytest.mark.parametrize(
    "body",
    [
        "return sorted({'a', 'b'})",
        "return sorted(name for name in set(names))",
        "return {name.upper() for name in set(names)}",
        "return len(set(names)), 'a' in unique, any(name for name in unique)",
        "chosen = set(names)\nreturn [name for name in names if name in chosen]",
        "chosen = set(names)\nchosen = sorted(chosen)\nreturn list(chosen)",
        "return set(names) == unique",
        "return list(dict.fromkeys(names))",
        "for name in {'a': 1}:\n    await step(1)",
        "done, _ = await asyncio.wait({asyncio.create_task(step(1))})\nreturn [one.result() for one in done]",
        "return await asyncio.gather(*{asyncio.create_task(step(1)), asyncio.create_task(step(2))})",
        "tasks = {asyncio.create_task(step(n)) for n in range(3)}\nreturn await asyncio.gather(*tasks)",
        "tasks = set()\ntasks.add(asyncio.create_task(step(1)))\nawait asyncio.gather(*tasks)",
        "tasks = set()\ntask = asyncio.create_task(step(1))\ntasks.add(task)\nawait asyncio.gather(*tasks)",
        "tasks: set[asyncio.Task[int]] = set()\nfor task in tasks:\n    await task",
    ],
)
def test_a_set_whose_order_does_not_matter_is_accepted(body: str) -> None:
    assert codes(body, parameters="names: list[str], unique: set[str]") == []


STATE = """
    from collections import defaultdict, deque
    from itertools import count
    LOCK = asyncio.Lock()
    NUMBERS = count()
    SEEN = []
    COUNTS = defaultdict(int)
    LIMITS = {"a": 1}
    TOTAL = 0
    class Settings:
        debug = False
        names = []
        @classmethod
        def turn_on(cls):
            cls.debug = True
    settings = Settings()
    LIMITS["b"] = 2
"""


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("SEEN.append(1)", "SEEN.append()"),
        ("COUNTS['a'] += 1", "COUNTS['a']"),
        ("del COUNTS['a']", "COUNTS['a']"),
        ("SEEN[0], other = 1, 2", "SEEN[0]"),
        ("global TOTAL\nTOTAL = 1", "TOTAL"),
        ("global TOTAL\nTOTAL += 1", "TOTAL"),
        ("def count():\n    global TOTAL\n    TOTAL = 1\ncount()", "TOTAL"),
        ("Settings.debug = True", "Settings.debug"),
        ("settings.debug = True", "settings.debug"),
        ("asyncio.thing = 1", "asyncio.thing"),
        ("LIMITS.setdefault('a', []).append(1)", "LIMITS.setdefault()"),
        ("Settings.names.append(1)", "Settings.names.append()"),
        ("Settings.turn_on()", "cls.debug"),
    ],
)
def test_changed_state_of_the_module_is_refused(body: str, part: str) -> None:
    findings = found(body, STATE)
    assert "CT301" in {one.code for one in findings}
    assert any(one.message.startswith(part) for one in findings)


@pytest.mark.parametrize(
    "body",
    [
        "return LIMITS['a'], [*SEEN], TOTAL, Settings.debug",
        "lock = asyncio.Lock()\nasync with lock:\n    await step(1)",
        "SEEN = []\nSEEN.append(1)\nreturn SEEN",
        "settings = Settings()\nsettings.debug = True\nreturn settings",
        "values = list(SEEN)\nvalues.append(1)\nvalues[0] = 3\nreturn values",
        "total = 0\ndef count():\n    nonlocal total\n    total += 1\ncount()\nreturn total",
    ],
)
def test_constants_and_the_runs_own_state_are_accepted(body: str) -> None:
    assert codes(body, STATE) == []


@pytest.mark.parametrize(
    "change",
    [
        "@activity\ndef note():\n    SEEN.append(1)",
        "def note():\n    SEEN[0] = 1",
        "def note():\n    global SEEN\n    SEEN = [1]",
        "class Notes:\n    def add(self):\n        SEEN.clear()",
    ],
)
def test_reading_state_that_other_code_changes_is_refused(change: str) -> None:
    assert codes("return len(SEEN)", f"SEEN = []\n{change}") == ["CT302"]


@pytest.mark.parametrize("body", ["async with LOCK:\n    await step(1)", "return next(NUMBERS)"])
def test_a_stateful_object_of_the_module_is_refused(body: str) -> None:
    (finding,) = found(body, STATE)
    assert finding.code == "CT302"
    assert "for all runs, is state that outlives the run" in finding.message


def test_a_local_name_of_another_function_is_not_module_state() -> None:
    assert codes("return len(SEEN)", "SEEN = []\ndef other():\n    SEEN = {}\n    SEEN['a'] = 1") == []


def handled(handler: str, effect: str = "await step(1)", last: str = "pass") -> str:
    return f"try:\n    {effect}\n{handler}\n    {last}\n"


@pytest.mark.parametrize(
    "handler",
    [
        "except:",
        "except BaseException:",
        "except BaseException as error:",
        "except (ValueError, BaseException):",
        "except* BaseException:",
        "except Everything:",
    ],
)
def test_a_handler_that_swallows_everything_is_refused(handler: str) -> None:  # SLK4, SLK5, SLK6, SLK8
    (finding,) = found(handled(handler), "Everything = BaseException")
    assert finding.code == "CT401"
    assert "catch `Exception`" in finding.message


@pytest.mark.parametrize(
    "effect",
    [
        "await step(1)",
        "continuum.now()",
        "async with continuum.saga():\n        pass",
        "continuum.side_effect(read)",
    ],
)
def test_every_point_where_the_engine_can_raise_is_an_effect(effect: str) -> None:
    assert codes(handled("except BaseException:", effect), "def read():\n    return 1") == ["CT401"]


def test_a_handler_around_no_effect_is_accepted() -> None:
    assert codes(handled("except BaseException:", "int('a')")) == []


@pytest.mark.parametrize(
    "last",
    [
        "raise",
        "await undo(1)\n    raise",
        "if 1:\n        raise\n    else:\n        raise",
        "with x:\n        raise",
    ],
)
def test_a_handler_that_reraises_is_accepted(last: str) -> None:  # SLK3
    assert codes(handled("except BaseException:", last=last), parameters="x: Order") == []


@pytest.mark.parametrize(
    "last", ["raise ValueError", "if 1:\n        raise", "if 1:\n        return 1\n    raise", "return 1"]
)
def test_a_handler_that_may_not_reraise_is_refused(last: str) -> None:  # SLK1, SLK2
    assert codes(handled("except BaseException:", last=last)) == ["CT401"]


def test_each_handler_is_reported_once() -> None:  # SLK7, SLK9
    inner = "try:\n        await step(1)\n    except BaseException:\n        pass"
    assert codes(handled("except BaseException:", inner)) == ["CT401", "CT401"]


@pytest.mark.parametrize(
    "body",
    [
        handled("except Exception:"),
        handled("except (ValueError, continuum.ActivityError):"),
        handled("finally:", last="await undo(1)"),
        handled("except Exception:") + "finally:\n    await undo(1)\n",
        handled("except TimeoutError:", last="return 1"),
    ],
)
def test_ordinary_handlers_are_accepted(body: str) -> None:  # SLK10, SLK11, SLK12
    assert codes(body) == []


def test_a_swallowed_cancellation_is_a_warning() -> None:
    (finding,) = found(handled("except asyncio.CancelledError:"))
    assert (finding.code, finding.severity) == ("CT402", "warning")


@pytest.mark.parametrize(
    ("suppressed", "expected"),
    [("BaseException", ["CT401"]), ("asyncio.CancelledError", ["CT402"]), ("ValueError", [])],
)
def test_suppress_is_a_handler(suppressed: str, expected: list[str]) -> None:
    body = f"with contextlib.suppress({suppressed}):\n    await step(1)"
    assert codes(body, "import contextlib") == expected


@pytest.mark.parametrize("last", ["return 1", "if 1:\n        return 1", "for n in [1]:\n        return n"])
def test_leaving_a_finally_block_is_refused(last: str) -> None:
    assert codes(handled("finally:", last=last)) == ["CT403"]


def test_leaving_a_loop_inside_a_finally_block_is_accepted() -> None:
    assert codes(handled("finally:", last="for n in [1]:\n        break")) == []
