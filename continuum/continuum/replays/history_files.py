"""Histories in files: a whole file for one history, or a line of its own for each of several (NDJSON).

A file is JSON that people can read in a review. Payloads are in it as they are stored, so nothing is
lost; their meaning is next to them for readers and is ignored when the file is loaded.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from continuum.engine.events import Event, EventType, event_name
from continuum.errors import ContinuumError
from continuum.journal.untyped_values import Unreadable, at, microseconds_of, readable
from continuum.public_names import KIT, public_in
from continuum.quoting import listed, quoted
from continuum.replays.histories import Beginning, Ending, History

# Every history holds the number of its layout; a new layout takes the next number.
FORMAT = 1

# A message names this many of the runs in a file.
NAMED_RUNS = 3

# How the type of an event is written that has no name here.
_UNKNOWN = "type_"


class UnreadableHistory(ContinuumError):
    """The file does not hold a history that this version can read."""


@public_in(KIT)
def dump_history(history: History, path: str | PathLike[str]) -> None:
    """Write a history to a file, and create its directories."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_written_history(history), indent=2, ensure_ascii=False)
    place.write_text(text + "\n", encoding="utf-8")


def history_line(history: History) -> str:
    """Return a history as one line of ASCII, without the line break, for a file of several."""
    return json.dumps(_written_history(history), separators=(",", ":"))


@public_in(KIT)
def load_history(path: str | PathLike[str], run_id: str | None = None) -> History:
    """Read a history from a file that `dump_history` or `continuum runs export` wrote.

    `run_id` chooses among the histories of several runs; with one in the file it may be left out.
    """
    others: list[str] = []
    found: History | None = None
    for history in load_histories(path):
        if run_id == history.beginning.run_id:
            return history
        if run_id is None and found is None:
            found = history
        else:
            others.append(history.beginning.run_id)
    if run_id is not None:
        raise UnreadableHistory(
            f"{path} has no history of run {quoted(run_id)}; it has {_some(others)}; name one of those"
        )
    if found is None:
        raise UnreadableHistory(f"{path} holds no history; write it with dump_history()")
    if others:
        raise UnreadableHistory(
            f"{path} has the histories of {len(others) + 1} runs: "
            f"{_some([found.beginning.run_id, *others])}; name one of them"
        )
    return found


@public_in(KIT)
def load_histories(path: str | PathLike[str]) -> Iterator[History]:
    """Yield each history of a file, with one of them in memory at a time if each is on a line of its own."""
    with Path(path).open(encoding="utf-8") as file:
        try:
            first = file.readline()
            if _is_whole(first):
                yield _read_history(first, path)
                for number, line in enumerate(file, 2):
                    if line.strip():
                        yield _read_history(line, f"line {number} of {path}")
            elif whole := first + file.read():
                yield _read_history(whole, path)
        except UnicodeDecodeError as error:
            raise UnreadableHistory(
                f"{path} is damaged, or no history ({error.reason}); restore it, or write it again"
            ) from error


def _is_whole(line: str) -> bool:
    """Whether a line holds all of a history, so that each further line is another one."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _some(run_ids: Sequence[str]) -> str:
    more = f" and {len(run_ids) - NAMED_RUNS} more" if len(run_ids) > NAMED_RUNS else ""
    return (listed(run_ids[:NAMED_RUNS]) or "none") + more


def _written_history(history: History) -> dict[str, Any]:
    start, end = history.beginning, history.ending
    return {
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
                "type": _type_name(event.type),
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


def _read_history(text: str, path: str | PathLike[str]) -> History:
    try:
        read = json.loads(text)
        found = read["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableHistory(
            f"{path} holds no history; write it with dump_history() or `continuum runs export`"
        ) from error
    if found != FORMAT:
        raise UnreadableHistory(
            f"{path} is written in format {found!r}, and this version of Continuum reads format {FORMAT}; "
            "upgrade Continuum, or write the file again"
        )
    try:
        return _history(read)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableHistory(
            f"{path} is damaged ({type(error).__name__}: {error}); restore it, or write it again"
        ) from error


def _history(read: dict[str, Any]) -> History:
    run, ending = dict(read["run"]), read["ending"]
    events: Sequence[Event] = [
        Event(_number(event["seq"]), _type(event["type"]), _moment(event["at"]), _body(event["body"]))
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


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{quoted(value)} is no number of an event")
    return value


def _body(value: Any) -> tuple[Any, ...]:
    body = _read(value)
    if not isinstance(body, tuple):
        raise TypeError(f"{quoted(value)} is no body of an event")
    return body


def _type_name(type: int) -> str:
    """Return the name of a type; of one that this version does not know, its number."""
    try:
        return event_name(type)
    except ValueError:
        return f"{_UNKNOWN}{type}"


def _type(name: str) -> int:
    number = name.removeprefix(_UNKNOWN)
    return int(number) if name != number else EventType[name.upper()]


def _time(microseconds: int) -> str:
    return at(microseconds).isoformat(timespec="microseconds")


def _moment(text: str) -> int:
    return microseconds_of(datetime.fromisoformat(text))
