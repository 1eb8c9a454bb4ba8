"""The testing kit for workflows: virtual time, mocked activities, replays, and crashes at every write.

Read `environment.py` first: an environment is a client with an engine (`engine.py`, `run_host.py`)
and a clock of its own. `replays.py` replays histories through code,
`replay_after_each_write.py` does so while a test runs, `golden.py` keeps histories in files, `crashes.py`
kills the engine at every write (`killable_journal.py`), and pytest loads `plugin.py`. Names are imported
on first use; `public.py` gives them this package as their module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from continuum.replays.histories import History as History
    from continuum.replays.history_files import dump_history as dump_history
    from continuum.replays.history_files import load_histories as load_histories
    from continuum.replays.history_files import load_history as load_history
    from continuum.replays.replay import Replayed as Replayed
    from continuum.testing.crashes import CrashFound as CrashFound
    from continuum.testing.crashes import crash_everywhere as crash_everywhere
    from continuum.testing.environment import Environment as Environment
    from continuum.testing.environment import env as env
    from continuum.testing.golden import GoldenHistory as GoldenHistory
    from continuum.testing.golden import assert_histories_match as assert_histories_match
    from continuum.testing.mock_activities import MockedActivity as MockedActivity
    from continuum.testing.mock_activities import mock_activity as mock_activity
    from continuum.testing.postgres import PostgresEnvironment as PostgresEnvironment
    from continuum.testing.postgres import postgres_env as postgres_env
    from continuum.testing.replays import assert_replays as assert_replays
    from continuum.testing.replays import replay as replay
    from continuum.testing.waiting import StillWaiting as StillWaiting

_HOME = {
    "CrashFound": ".crashes",
    "Environment": ".environment",
    "GoldenHistory": ".golden",
    "History": "continuum.replays.histories",
    "MockedActivity": ".mock_activities",
    "PostgresEnvironment": ".postgres",
    "Replayed": "continuum.replays.replay",
    "StillWaiting": ".waiting",
    "assert_histories_match": ".golden",
    "assert_replays": ".replays",
    "crash_everywhere": ".crashes",
    "dump_history": "continuum.replays.history_files",
    "env": ".environment",
    "load_histories": "continuum.replays.history_files",
    "load_history": "continuum.replays.history_files",
    "mock_activity": ".mock_activities",
    "postgres_env": ".postgres",
    "replay": ".replays",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home, __name__), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
