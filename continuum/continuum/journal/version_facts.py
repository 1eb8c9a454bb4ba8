"""Versions of code: loaded, registered, or found not to match a history. Data only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Loaded(NamedTuple):
    """Code that a worker can execute: a workflow in one version, the hash of its content.

    `current` code takes the runs that have no version yet; code that `takes_others` may
    claim runs of a version the worker has not loaded, unless it was refused to them before.
    """

    workflow: str
    version: str
    current: bool = True
    takes_others: bool = False


class VersionRow(NamedTuple):
    """A version of a workflow's code, as a node registered it.

    `version` is the hash of the content, `label` the number its author gave it. `signals`
    has the type of each declared signal (see `codec.signal_contracts`), None when none is declared.
    `source` allows a pinned version to be loaded again, None for others. `retention` is the number
    of seconds that a run is kept after an end that its code did not cause, None for ever. `open_runs` have
    not ended, as far as they were counted; with `more_open_runs` there are more.
    `contract` is the document of `continuum.contracts`; None keeps the one that is stored.
    """

    workflow: str
    version: str
    label: str
    module: str
    signals: Mapping[str, Any] | None
    source: bytes | None
    registered_at: int = 0
    open_runs: int = 0
    retention: float | None = None
    more_open_runs: bool = False
    contract: Mapping[str, Any] | None = None


class ContractRow(NamedTuple):
    """What a version takes and returns, as the node that registered it says (see `continuum.contracts`)."""

    version: str
    label: str
    registered_at: int
    contract: Mapping[str, Any]


def is_importable(module: str | None) -> bool:
    """Whether a node can be started with this module: a program is none."""
    return module not in (None, "", "__main__", "__mp_main__")


class Fault(NamedTuple):
    """Why code cannot run a history, as facts for programs: a `reason` says the same as a sentence.

    `kind` is ``drift``, ``input``, ``poison`` or ``corrupt``. For a drift, `position` is the event's seq,
    `expected` what the journal has there, `actual` what the code did, and `where` the place in the code.
    For an ``input`` that the code cannot read only `actual` is set: which part does not fit, and why.
    Texts must be storable (no NUL, no lone surrogates), as those of a reason.
    """

    kind: str
    position: int | None = None
    expected: str | None = None
    actual: str | None = None
    where: str | None = None

    def as_json(self, code: str | None = None) -> str:
        """Return the text of a JSON column, with the digest of the code; missing parts are left out."""
        parts = {**self._asdict(), "code": code}
        return json.dumps({name: value for name, value in parts.items() if value is not None})

    @property
    def may_change_with_code(self) -> bool:
        """Whether other code may let the run continue, without anything else having been mended."""
        return self.kind in ("drift", "input")

    @classmethod
    def from_json(cls, stored: object) -> Fault | None:
        """Return what a JSON column holds, None for what is no fault, without parts that newer code has."""
        if not isinstance(stored, Mapping) or not isinstance(stored.get("kind"), str):
            return None
        position = stored.get("position")
        texts = [text if isinstance(text := stored.get(name), str) else None for name in cls._fields[2:]]
        return cls(stored["kind"], position if type(position) is int else None, *texts)


class Refusal(NamedTuple):
    """Code that cannot continue a run's history, and why. A fact about the two, kept apart from the run."""

    version: str
    reason: str
    fault: Fault | None = None
