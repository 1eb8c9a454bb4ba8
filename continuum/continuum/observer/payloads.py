"""Payloads as text: what runs work with, as far as a visitor may see it.

Everything that came from a user's code or form passes here on its way to a page or the API: inputs, results,
published values, signals, messages of errors. A viewer sees what kind of value it is and how large, and no
more. `redact` hides parts of values from everybody. A path begins with what the value is (`input`, `result`,
`value`, `published`, `error`), then the names and places inside it: `input.0.card`. A pattern such as
``*.card`` hides each path that ends like it, however deep; ``*`` is any one part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from continuum.client import RunError
from continuum.journal.untyped_values import Unreadable
from continuum.observer.limits import PAYLOAD_CHARACTERS
from continuum.operations.explanation import Cause, Explanation
from continuum.operations.json_text import to_json
from continuum.quoting import one_line

HIDDEN = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}hidden\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
_ANY = "*"
# What causes say of errors and of the arguments of calls; their sentences repeat it.
_TEXTS_OF_EVIDENCE = ("message", "error", "root", "summary")
_KINDS = {dict: "map", list: "list", str: "text", bool: "truth value", int: "number", float: "number"}


@dataclass(frozen=True, slots=True)
class Payload:
    """A value as a visitor sees it.

    `text` is JSON, None for those who may not see it; the last `cut` characters of it are left out. `kind`
    and `size` (in characters) say what it is for everybody.
    """

    text: str | None
    kind: str
    size: int
    cut: int = 0

    @property
    def is_short(self) -> bool:
        """Whether it fits on a line."""
        return self.text is not None and len(self.text) <= 80 and "\n" not in self.text

    @property
    def may_scroll(self) -> bool:
        """Whether it may be higher than a page leaves room for, so that the keyboard has to reach it."""
        return self.text is not None and (len(self.text) > 400 or self.text.count("\n") > 12)


@dataclass(frozen=True, slots=True)
class ErrorShown:
    """An error as a visitor sees it; the type is seen by everybody."""

    type: str
    message: Payload
    traceback: Payload


@dataclass(frozen=True, slots=True)
class Payloads:
    """What a visitor may see: nothing but the kinds if not `sees`, and never what `redact` names."""

    sees: bool
    redact: Sequence[str] = ()

    def shown(self, value: Any, under: str) -> Payload:
        """Return a value that a page shows; `under` is what it is, the beginning of its paths."""
        if isinstance(value, Unreadable):
            return Payload(f"This cannot be read: {value.reason}", "unreadable", 0)
        given = json.loads(to_json(value))
        whole = json.dumps(given, ensure_ascii=False)
        kind = _kind(given)
        if not self.sees:
            return Payload(None, kind, len(whole))
        visible = self.masked(given, under)
        text = (
            whole
            if visible is given and len(whole) <= 60
            else json.dumps(visible, indent=2, ensure_ascii=False)
        )
        return _cut(text, kind, len(whole))

    def text(self, text: str, under: str) -> Payload:
        """Return a text that is no JSON, such as the message of an error."""
        if not self.sees:
            return Payload(None, "text", len(text))
        return _cut(HIDDEN if self._is_hidden(under) else text, "text", len(text))

    def error(self, error: RunError | None) -> ErrorShown | None:
        """Return the error of a run."""
        if error is None:
            return None
        traceback = error.traceback
        if self.sees and self._is_hidden("error.message") and error.message:
            # Its last line repeats the message.
            traceback = traceback.replace(error.message, HIDDEN)
        return ErrorShown(
            error.type,
            self.text(error.message, "error.message"),
            self.text(traceback, "error.traceback"),
        )

    def explanation(self, found: Explanation) -> Explanation:
        """Return why a run is where it is, for a viewer without what errors say."""
        if self.sees and not self._is_hidden("error.message"):
            return found
        secret = sorted({text for cause in found.causes for text in _texts(cause)}, key=len, reverse=True)
        causes = tuple(
            replace(_without(cause, secret), evidence=_without_texts(cause.evidence))
            for cause in found.causes
        )
        return replace(found, sentence=_hiding(found.sentence, secret), causes=causes)

    def masked(self, value: Any, path: str) -> Any:
        """Return a value with what is hidden in it masked; the same object if nothing is."""
        if not self.redact:
            return value
        if self._is_hidden(path):
            return HIDDEN
        match value:
            case dict():
                new: Any = {name: self.masked(item, f"{path}.{name}") for name, item in value.items()}
                same = all(new[name] is item for name, item in value.items())
            case list() | tuple():
                new = [self.masked(item, f"{path}.{place}") for place, item in enumerate(value)]
                same = all(mine is item for mine, item in zip(new, value, strict=True))
            case _:
                return value
        return value if same else new

    def _is_hidden(self, path: str) -> bool:
        parts = path.split(".")
        return any(_matches(pattern.split("."), parts) for pattern in self.redact)


def _matches(pattern: list[str], path: list[str]) -> bool:
    end = path[-len(pattern) :]
    return len(end) == len(pattern) and all(
        mine in (_ANY, part) for mine, part in zip(pattern, end, strict=True)
    )


def _kind(value: Any) -> str:
    name = _KINDS.get(type(value), "nothing")
    return f"{name} of {len(value)}" if isinstance(value, dict | list) else name


def _cut(text: str, kind: str, size: int) -> Payload:
    shown = text[:PAYLOAD_CHARACTERS]
    return Payload(shown, kind, size, len(text) - len(shown))


def _texts(cause: Cause) -> list[str]:
    """Return what errors say in a cause, in each form in which a sentence may repeat it."""
    found = []
    for name in _TEXTS_OF_EVIDENCE:
        value = cause.evidence.get(name)
        text = value.get("message") if isinstance(value, Mapping) else value
        if isinstance(text, str):
            # An attempt that failed is `Type: message`; the type may be seen.
            forms = [text, one_line(text)]
            found += [form.partition(": ")[2] for form in forms] if name == "error" else forms
    return [text for text in found if text]


def _without(cause: Cause, secret: Sequence[str]) -> Cause:
    fixes = tuple(replace(fix, when=fix.when and _hiding(fix.when, secret)) for fix in cause.fixes)
    return replace(cause, sentence=_hiding(cause.sentence, secret), fixes=fixes)


def _without_texts(evidence: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in evidence.items():
        if isinstance(value, Mapping):
            shown[name] = _without_texts(value)
        elif name == "error" and isinstance(value, str):
            shown[name] = f"{value.partition(': ')[0]}: {HIDDEN}"
        else:
            shown[name] = HIDDEN if name in _TEXTS_OF_EVIDENCE and value else value
    return shown


def _hiding(text: str, secret: Sequence[str]) -> str:
    return re.sub("|".join(map(re.escape, secret)), HIDDEN, text) if secret else text
