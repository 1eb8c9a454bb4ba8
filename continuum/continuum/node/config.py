"""One node of `run-node`: where it is and what it runs, checked before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from continuum.errors import InvalidOption
from continuum.settings.settings import NODE_SETTINGS, Settings


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What a launcher needs to start a node.

    `modules` are import names whose workflows and activities the node serves. `dsn` None starts
    this user's embedded Postgres. `bind` and `join` are (host, port).
    """

    modules: Sequence[str] = ()
    dsn: str | None = None
    schema: str = "continuum"
    name: str = ""
    bind: tuple[str, int] | None = None
    join: tuple[str, int] | None = None
    cookie_file: Path | None = None
    settings: Settings = NODE_SETTINGS

    def __post_init__(self) -> None:
        self.settings.check()
        if self.join is not None and self.bind is None:
            raise InvalidOption(
                "--join needs --bind: other nodes must be able to answer; give --bind HOST:PORT"
            )
