"""Runs each coroutine test of this directory in a loop of its own."""

from tests.process.actors.conftest import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]
