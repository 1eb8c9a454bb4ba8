"""Runs `continuum dev` as a process on a project of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.development.developing import Developing


@pytest.fixture
def developing(dsn: str, schema: str, tmp_path: Path) -> Iterator[Developing]:
    """A project, on which a test starts `continuum dev`."""
    work = Developing(dsn, schema, tmp_path)
    yield work
    work.end()
