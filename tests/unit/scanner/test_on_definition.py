"""Defining a workflow that replay could not repeat raises an error or warns."""

from __future__ import annotations

import time
import warnings
from types import ModuleType

import pytest

import continuum
from continuum import DeterminismError, DeterminismWarning, scanner
from continuum.scanner.configuration import debugging
from continuum.scanner.findings import Severity
from tests.unit.scanner import nondeterministic_code


def test_a_workflow_that_reads_a_clock_is_not_defined() -> None:  # CMP5
    with pytest.raises(DeterminismError) as refused:

        @continuum.workflow(name="scanner.clock")
        async def clock_flow() -> float:
            print("started")  # noqa: T201
            return time.time()

    first, *findings = str(refused.value).splitlines()
    assert first == "workflow scanner.clock does what replay could not repeat:"
    assert ["CT208" in findings[0], "CT101" in findings[1]] == [True, True]
    line = line_of_the_clock_read()
    assert findings[1].strip().startswith(f"{__file__}:{line}:20 CT101 time.time() reads a clock")
    assert "`continuum.now().timestamp()`" in findings[1]


def line_of_the_clock_read() -> int:
    with open(__file__, encoding="utf-8") as lines:
        return next(number for number, line in enumerate(lines, 1) if line.strip() == "return time.time()")


def test_a_bare_decorator_scans_as_well() -> None:
    with pytest.raises(DeterminismError, match="CT101"):

        @continuum.workflow
        async def clock_flow() -> float:
            return time.monotonic()


def test_a_warning_points_to_the_decorator() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        @continuum.workflow(name="scanner.doubtful")
        async def doubtful(handler) -> object:  # type: ignore[no-untyped-def]
            return handler.handle(1)

    (warning,) = caught
    assert warning.category is DeterminismWarning
    assert warning.filename == __file__
    assert "CT502 handler.handle()" in str(warning.message)
    assert doubtful.name == "scanner.doubtful"


def test_a_helper_below_the_workflow_is_followed() -> None:
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


def test_scan_takes_functions_classes_and_modules() -> None:
    assert isinstance(nondeterministic_code, ModuleType)
    of_function = scanner.scan(nondeterministic_code.read)
    of_class = scanner.scan(nondeterministic_code.Clock)
    assert [one.code for one in of_function] == ["CT101"]
    assert [one.code for one in of_class] == ["CT101"]
    both = scanner.scan(nondeterministic_code.read, nondeterministic_code.Clock)
    assert both == sorted([*of_function, *of_class])
    of_module = scanner.scan(nondeterministic_code)
    assert [(one.code, one.severity) for one in of_module] == [("CT502", Severity.WARNING)]


def test_code_that_a_person_debugs_may_stop_and_print_but_nothing_else() -> None:
    with debugging():

        @continuum.workflow(name="scanner.debugged")
        async def debugged() -> None:
            print("here")  # noqa: T201
            breakpoint()  # noqa: T100

        with pytest.raises(DeterminismError) as refused:

            @continuum.workflow(name="scanner.debugged_clock")
            async def debugged_clock() -> float:
                print("here")  # noqa: T201
                return time.time()

    assert ["CT101" in str(refused.value), "CT208" in str(refused.value)] == [True, False]
    with pytest.raises(DeterminismError, match="CT209"):

        @continuum.workflow(name="scanner.not_debugged")
        async def not_debugged() -> None:
            breakpoint()  # noqa: T100
