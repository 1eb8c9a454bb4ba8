"""One node of `run-node`: where it is and what it runs, checked before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from continuum.errors import InvalidOption
from continuum.settings.settings import NODE_SETTINGS, Settings

# What the processes of a node are made of, without any code of the user.
NODE_MODULES = ("continuum_actors.node.node", "continuum.scanner.on_definition")
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What a launcher needs to start a node.

    `modules` are import names whose workflows and activities the node serves. `dsn` None starts
    this user's embedded Postgres. `bind` and `join` are (host, port). `log_format` is one of `LOG_FORMATS`,
    `log_level` one of `LOG_LEVELS`. `http` is where it answers requests such as /healthz, if at all.
    """

    modules: Sequence[str] = ()
    dsn: str | None = None
    schema: str = "continuum"
    name: str = ""
    bind: tuple[str, int] | None = None
    join: tuple[str, int] | None = None
    cookie_file: Path | None = None
    settings: Settings = NODE_SETTINGS
    log_format: str = "text"
    log_level: str = "warning"
    http: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        self.settings.check()
        for option, given, allowed in (
            ("log-format", self.log_format, LOG_FORMATS),
            ("log-level", self.log_level, LOG_LEVELS),
        ):
            if given not in allowed:
                raise InvalidOption(f"--{option} is one of {', '.join(allowed)}, not {given!r:.100}")
        if self.join is not None and self.bind is None:
            raise InvalidOption(
                "--join needs --bind: other nodes must be able to answer; give --bind HOST:PORT"
            )
