"""Puts a few lines into a workflow and scans its text, as `continuum check` does."""

from __future__ import annotations

import textwrap

from continuum.scanner.check_files import scan_definitions
from continuum.scanner.configuration import Trust
from continuum.scanner.findings import Finding
from continuum.scanner.module import ScannedModule
from continuum.source.module_source import ModuleSource

HEAD = """\
import asyncio
import hashlib
import json
import random
from datetime import UTC, date, datetime, timedelta

import continuum
from continuum import Signal, activity, workflow
"""
DEFINED = """\

@activity
async def step(number: int) -> int:
    return number

@activity
async def undo(number: int) -> None: ...

@workflow
async def child(number: int) -> int:
    return await step(number)
"""


def scanned(text: str, trust: Trust | None = None) -> list[Finding]:
    """Return the findings in a whole module."""
    module = ScannedModule(ModuleSource("flows.py", text), "", live=False)
    return scan_definitions(module, trust or Trust())


def flow(body: str, above: str = "", parameters: str = "") -> str:
    """Return a module whose workflow has this body."""
    inner = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    head = HEAD + textwrap.dedent(above) + DEFINED
    return f"{head}\n@workflow\nasync def flow({parameters}) -> object:\n{inner}\n"


def found(body: str, above: str = "", parameters: str = "", trust: Trust | None = None) -> list[Finding]:
    """Return the findings in a workflow of this body, in a module with these lines above it."""
    return scanned(flow(body, above, parameters), trust)


def codes(body: str, above: str = "", parameters: str = "", trust: Trust | None = None) -> list[str]:
    """Return the codes of the findings, in the order of the text."""
    return [finding.code for finding in found(body, above, parameters, trust)]


def place(text: str, part: str) -> tuple[int, int]:
    """Return line and column, from 1, of the last occurrence of a part in a text."""
    before = text[: text.rindex(part)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
