"""Helpers in other modules are safe, trusted or reported, by the text of files and by loaded objects."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import continuum
from continuum import DeterminismError, DeterminismWarning
from continuum.errors import InvalidDefinition, InvalidOption
from continuum.scanner.configuration import Trust
from continuum.scanner.findings import Severity
from continuum.scanner.other_modules import locate
from tests.unit.scanner.snippets import codes, found

numbers = itertools.count()
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write an importable module and return its name, which is unique to the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write_module(text: str, name: str = "") -> str:
        name = name or f"shop_{next(numbers)}"
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        importlib.invalidate_caches()
        return name

    yield write_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _reset_configuration() -> Iterator[None]:
    yield
    continuum.configure_scanner()


RULES = """
    import time
    from dataclasses import dataclass
    from enum import Enum
    from typing import NamedTuple
    import continuum
    from continuum import Signal, activity, workflow
    from time import time as clock
    import logging

    LIMITS = {"a": 1}
    logger = logging.getLogger(__name__)
    go = Signal("go", str)

    def price(n: int) -> int:
        return n

    @continuum.pure
    def tax(n: int) -> int:
        return n

    @continuum.pure
    class Money:
        def __init__(self, n: int) -> None:
            self.n = n

        @classmethod
        def of(cls, n: int) -> int:
            return n

    @dataclass
    class Order:
        n: int

        def total(self) -> int:
            return self.n

    class Kind(Enum):
        A = "a"

    class Point(NamedTuple):
        x: int

    class Declined(Exception):
        pass

    class Service:
        def call(self) -> int:
            return 1

    service = Service()

    @activity(name="helpers.charge.{name}")
    async def charge(n: int) -> int:
        return n

    @workflow(name="helpers.child.{name}")
    async def childflow(n: int) -> int:
        return n
"""

ACCEPTED = [
    "tax(1)",
    "list(map(tax, [1]))",
    "Money(1)",
    "Money.of(1)",
    "Order(1)",
    "Kind('a')",
    "Kind.A",
    "Point(1)",
    "Declined('no')",
    "await charge(1)",
    "await charge.options(timeout=3)(1)",
    "await childflow(1)",
    "await go.wait()",
    "LIMITS.get('a'), LIMITS['a']",
]
REPORTED = ["price(1)", "list(map(price, [1]))", "Service()", "Service().call()", "service.call()"]
DENIED = {"clock()": "CT101", "rules.time.time()": "CT101", "logger.info('a')": "CT208"}
IMPORTED = (
    "tax, Money, Order, Kind, Point, Declined, charge, childflow, go, LIMITS, price, Service, service, "
    "clock, logger"
)


def importing(module: str) -> str:
    return f"import {module} as rules\nfrom {module} import {IMPORTED}\n"


@pytest.mark.parametrize("expression", ACCEPTED)
def test_by_text_safe_names_are_accepted(write: Write, expression: str) -> None:
    """CMP40, CMP44, CMP46, CMP47."""
    assert [str(one) for one in found(f"return {expression}", importing(write(RULES)))] == []


@pytest.mark.parametrize("expression", REPORTED)
def test_by_text_other_helpers_are_reported(write: Write, expression: str) -> None:  # CMP38
    (finding,) = found(f"return {expression}", importing(write(RULES)))
    assert (finding.code, finding.severity) == ("CT503", Severity.WARNING)
    for way in ("@continuum.pure", "@activity", "trusted=[...]"):
        assert way in finding.message


@pytest.mark.parametrize("expression", DENIED)
def test_by_text_an_alias_in_another_module_is_followed(write: Write, expression: str) -> None:
    assert codes(f"return {expression}", importing(write(RULES))) == [DENIED[expression]]


def test_a_helper_is_reported_once(write: Write) -> None:
    assert codes("return price(1), price(2), rules.price(3)", importing(write(RULES))) == ["CT503"]


def test_a_name_that_a_package_reexports_is_followed(write: Write) -> None:
    inner = write(RULES, f"pack_{next(numbers)}.rules")
    package = inner.partition(".")[0]
    write("from .rules import tax, price, clock", f"{package}.__init__")
    above = f"from {package} import tax, price, clock"
    assert codes("return tax(1), price(1), clock()", above) == ["CT503", "CT101"]


def test_untrusted_helpers_can_be_errors(write: Write) -> None:  # CMP39
    (finding,) = found("return price(1)", importing(write(RULES)), trust=Trust(untrusted="error"))
    assert (finding.code, finding.severity) == ("CT503", Severity.ERROR)


def test_a_trusted_module_and_its_submodules_are_accepted(write: Write) -> None:  # CMP46
    module = write(RULES)
    assert codes("return price(1), service.call()", importing(module), trust=Trust((module,))) == []
    assert codes("return numpy.sum([1])", "import numpy", trust=Trust(("numpy",))) == []


MODELS = """
    import uuid
    from dataclasses import dataclass, field
    from datetime import UTC, datetime

    def fresh():
        return []

    @dataclass
    class Note:
        text: str
        at: datetime = field(default_factory=lambda: datetime.now(UTC))
        id: uuid.UUID = field(default_factory=uuid.uuid4)
        tags: list[str] = field(default_factory=list)
        more: list[str] = field(default_factory=fresh)
"""


def test_denied_default_factories_of_another_module_are_reported(write: Write) -> None:
    models = write(MODELS)
    shelf = write(f"from {models} import Note as Leaf")
    for above in (f"from {models} import Note", f"from {shelf} import Leaf as Note"):
        assert codes("return Note('x')", above) == ["CT101", "CT103"]
        assert codes("return Note('x', continuum.now())", above) == ["CT103"]
        assert codes("return Note('x', at=continuum.now(), id=continuum.uuid4())", above) == []
        assert codes("return Note(**given), isinstance(given, Note)", above, "given: dict") == []
        assert codes("return given.text, given.at", above, "given: Note") == []
        assert codes("return continuum.side_effect(lambda: Note('x').text)", above) == []
    assert codes("return Note('x')", f"from {models} import Note", trust=Trust((models,))) == []


def test_trust_does_not_cover_denied_names(write: Write) -> None:
    module = write(RULES)
    assert codes("return clock()", importing(module), trust=Trust((module,))) == ["CT101"]
    assert codes("return numpy.random.rand()", "import numpy", trust=Trust(("numpy",))) == ["CT102"]


@pytest.mark.parametrize("name", ["random", "requests", "subprocess"])
def test_a_user_module_named_like_a_library_is_not_denied(write: Write, name: str) -> None:
    """CMP24, B74: a file of that name comes first on the path."""
    write("import continuum\n@continuum.pure\ndef run(n):\n    return n\ndef get(n):\n    return n", name)
    assert codes(f"return {name}.run(1)", f"import {name}") == []
    assert codes(f"return {name}.get(1)", f"import {name}") == ["CT503"]


def test_a_submodule_named_like_a_library_is_not_denied(write: Write) -> None:  # CMP24
    inner = write("import continuum\n@continuum.pure\ndef now():\n    return 1", f"own_{next(numbers)}.time")
    package = inner.partition(".")[0]
    write("", f"{package}.__init__")
    assert codes("return time.now()", f"from {package} import time") == []


def test_nothing_is_imported_to_scan_a_file(write: Write) -> None:
    module = write(RULES)
    found("return price(1)", importing(module))
    assert module not in sys.modules


def load(write: Write, text: str) -> ModuleType:
    name = write(text)
    return importlib.import_module(name)


def workflow_calling(rules: str, expression: str) -> str:
    return (
        f"import asyncio\nimport continuum\n{importing(rules)}\n"
        f"@continuum.workflow(name='helpers.flow.{rules}')\n"
        f"async def flow() -> object:\n    return {expression}\n"
    )


def named(text: str, write: Write) -> str:
    """Write the rules with unique activity names, because these activities are really defined."""
    return write(text.replace("{name}", str(next(numbers))))


@pytest.mark.parametrize("expression", ACCEPTED)
def test_when_loaded_safe_names_are_accepted(write: Write, expression: str) -> None:
    """CMP40, CMP44."""
    load(write, workflow_calling(named(RULES, write), expression))


@pytest.mark.parametrize("expression", REPORTED)
def test_when_loaded_other_helpers_are_reported(write: Write, expression: str) -> None:  # CMP38
    text = workflow_calling(named(RULES, write), expression)
    with pytest.warns(DeterminismWarning, match="CT503"):
        load(write, text)


@pytest.mark.parametrize("expression", DENIED)
def test_when_loaded_an_alias_in_another_module_is_followed(write: Write, expression: str) -> None:
    text = workflow_calling(named(RULES, write), expression)
    with pytest.raises(DeterminismError, match=DENIED[expression]):
        load(write, text)


def test_when_loaded_a_user_module_named_like_a_library_is_not_denied(write: Write) -> None:
    """CMP24: also when the library is not installed, or comes later on the path."""
    # One that nothing of the tests has installed.
    write("import continuum\n@continuum.pure\ndef send(n):\n    return n", "aiokafka")
    flow = "@continuum.workflow(name='helpers.own')\nasync def flow() -> object:\n    return aiokafka.send(1)"
    load(write, f"import continuum, aiokafka\n{flow}")


def test_when_loaded_a_denied_default_factory_is_reported(write: Write) -> None:
    models = write(MODELS)
    message = r"Note\.at, by default datetime\.datetime\.now\(\), reads a clock"
    flow = "@continuum.workflow(name='helpers.note')\nasync def flow() -> object:\n    return Note('x').text"
    with pytest.raises(DeterminismError, match=message):
        load(write, f"import continuum\nfrom {models} import Note\n{flow}")


def test_when_loaded_a_pydantic_model_is_safe(write: Write) -> None:
    models = write("from pydantic import BaseModel\nclass Order(BaseModel):\n    n: int")
    flow = "@continuum.workflow(name='helpers.model')\nasync def flow() -> object:\n    return "
    load(
        write,
        f"import continuum\nfrom {models} import Order\n{flow}Order(n=1), Order.model_validate({{'n': 1}})",
    )


def test_the_scanner_is_configured_for_a_process(write: Write) -> None:  # CMP39, CMP46
    rules = named(RULES, write)
    continuum.configure_scanner(untrusted="error")
    with pytest.raises(DeterminismError, match="CT503"):
        load(write, workflow_calling(rules, "price(1)"))
    continuum.configure_scanner(trusted=[rules], untrusted="error")
    load(write, workflow_calling(rules, "price(1)"))


@pytest.mark.parametrize("options", [{"trusted": "shop"}, {"trusted": [1]}, {"untrusted": "never"}])
def test_an_invalid_configuration_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        continuum.configure_scanner(**options)  # type: ignore[arg-type]


def test_a_pure_helper_is_scanned_when_it_is_defined(write: Write) -> None:  # CMP44
    with pytest.raises(DeterminismError, match=r"pure price .*\n.*CT101"):
        load(write, "import continuum, time\n@continuum.pure\ndef price(n):\n    return n + time.time()")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    match n:\n        case int() if time.time() > n:\n            return 1\n", "CT101"),  # CMP16
        (
            "    try:\n        return continuum.now()\n    except BaseException:\n        return n\n",
            "CT401",
        ),  # CMP26
    ],
    ids=["a guard", "a handler"],
)
def test_guards_and_handlers_of_a_pure_helper_are_scanned(write: Write, body: str, code: str) -> None:
    """CMP16, CMP26"""
    with pytest.raises(DeterminismError, match=code):
        load(write, f"import continuum, time\n@continuum.pure\ndef price(n):\n{body}")


def test_only_functions_and_classes_can_be_pure() -> None:
    with pytest.raises(InvalidDefinition, match="goes on a function or a class"):
        continuum.pure(print)


def test_a_pure_class_is_scanned_with_all_its_methods(write: Write) -> None:
    text = "import continuum, time\n@continuum.pure\nclass A:\n    def b(self):\n        return 1\n"
    load(write, text)
    with pytest.raises(DeterminismError, match="CT101"):
        load(write, f"{text}    def c(self):\n        return time.time()")


def pure_helper(rules: str, expression: str) -> str:
    return f"import continuum\nfrom {rules} import price\n@continuum.pure\ndef a(n):\n    return {expression}"


@pytest.mark.parametrize(
    "line",
    ["price(n)", "n.handler.apply_rules(1)"],
)
def test_the_calls_of_a_pure_helper_are_checked(write: Write, line: str) -> None:
    """CMP41, CMP43, B76."""
    with pytest.warns(DeterminismWarning, match="CT50[23]"):
        load(write, pure_helper(named(RULES, write), line))


def test_a_pure_helper_calling_an_unmarked_one_can_be_an_error(write: Write) -> None:  # CMP42
    rules = named(RULES, write)
    continuum.configure_scanner(untrusted="error")
    with pytest.raises(DeterminismError, match="CT503"):
        load(
            write,
            f"import continuum\nfrom {rules} import price\n@continuum.pure\ndef a(n):\n    return price(n)",
        )


def test_a_module_is_found_without_importing_its_packages(write: Write) -> None:
    inner = write("x = 1", f"package_{next(numbers)}.deep.module")
    path = locate(inner)
    assert path is not None
    assert path.endswith("deep/module.py")
    assert inner.partition(".")[0] not in sys.modules
