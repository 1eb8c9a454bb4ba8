"""Every rule refuses its offences at their place, and accepts the code that it recommends instead."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import continuum
from continuum.client import default_instance
from continuum.scanner.denied_names import ALLOWED, DENIED
from continuum.scanner.findings import Severity
from continuum.scanner.rules import CLIENT, RULES, UNTRUSTED, Rule
from continuum.scanner.standard_library import FREE
from tests.unit.scanner.snippets import codes, flow, found, place, scanned

DOCUMENT = Path(__file__).parents[3] / "docs" / "determinism.md"

# Code, the imports it needs, and the offending part, which is the place of the finding.
OFFENCES: tuple[tuple[str, str, str], ...] = (
    ("CT101", "import time", "time.time"),
    ("CT101", "import time", "time.time_ns"),
    ("CT101", "import time", "time.monotonic"),
    ("CT101", "import time", "time.perf_counter_ns"),
    ("CT101", "import time", "time.process_time"),
    ("CT101", "import time", "time.localtime"),
    ("CT101", "import timeit", "timeit.default_timer"),
    ("CT101", "", "datetime.now"),
    ("CT101", "", "datetime.utcnow"),
    ("CT101", "", "datetime.today"),
    ("CT101", "", "date.today"),
    ("CT102", "", "random.random"),
    ("CT102", "", "random.choice"),
    ("CT102", "", "random.SystemRandom"),
    ("CT102", "", "random.seed"),
    ("CT102", "import secrets", "secrets.token_hex"),
    ("CT102", "import os", "os.urandom"),
    ("CT102", "import numpy as np", "np.random.default_rng"),
    ("CT103", "import uuid", "uuid.uuid1"),
    ("CT103", "import uuid", "uuid.uuid4"),
    ("CT104", "import os", "os.getenv"),
    ("CT104", "import os", "os.environ.get"),
    ("CT104", "import os", "os.getpid"),
    ("CT104", "import os", "os.cpu_count"),
    ("CT104", "import sys", "sys.argv.copy"),
    ("CT104", "import platform", "platform.node"),
    ("CT104", "import socket", "socket.gethostname"),
    ("CT104", "import contextvars", "contextvars.ContextVar('x').get"),
    ("CT104", "import gc", "gc.collect"),
    ("CT105", "", "datetime.fromtimestamp"),
    ("CT106", "", "id"),
    ("CT106", "", "hash"),
    ("CT201", "", "open"),
    ("CT201", "import io", "io.open"),
    ("CT201", "import os", "os.listdir"),
    ("CT201", "import os", "os.path.exists"),
    ("CT201", "import shutil", "shutil.rmtree"),
    ("CT201", "import tempfile", "tempfile.mkdtemp"),
    ("CT201", "from pathlib import Path", "Path('a').read_text"),
    ("CT201", "from pathlib import Path", "(Path('a') / 'b').mkdir"),
    ("CT201", "from pathlib import Path", "Path.cwd"),
    ("CT202", "import socket", "socket.socket"),
    ("CT202", "import ssl", "ssl.create_default_context"),
    ("CT202", "import urllib.request", "urllib.request.urlopen"),
    ("CT202", "import http.client", "http.client.HTTPConnection"),
    ("CT202", "import requests", "requests.get"),
    ("CT202", "import httpx", "httpx.AsyncClient"),
    ("CT202", "import aiohttp", "aiohttp.ClientSession"),
    ("CT203", "import sqlite3", "sqlite3.connect"),
    ("CT203", "import psycopg", "psycopg.connect"),
    ("CT203", "import redis", "redis.Redis"),
    ("CT204", "import subprocess", "subprocess.run"),
    ("CT204", "import os", "os.system"),
    ("CT204", "import os", "os.kill"),
    ("CT205", "import threading", "threading.Timer"),
    ("CT205", "import threading", "threading.Thread"),
    ("CT205", "import threading", "threading.Lock"),
    ("CT205", "import multiprocessing", "multiprocessing.Process"),
    ("CT205", "import concurrent.futures", "concurrent.futures.ThreadPoolExecutor"),
    ("CT205", "", "asyncio.to_thread"),
    ("CT205", "", "asyncio.get_running_loop().run_in_executor"),
    ("CT206", "import anyio", "anyio.sleep"),
    ("CT206", "import trio", "trio.open_nursery"),
    ("CT206", "", "asyncio.run"),
    ("CT206", "", "asyncio.open_connection"),
    ("CT206", "", "asyncio.start_server"),
    ("CT206", "", "asyncio.create_subprocess_exec"),
    ("CT206", "", "asyncio.run_coroutine_threadsafe"),
    ("CT206", "", "asyncio.new_event_loop"),
    ("CT206", "", "asyncio.get_running_loop().create_connection"),
    ("CT207", "import time", "time.sleep"),
    ("CT208", "", "print"),
    ("CT208", "import logging", "logging.info"),
    ("CT208", "import logging", "logging.getLogger"),
    ("CT208", "import warnings", "warnings.warn"),
    ("CT208", "import sys", "sys.stdout.write"),
    ("CT209", "", "input"),
    ("CT209", "", "breakpoint"),
    ("CT209", "import sys", "sys.stdin.readline"),
    ("CT210", "", "continuum.start"),
    ("CT210", "", "continuum.signal"),
    ("CT210", "", "continuum.cancel"),
    ("CT210", "", "continuum.connect"),
    ("CT210", "import continuum.node.launcher", "continuum.node.launcher.run_node"),
    ("CT501", "", "eval"),
    ("CT501", "", "exec"),
    ("CT501", "", "compile"),
    ("CT501", "", "__import__"),
    ("CT501", "", "globals"),
    ("CT501", "", "locals"),
    ("CT501", "", "vars"),
    ("CT501", "import importlib", "importlib.import_module"),
)
# Offences that are statements.
STATEMENTS: tuple[tuple[str, str, str, str], ...] = (
    ("CT301", "SEEN: list[int] = []", "SEEN.append(1)", "SEEN.append"),
    ("CT302", "SEEN = {}\n\ndef note():\n    SEEN['a'] = 1", "return SEEN['a']", "SEEN"),
    ("CT303", "", "for name in {'a', 'b'}:\n    await step(1)", "{'a', 'b'}"),
    ("CT401", "", "try:\n    await step(1)\nexcept BaseException:\n    return 1", "except BaseException"),
    (
        "CT402",
        "",
        "try:\n    await step(1)\nexcept asyncio.CancelledError:\n    return 1",
        "except asyncio.CancelledError",
    ),
    ("CT403", "", "try:\n    await step(1)\nfinally:\n    return 1", "return 1"),
    ("CT404", "", "continuum.side_effect(lambda: step(1))", "step(1)"),
    ("CT406", "", "await step(1)\nawait continuum.compensate_all()", "continuum.compensate_all"),
    ("CT407", "", "step(1)\nreturn await step(2)", "step(1)"),
    ("CT502", "", "given(1)", "given(1)"),
    ("CT503", "import rules_of_theirs", "rules_of_theirs.price(1)", "rules_of_theirs.price"),
)


@pytest.mark.parametrize(("code", "imports", "name"), OFFENCES, ids=[name for _, _, name in OFFENCES])
def test_a_call_is_refused_at_its_place(code: str, imports: str, name: str) -> None:
    """AST2, AST3, AST5, AST8, AST9, AST10, AST11, AST14, AST16, AST19, AST20, AST23, AST27, AST30, AST35,
    AST36, CMP7, CMP10, CMP11, CMP13, CMP14.
    """
    text = flow(f"return {name}('a')", imports)
    first, *others = scanned(text)
    assert (first.code, (first.line, first.column), first.severity) == (
        code,
        place(text, name),
        Severity.ERROR,
    )
    assert not [other for other in others if (other.line, other.column) == (first.line, first.column)]


@pytest.mark.parametrize(("code", "above", "body", "part"), STATEMENTS, ids=[one[0] for one in STATEMENTS])
def test_a_statement_is_refused_at_its_place(code: str, above: str, body: str, part: str) -> None:
    text = flow(body, above, parameters="given")
    assert [(one.code, (one.line, one.column)) for one in scanned(text)] == [(code, place(text, part))]


def test_every_rule_has_an_offence() -> None:
    tested = {code for code, *_ in (*OFFENCES, *STATEMENTS)} | {"CT405"}
    assert tested == {rule.code for rule in RULES}


@pytest.mark.parametrize("moment", ["continuum.now()", "(continuum.now() - timedelta(days=1))", "due"])
def test_a_datetime_without_a_zone_depends_on_the_host(moment: str) -> None:
    assert codes(f"return {moment}.astimezone()", parameters="due: datetime") == ["CT105"]
    assert (
        codes(f"return {moment}.astimezone(UTC), {moment}.astimezone(tz=UTC)", parameters="due: datetime")
        == []
    )


def test_a_fold_over_items_is_accepted() -> None:  # AST1
    assert codes("return sum(item for item in items) + max(items)", parameters="items: list[int]") == []


def test_a_finding_names_the_call_the_replacement_and_the_file() -> None:  # AST2, CMP5
    (finding,) = found("return datetime.now(UTC)")
    assert "datetime.datetime.now()" in finding.message
    assert "`continuum.now()`" in finding.message
    assert finding.file == "flows.py"


def test_a_finding_is_one_line_with_place_code_and_replacement() -> None:  # AST40
    (finding,) = found("return datetime.now(UTC)")
    assert re.fullmatch(r"flows\.py:\d+:\d+ CT101 .+; use `continuum\.now\(\)`", str(finding))


def test_random_choices_are_reported_in_the_order_of_the_text() -> None:  # AST4, CMP6
    findings = found(
        """
        a = random.choice(items)
        b = [random.sample(items, 2) for _ in items]
        c = sorted(items, key=lambda item: random.random())
        random.shuffle(items)
        """,
        parameters="items: list[int]",
    )
    assert [one.code for one in findings] == ["CT102"] * 4
    assert [one.line for one in findings] == sorted(one.line for one in findings)
    assert all("continuum.random()" in one.message for one in findings)


@pytest.mark.parametrize(
    "level", ["debug", "info", "warning", "error", "critical", "exception", "log", "addHandler", "setLevel"]
)
def test_a_logger_of_the_module_is_refused(level: str) -> None:  # AST5, AST7, CMP8
    (finding,) = found(f"logger.{level}('text')", "import logging\nlogger = logging.getLogger(__name__)")
    assert finding.code == "CT208"
    assert "`continuum.log.info('text')`" in finding.message


def test_a_more_precise_hint_replaces_that_of_the_module() -> None:  # AST11, B75
    (finding,) = found("import time\nreturn time.monotonic()")
    assert "subtract two `continuum.now()`" in finding.message


@pytest.mark.parametrize(
    "expression",
    [
        "io.StringIO('a').getvalue()",
        "os.path.join('a', 'b')",
        "os.sep",
        "Path('a') / 'b'",
        "Path('a').with_suffix('.txt').name",
        "uuid.UUID(int=1)",
        "uuid.uuid5(uuid.NAMESPACE_URL, 'a')",
        "datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1)",
        "datetime.fromisoformat('2026-01-01')",
        "date(2026, 1, 1).isoformat()",
        "json.dumps({'a': 1})",
        "re.sub('a', 'b', 'c')",
        "Decimal('1.0').quantize(Decimal('1'))",
        "statistics.mean([1, 2])",
        "hash(7)",
        "random.Random(7).random()",
        "getattr(items, 'copy')()",
        "secrets.compare_digest('a', 'b')",
        "socket.AF_INET",
        "time.strptime('2026', '%Y')",
        "asyncio.Queue[int]()",
        "asyncio.current_task()",
        "asyncio.get_running_loop().time()",
        "urllib.parse.quote('a')",
    ],
)
def test_pure_parts_of_a_denied_module_are_accepted(expression: str) -> None:  # AST15, CMP45
    above = "import io, os, re, secrets, socket, statistics, time, urllib.parse, uuid\n"
    above += "from decimal import Decimal\nfrom pathlib import Path"
    assert codes(f"return {expression}", above, "items: list[int]") == []


def test_exceptions_of_denied_modules_may_be_caught() -> None:
    body = """
        try:
            await step(1)
        except (subprocess.CalledProcessError, socket.timeout, sqlite3.Error) as error:
            return isinstance(error, subprocess.TimeoutExpired)
    """
    assert codes(body, "import socket, sqlite3, subprocess") == []


def test_two_offences_in_one_body_are_both_reported() -> None:  # AST29
    assert codes("return datetime.now(UTC), random.random()") == ["CT101", "CT102"]


def test_an_offence_in_a_guard_is_reported() -> None:  # AST22, CMP15, B75
    body = """
        match given:
            case int() if random.random() > given:
                return 1
        return [one for one in given if open(one)]
    """
    assert codes(body, parameters="given: list[str]") == ["CT102", "CT201"]


def test_ordinary_guards_are_accepted() -> None:  # CMP20
    body = """
        match given:
            case int() if given > 3 and len(str(given)) < 9:
                return 1
    """
    assert codes(body, parameters="given: int") == []


@pytest.mark.parametrize("name", sorted(DENIED))
def test_every_denied_name_has_a_rule_and_a_hint(name: str) -> None:  # AST41
    rule, instead = DENIED[name]
    assert rule in RULES
    assert (instead or rule.instead).strip()
    assert name not in ALLOWED


def test_free_names_are_module_names() -> None:  # AST42
    assert all(part.isidentifier() for name in FREE for part in name.split("."))


def recommended() -> list[str]:
    """Every piece of code that a message recommends."""
    hints = [rule.instead for rule in RULES] + [hint for _, hint in DENIED.values() if hint]
    return sorted(
        {code for hint in hints for code in re.findall(r"`([^`]+)`", hint)} - {"Exception", "raise"}
    )


@pytest.mark.parametrize("replacement", recommended())
def test_recommended_code_is_accepted(replacement: str) -> None:  # AST25, AST26, B78
    body = f"return {replacement}"
    given = "names: list[str], items: list[int], seconds: float, moment: datetime, data: bytes, text: str"
    above = "\n\ndef read() -> str:\n    return open('a').read()\n"
    assert [str(one) for one in found(body, above, given)] == []


def test_code_recommended_in_words_is_accepted() -> None:  # AST25, AST26
    body = """
        values: list[int] = []
        values.append(await impure(1))
        try:
            values.append(await step(2))
        except Exception:
            values.append(3)
        try:
            await step(3)
        except BaseException:
            await undo(3)
            raise
        except asyncio.CancelledError:
            raise
        with suppress(Exception):
            await step(4)
        return sum(values), (continuum.now() - continuum.now()).total_seconds()
    """
    above = """
        import time
        from contextlib import suppress

        @activity
        def impure(number: int) -> int:
            print(time.time(), open("a").read())
            return number
    """
    assert [str(one) for one in found(body, above)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_is_documented(rule: Rule) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("| CT")
    ]
    severity = "warning, or error" if rule is UNTRUSTED else str(rule.severity)
    assert [rule.code, rule.title, severity, rule.instead] in rows
    assert len(rows) == len(RULES)


@pytest.mark.parametrize("call", ["set_attributes({'step': given})", "set_attributes(dict(step=1))"])
def test_a_workflow_may_set_attributes_of_its_own_run(call: str) -> None:
    assert codes(f"continuum.{call}") == []


def test_a_side_effect_may_not_set_attributes() -> None:
    assert codes("continuum.side_effect(lambda: continuum.set_attributes({'a': 1}))") == ["CT404"]


def test_a_workflow_may_not_set_attributes_of_another_run() -> None:
    assert codes("await continuum.set_attributes('id', {'a': 1})") == ["CT210"]


def test_a_workflow_calls_no_function_of_the_default_instance() -> None:
    calls = {
        name
        for name, value in vars(default_instance).items()
        if inspect.isfunction(value)
        and value.__code__.co_filename == default_instance.__file__
        and name in continuum.__all__
    }
    assert {"start", "events", "unblock"} <= calls
    assert [name for name in sorted(calls) if DENIED.get(f"continuum.{name}", (None,))[0] != CLIENT] == []
