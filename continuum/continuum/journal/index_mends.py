"""What is stored about an index, and the steps that mend it. Data only.

`operations/index_repair.py` decides on steps, `postgres/index_repairs.py` carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from continuum.journal.audit_facts import ChangeOutcome
from continuum_migrations import ExpectedIndex


class IndexStep(StrEnum):
    """One statement about an index. Nodes work meanwhile, whichever it is."""

    BUILD = "build"  # make it
    REBUILD = "rebuild"  # make it anew in the place of what is there
    ATTACH = "attach"  # make it the primary key of its table
    DROP = "drop"


class IndexFacts(NamedTuple):
    """What is stored about an index and its table at a moment.

    `owner` owns the table; it is None without such a table. `role` is ours, and `permitted` says whether it
    may change the table. `oid` is None without an index of that name. An index that is not `usable` is
    written to at most, and never read; `building` says that a process builds it at this moment.
    """

    server_version: int
    role: str
    owner: str | None
    permitted: bool
    oid: int | None = None
    usable: bool = False
    building: bool = False
    primary: bool = False


class IndexDecision(NamedTuple):
    """What a repair does: with `ChangeOutcome.DONE` these steps, one after the other, else nothing."""

    outcome: ChangeOutcome
    steps: Sequence[IndexStep] = ()


class IndexRepair(NamedTuple):
    """A repair of the index `name`, and what decides on it by what is stored then.

    It is another index than `expected` if a rebuild of that has left it behind. `code` is that of the
    finding.
    """

    code: str
    name: str
    expected: ExpectedIndex
    decide: Callable[[IndexFacts], IndexDecision]
