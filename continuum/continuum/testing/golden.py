"""Histories in files: histories of earlier code, kept so that later code can replay them.

A file is JSON that people can read in a review. Payloads are in it as they are stored, so nothing is
lost; their meaning is next to them for readers and is ignored when the file is loaded.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from continuum.client.untyped_values import Unreadable, at, microseconds_of, readable
from continuum.definitions.workflow import Workflow
from continuum.engine.events import Event, EventType, event_name
from continuum.errors import ContinuumError
from continuum.testing.comparable_history import comparable_history
from continuum.testing.histories import Beginning, Ending, History
from continuum.testing.public import public
from continuum.testing.replays import assert_replays

# Every file holds the number of its layout; a new layout takes the next number.
FORMAT = 1


class UnreadableHistory(ContinuumError):
    """The file does not hold a history that this version can read."""


@public
def dump_history(history: History, path: str | PathLike[str]) -> None:
    """Write a history to a file, and create its directories."""
    start, end = history.beginning, history.ending
    written = {
        "format": FORMAT,
        "run": {
            "id": start.run_id,
            "workflow": start.workflow,
            "version": start.version,
            "namespace": start.namespace,
            "started_at": _time(start.started_at),
            "parent": start.parent,
            "depth": start.depth,
            "trace_context": start.trace_context,
            "input": _written(start.input),
        },
        "events": [
            {
                "seq": event.seq,
                "type": event_name(event.type),
                "at": _time(event.at),
                "body": _written(event.body),
            }
            for event in history.stored
        ],
        "ending": {
            "state": end.state,
            "result": _written(end.result),
            "error": _written(end.error),
            "continued_to": end.continued_to,
        },
    }
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@public
def load_history(path: str | PathLike[str]) -> History:
    """Read a history from a file that `dump_history` wrote."""
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
        found = read["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableHistory(f"{path} holds no history; write it with dump_history()") from error
    if found != FORMAT:
        raise UnreadableHistory(
            f"{path} is written in format {found!r}, and this version of Continuum reads format {FORMAT}; "
            "upgrade Continuum, or write the file again"
        )
    try:
        return _history(read)
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableHistory(
            f"{path} is damaged ({type(error).__name__}: {error}); restore it, or write it again"
        ) from error


@public
def assert_histories_match(one: History, other: History) -> None:
    """Fail unless two runs have done the same, apart from places, times, ids and random values."""
    first, second = comparable_history(one.stored), comparable_history(other.stored)
    for number, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            raise AssertionError(f"the histories differ at event {number}: {left} there, {right} here")
    if len(first) != len(second):
        longer, place = (first, "there") if len(first) > len(second) else (second, "here")
        extra = longer[min(len(first), len(second))]
        raise AssertionError(f"the histories differ in length: {extra} is only {place}")
    if one.ending.state != other.ending.state:
        raise AssertionError(f"one run is {one.ending.state}, the other is {other.ending.state}")


@public
class GoldenHistory:
    """Keeps the histories of one test in `directory`. Made by the fixture `golden_history`."""

    def __init__(self, directory: Path, name: str, *, update: bool) -> None:
        self._directory = directory
        self._name = name
        self._update = update

    def __call__(self, workflow: Workflow[..., Any], history: History, name: str = "") -> None:
        """Fail unless `workflow` replays the history kept under `name`, and `history` matches it.

        From the first `continuum.patched()` that the kept history does not have, `history` may differ: new
        runs take another way there, and old ones replay.

        With ``--update-golden`` write `history` to the file instead.
        """
        path = self._directory / f"{self._name}{f'-{name}' if name else ''}.json"
        if self._update:
            dump_history(history, path)
            return
        if not path.exists():
            raise AssertionError(f"there is no golden history {path.name} yet; write it with --update-golden")
        kept = load_history(path)
        hint = f"if no open run has a history like {path.name}, write it again with --update-golden"
        try:
            assert_replays(workflow, kept)
            if _is_patched_since(kept, history):
                assert_replays(workflow, history)
            else:
                assert_histories_match(kept, history)
        except AssertionError as error:
            raise AssertionError(f"{error}; {hint}") from None


def _is_patched_since(kept: History, history: History) -> bool:
    """Whether both do the same up to a patch that only the later one has."""
    before, now = comparable_history(kept.stored), comparable_history(history.stored)
    patch = event_name(EventType.PATCHED)
    known = {event[1] for event in before if event[0] == patch}
    first = next((i for i, event in enumerate(now) if event[0] == patch and event[1] not in known), None)
    return first is not None and before[:first] == now[:first]


def _written(value: Any) -> Any:
    match value:
        case bytes():
            meaning = readable(value)
            known = {} if isinstance(meaning, Unreadable) else {"means": _shown(meaning)}
            return {"base64": base64.b64encode(value).decode("ascii")} | known
        case tuple() | list():
            return [_written(part) for part in value]
        case dict():
            return {str(key): _written(part) for key, part in value.items()}
        case _:
            return value


def _shown(value: Any) -> Any:
    """Return a value as JSON; parts that JSON cannot express become text."""
    return json.loads(json.dumps(value, default=str, skipkeys=True))


def _read(value: Any) -> Any:
    match value:
        case {"base64": str(data)}:
            return base64.b64decode(data, validate=True)
        case list():
            return tuple(_read(part) for part in value)
        case dict():
            return {key: _read(part) for key, part in value.items()}
        case _:
            return value


def _history(read: dict[str, Any]) -> History:
    run, ending = dict(read["run"]), read["ending"]
    events: Sequence[Event] = [
        Event(event["seq"], EventType[event["type"].upper()], _moment(event["at"]), _read(event["body"]))
        for event in read["events"]
    ]
    beginning = Beginning(
        run_id=run["id"],
        workflow=run["workflow"],
        input=_read(run["input"]),
        version=run["version"],
        namespace=run["namespace"],
        started_at=_moment(run["started_at"]),
        parent=run["parent"],
        depth=run["depth"],
        trace_context=run["trace_context"],
    )
    end = Ending(ending["state"], _read(ending["result"]), _read(ending["error"]), ending["continued_to"])
    return History(events, beginning, end)


def _time(microseconds: int) -> str:
    return at(microseconds).isoformat(timespec="microseconds")


def _moment(text: str) -> int:
    return microseconds_of(datetime.fromisoformat(text))
