"""What happens when a workflow is defined that replay could not repeat."""

from __future__ import annotations

import time
import warnings
from types import ModuleType

import pytest

import continuum
from continuum import DeterminismError, DeterminismWarning, scanner
from continuum.scanner.findings import Severity
from tests.unit.scanner import crooked


def test_a_workflow_that_reads_a_clock_is_not_defined() -> None:  # CMP5
    with pytest.raises(DeterminismError) as refused:

        @continuum.workflow(name="scanner.crooked")
        async def crooked_flow() -> float:
            print("started")  # noqa: T201
            return time.time()

    first, *findings = str(refused.value).splitlines()
    assert first == "workflow scanner.crooked does what replay could not repeat:"
    assert ["CT208" in findings[0], "CT101" in findings[1]] == [True, True]
    line = crooked_flow_line()
    assert findings[1].strip().startswith(f"{__file__}:{line}:20 CT101 time.time() reads a clock")
    assert "`continuum.now().timestamp()`" in findings[1]


def crooked_flow_line() -> int:
    with open(__file__, encoding="utf-8") as lines:
        return next(number for number, line in enumerate(lines, 1) if line.strip() == "return time.time()")


def test_a_bare_decorator_scans_as_well() -> None:
    with pytest.raises(DeterminismError, match="CT101"):

        @continuum.workflow
        async def crooked_flow() -> float:
            return time.monotonic()


def test_a_doubt_is_a_warning_that_points_at_the_decorator() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")

        @continuum.workflow(name="scanner.doubtful")
        async def doubtful(handler) -> object:  # type: ignore[no-untyped-def]
            return handler.handle(1)

    (warning,) = told
    assert warning.category is DeterminismWarning
    assert warning.filename == __file__
    assert "CT502 handler.handle()" in str(warning.message)
    assert doubtful.name == "scanner.doubtful"


def test_a_helper_that_stands_below_the_workflow_is_followed() -> None:
    with pytest.raises(DeterminismError, match=r"CT101 .*\(in read_the_clock, called from early\)"):

        @continuum.workflow
        async def early() -> float:
            return read_the_clock()


def read_the_clock() -> float:
    return time.time()


def test_an_undeclared_signal_is_refused_at_the_definition() -> None:  # SIG3
    with pytest.raises(DeterminismError, match="CT405 signal 'other'"):

        @continuum.workflow(signals=[continuum.Signal("go", str)])
        async def listening() -> object:
            return await continuum.wait_signal("other")


def test_a_workflow_without_source_is_defined_unscanned() -> None:
    names: dict[str, object] = {}
    exec("import continuum, time\n@continuum.workflow\nasync def bare():\n    return time.time()", names)
    assert isinstance(names["bare"], continuum.Workflow)


def test_scan_tells_of_functions_classes_and_modules() -> None:
    assert isinstance(crooked, ModuleType)
    of_function = scanner.scan(crooked.read)
    of_class = scanner.scan(crooked.Clock)
    assert [one.code for one in of_function] == ["CT101"]
    assert [one.code for one in of_class] == ["CT101"]
    assert scanner.scan(crooked.read, crooked.Clock) == sorted([*of_function, *of_class])
    of_module = scanner.scan(crooked)
    assert [(one.code, one.severity) for one in of_module] == [("CT502", Severity.WARNING)]
