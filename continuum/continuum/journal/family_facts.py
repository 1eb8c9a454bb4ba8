"""Runs that belong together: children, successors; and the values that runs publish. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from continuum.engine.children import ClosePolicy
from continuum.engine.ids import RunId


class NewChild(NamedTuple):
    """A run that another starts; namespace, attributes and trace context are the parent's.

    `seq` is the parent's command, which names the child's end in the parent's inbox. A
    child that exists already (the write is repeated) stays unchanged.
    """

    seq: int
    id: RunId
    workflow: str
    input: bytes
    close_policy: ClosePolicy


class Successor(NamedTuple):
    """The run that continues another one as new.

    It inherits namespace, attributes, trace context, parent (the parent then waits for it)
    and chain; the predecessor's unread mail and live children move to it. `signals`, by
    name and value, come before that mail: the predecessor has journaled them, but its code
    never received them.
    """

    id: RunId
    workflow: str
    input: bytes
    signals: Sequence[tuple[str, bytes]] = ()


class PublishedValue(NamedTuple):
    """The latest value a run has published under a name."""

    value: bytes
    changed_at: int
