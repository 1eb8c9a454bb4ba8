"""`Search`: which runs a person asks for, read from one line of text.

    state:failed,blocked workflow:pay* -error:TimeoutError started:>2d @region:eu waits:signal:review

Each term is about a field of the run, and a run is found if all of them hold. Values with commas between them
are choices, `-` before a term turns it round, `*` in a name stands for any characters, and what is in quotes
is taken literally.
"""

from __future__ import annotations

import difflib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from continuum.definitions.name_rules import short_text
from continuum.engine.events import FIRST_MOMENT, LAST_MOMENT
from continuum.errors import InvalidOption, InvalidQuery
from continuum.journal.facts import RunState
from continuum.journal.untyped_values import microseconds_of
from continuum.journal.wait import KINDS, NOTHING
from continuum.quoting import quoted

# More than a person types. Each choice becomes a parameter of a statement.
SEARCH_CHARACTERS = 4_000
# As the journal takes it: see `journal.facts.Query`.
Condition: TypeAlias = tuple[str | tuple[str, ...], str, Any]
# A character, and whether it stood in quotes; an opening quote is an empty one.
Mark: TypeAlias = tuple[str, bool]

_SECOND = 1_000_000
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 24 * 3_600, "w": 7 * 24 * 3_600}
_AGE = re.compile(r"(\d{1,9})([smhdw])")
_SCALAR = re.compile(r"true|false|-?\d{1,300}(\.\d{1,300})?")
# What no text in a database has.
_UNSTORED = re.compile("[\0\ud800-\udfff]")
# What a value may hold without quotes.
_PLAIN = re.compile(r"[\w.@/+:-]+")
_COMPARED = {">": "gt", "<": "lt", ">=": "ge", "<=": "le"}
# What is more than an age ago is earlier.
_EARLIER = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}
_OPEN = (RunState.RUNNING, RunState.SUSPENDED, RunState.BLOCKED)
_STATES: Mapping[str, Sequence[RunState]] = {
    **{state.name.lower(): (state,) for state in RunState},
    "open": _OPEN,
    "ended": tuple(state for state in RunState if state not in _OPEN),
}


@dataclass(frozen=True, slots=True)
class Term:
    """One term: a condition as the journal takes it. An `age`, in microseconds, is in place of its value."""

    field: str | tuple[str, ...]
    operator: str
    value: Any
    age: int | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """The runs that are asked for: those for which every term holds. An empty search finds every run."""

    text: str
    terms: tuple[Term, ...]

    def conditions(self, now: int) -> list[Condition]:
        """Return the conditions for the journal, with ages before `now` in microseconds."""
        return [
            (each.field, each.operator, each.value if each.age is None else max(now - each.age, FIRST_MOMENT))
            for each in self.terms
        ]


def search_of(text: str) -> Search:
    """Read a search; `InvalidQuery` says what is wrong, and for an unknown field names the nearest one."""
    if not isinstance(text, str) or len(text) > SEARCH_CHARACTERS:
        raise InvalidQuery(f"a search is text of at most {SEARCH_CHARACTERS} characters")
    if _UNSTORED.search(text):
        raise InvalidQuery(
            f"a search has no NUL and no half of a character: {quoted(text)} finds nothing that is stored"
        )
    try:
        return Search(text, tuple(_term(word) for word in _words(text)))
    except InvalidOption as error:
        raise InvalidQuery(str(error)) from None


def searched(name: str) -> str:
    """Return a name as it is written in a search that means it and no other."""
    if _PLAIN.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(text: str) -> list[list[Mark]]:
    """Return the words of a text; what is in quotes is part of one word."""
    words: list[list[Mark]] = [[]]
    quoting, marks = False, iter(text)
    for mark in marks:
        if mark == '"':
            quoting = not quoting
            words[-1] += [("", True)] if quoting else []
        elif quoting and mark == "\\":
            words[-1].append((next(marks, ""), True))
        elif mark.isspace() and not quoting:
            words.append([])
        else:
            words[-1].append((mark, quoting))
    if quoting:
        raise InvalidQuery(f"a quotation mark is missing at the end of {quoted(text)}")
    return [word for word in words if word]


def _term(word: list[Mark]) -> Term:
    negated = word[0] == ("-", False)
    name, *given = _split(word[negated:], ":", most=1)
    shown = _text(word)
    if not given:
        raise InvalidQuery(f"{quoted(shown)} has no field; write it like workflow:{shown or 'pay'}")
    if name and name[0] == ("@", False):
        term = _attribute(short_text(_text(name[1:]), "an attribute's name"), given[0], shown)
    else:
        term = _field(_text(name), given[0], shown)
    if negated and term.field == "state":
        # Indexes lead to the runs in these states, and not to those in no other state.
        return Term("state", "in", [state for state in RunState if state not in term.value])
    return Term(term.field, f"not {term.operator}", term.value, term.age) if negated else term


def _field(name: str, given: list[Mark], shown: str) -> Term:
    if name not in _FIELDS:
        near = difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.5)
        known = ", ".join([*_FIELDS, "@attribute"])
        mend = f"did you mean {near[0]}?" if near else f"the fields are {known}"
        raise InvalidQuery(f"there is no field {quoted(name)}; {mend}")
    field, read = _FIELDS[name]
    return read(field, given, shown)


def _texts(field: str, given: list[Mark], shown: str) -> Term:
    patterns = [
        [short_text(part, shown) if len(parts) == 1 else part for part in parts]
        for parts in (_parts(choice) for choice in _choices(given, shown))
    ]
    if all(len(pattern) == 1 for pattern in patterns):
        return Term(field, "in", [pattern[0] for pattern in patterns])
    return Term(field, "like", patterns)


def _errors(field: str, given: list[Mark], shown: str) -> Term:
    """Read types of errors; those of this package may be written without its name."""
    term = _texts(field, given, shown)
    if term.operator != "in":
        return term
    return Term(field, "in", [each for name in term.value for each in _types(name)])


def _types(name: str) -> list[str]:
    return [name] if "." in name else [name, f"continuum.{name}"]


def _yes_or_no(field: str, given: list[Mark], shown: str) -> Term:
    match _text(given):
        case "yes":
            return Term(field, "ne", None)
        case "no":
            return Term(field, "eq", None)
    raise InvalidQuery(f"{shown}: write yes or no")


def _ids(field: str, given: list[Mark], shown: str) -> Term:
    found = []
    for choice in map(_text, _choices(given, shown)):
        try:
            found.append(str(uuid.UUID(choice)))
        except ValueError:
            raise InvalidQuery(f"a run's id is a UUID, not {quoted(choice)}") from None
    return Term(field, "in", found)


def _states(field: str, given: list[Mark], shown: str) -> Term:
    found: dict[RunState, None] = {}
    for choice in map(_text, _choices(given, shown)):
        if choice.lower() not in _STATES:
            near = difflib.get_close_matches(choice.lower(), _STATES, n=1, cutoff=0.5)
            mend = f"did you mean {near[0]}?" if near else f"write one of {', '.join(_STATES)}"
            raise InvalidQuery(f"there is no state {quoted(choice)}; {mend}")
        found |= dict.fromkeys(_STATES[choice.lower()])
    return Term(field, "in", list(found))


def _time(field: str, given: list[Mark], shown: str) -> Term:
    operator, rest = _comparison(given)
    text = _text(rest)
    if operator is None:
        raise InvalidQuery(
            f"{shown}: write > or < before a time: {field.removesuffix('_at')}:>2d is more than two days ago"
        )
    age = _AGE.fullmatch(text)
    if age is not None:
        return Term(field, _EARLIER[operator], None, int(age[1]) * _UNITS[age[2]] * _SECOND)
    try:
        read = datetime.fromisoformat(text)
        at = microseconds_of(read if read.tzinfo is not None else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InvalidQuery(
            f"{quoted(text)} is neither an age like 90s, 30m, 12h, 2d or 1w "
            "nor a time like 2026-01-31T09:00:00Z"
        ) from None
    return Term(field, operator, min(max(at, FIRST_MOMENT), LAST_MOMENT))


def _waits(field: str, given: list[Mark], shown: str) -> Term:
    found = []
    for choice in _choices(given, shown):
        kind, *name = _split(choice, ":", most=1)
        if _text(kind) not in (*KINDS, NOTHING):
            raise InvalidQuery(
                f"a run waits for one of {', '.join((*KINDS, NOTHING))}, not {quoted(_text(kind))}; "
                "write waits:signal or waits:signal:NAME"
            )
        if name and _text(kind) == NOTHING:
            raise InvalidQuery(f"{shown}: nothing has no name; write waits:nothing")
        found.append((_text(kind), _parts(name[0]) if name else ["", ""]))
    return Term(field, "in", found)


_FIELDS: Mapping[str, tuple[str, Callable[[str, list[Mark], str], Term]]] = {
    "state": ("state", _states),
    "workflow": ("workflow", _texts),
    "version": ("version", _texts),
    "namespace": ("namespace", _texts),
    "id": ("id", _ids),
    "key": ("idempotency_key", _texts),
    "parent": ("parent", _ids),
    "started": ("started_at", _time),
    "updated": ("updated_at", _time),
    "ended": ("completed_at", _time),
    "paused": ("paused_at", _time),
    "error": ("failure", _errors),
    "fault": ("fault", _texts),
    "continued": ("continued_to", _yes_or_no),
    "waits": ("waits", _waits),
}


def _attribute(name: str, given: list[Mark], shown: str) -> Term:
    field = ("attributes", name)
    operator, rest = _comparison(given)
    if operator is not None:
        return Term(field, operator, _json_scalar(rest))
    found: list[Any] = []
    for choice in _choices(given, shown):
        if ("*", False) in choice:
            raise InvalidQuery(f"{shown}: * stands for any characters in names only; quote it to mean itself")
        # Text that reads as a number may be either.
        found += [_text(choice), *([] if isinstance(scalar := _json_scalar(choice), str) else [scalar])]
    return Term(field, "in", found)


def _comparison(given: list[Mark]) -> tuple[str | None, list[Mark]]:
    """Return the operator before a value, and the value."""
    for length in (2, 1):
        begin = given[:length]
        if _text(begin) in _COMPARED and not _is_quoted(begin):
            return _COMPARED[_text(begin)], given[length:]
    return None, given


def _json_scalar(given: list[Mark]) -> Any:
    """Return a number or a truth value, if a text without quotes is one, else the text."""
    text = _text(given)
    if _is_quoted(given) or not _SCALAR.fullmatch(text):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _choices(given: list[Mark], shown: str) -> list[list[Mark]]:
    found = _split(given, ",")
    if not all(found):
        raise InvalidQuery(f"{shown}: a value is missing; write it like state:failed,blocked")
    return found


def _parts(given: list[Mark]) -> list[str]:
    return [_text(part) for part in _split(given, "*")]


def _split(marks: list[Mark], separator: str, most: int = -1) -> list[list[Mark]]:
    """Split at a character that is not in quotes, `most` times or everywhere."""
    found: list[list[Mark]] = [[]]
    for mark in marks:
        if mark == (separator, False) and len(found) != most + 1:
            found.append([])
        else:
            found[-1].append(mark)
    return found


def _is_quoted(marks: list[Mark]) -> bool:
    return any(in_quotes for _, in_quotes in marks)


def _text(marks: list[Mark]) -> str:
    return "".join(mark for mark, _ in marks)
