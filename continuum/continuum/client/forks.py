"""`Lost`: what every part of a client is in a forked child, because the parent still uses the client.

A fork copies a client in the middle of whatever it does: its locks may be held, its tasks wait on a loop
that does not run in the child, and runs in a memory journal are a copy that no node sees. So the child gets
an error at once instead of a wait for ever, and nothing of the parent is touched.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NoReturn
from weakref import WeakKeyDictionary

from continuum.errors import NotReady


class Lost:
    """Stands for a part of a client that only the parent has."""

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse every use."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotReady(
            "the client was opened before a fork and works only in the parent; "
            "open another with connect() in the child"
        )


_of_this_process: WeakKeyDictionary[object, Sequence[str]] = WeakKeyDictionary()


def lose_in_children(client: object, parts: Sequence[str]) -> None:
    """Have the client lose these attributes in every child that this process forks."""
    _of_this_process[client] = parts


def _lose_all() -> None:
    for client, parts in tuple(_of_this_process.items()):
        for part in parts:
            setattr(client, part, Lost())


os.register_at_fork(after_in_child=_lose_all)
