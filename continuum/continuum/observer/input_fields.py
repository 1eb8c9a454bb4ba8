"""Fields of forms for values: made from JSON Schema where a contract is stored, and read again from a post.

A field's name says how it is read: ``text:NAME`` is a text as it is typed, ``json:NAME`` is JSON, in which
`{"$date": "2026-01-31"}` is a value that JSON has not. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from continuum.contracts.typed_json import NotAValue, NotExpressible, as_given, read_json
from continuum.contracts.workflow_contract import CallContract
from continuum.errors import InvalidOption
from continuum.observer.payloads import HIDDEN

TEXT, JSON = "text", "json"
# A value is at most this long in one field of several.
_EXAMPLES: Mapping[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "null": None}
_DEEPEST_EXAMPLE = 4
MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class InputField:
    """A field for one value: `kind` is ``text`` or ``json``; `choices` are the texts that it may have."""

    name: str
    label: str
    kind: str = JSON
    value: str = ""
    example: str = ""
    required: bool = False
    about: str | None = None
    choices: tuple[str, ...] = ()
    rows: int = 1


def field_of(
    name: str, schema: Any, *, label: str | None = None, value: Any = MISSING, required: bool = False
) -> InputField:
    """Return the field of a value with this JSON Schema; anything goes for an empty one."""
    described: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
    definitions = described.get("$defs", {})
    resolved = _resolved(described, definitions)
    given = resolved.get("default", MISSING) if value is MISSING else value
    about = described.get("description") or resolved.get("description")
    choices = resolved.get("enum", ())
    is_text = resolved.get("type") == "string" or (choices and all(isinstance(each, str) for each in choices))
    if is_text and (given is MISSING or isinstance(given, str)):
        text = "" if given is MISSING else given
        return InputField(name, label or name, TEXT, text, "", required, about, tuple(map(str, choices)))
    text = "" if given is MISSING else json_of(given)
    example = json.dumps(_example(resolved, definitions, 0), ensure_ascii=False)
    rows = min(max(text.count("\n") + 1, 3 if resolved.get("type") in ("object", "array") else 1), 16)
    options = tuple(json.dumps(each, ensure_ascii=False) for each in choices)
    if resolved.get("type") == "boolean":
        options = ("true", "false")
    return InputField(name, label or name, JSON, text, example, required, about, options, rows)


def fields_of(contract: CallContract, given: Mapping[str, Any]) -> tuple[InputField, ...]:
    """Return the fields of a call's parameters, filled in with what is given of them."""
    schema = contract.input
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    return tuple(
        field_of(
            place.name,
            {"$defs": schema.get("$defs", {}), **properties.get(place.name, {})},
            value=given.get(place.name, MISSING),
            required=place.name in required,
        )
        for place in contract.parameters
        if place.kind != "more"
    )


def json_of(value: Any) -> str:
    """Return a value as the JSON that is read as it, or as near as JSON comes."""
    try:
        return json.dumps(as_given(value), indent=2, ensure_ascii=False)
    except NotExpressible:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def values_of(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a form's fields by name; one that is empty and no text is left out."""
    found: dict[str, Any] = {}
    for key, text in form.items():
        kind, separator, name = key.partition(":")
        if not separator or kind not in (TEXT, JSON):
            continue
        if HIDDEN in text:
            raise InvalidOption(f"{name} has a part that is hidden: type what belongs in place of {HIDDEN}")
        if kind == TEXT:
            found[name] = text
        elif text.strip():
            found[name] = value_of(text, name)
    return found


def value_of(text: str, name: str) -> Any:
    """Return the value of JSON that a person has typed; `InvalidOption` if it is none."""
    try:
        return read_json(text)
    except NotAValue as error:
        raise InvalidOption(f"{name}: {error}") from None


def map_of(text: str, name: str) -> dict[str, Any]:
    """Return the map that JSON is; nothing is an empty one."""
    value = read_plain(text, name) if text.strip() else {}
    if not isinstance(value, dict):
        raise InvalidOption(f'{name}: this is a JSON map, like {{"vip": true}}')
    return value


def read_plain(text: str, name: str) -> Any:
    """Return JSON without typed values in it."""
    try:
        return read_json(text, typed=False)
    except NotAValue as error:
        raise InvalidOption(f"{name}: {error}") from None


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with what it refers to in its place."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found = definitions.get(reference.rpartition("/")[2], {})
    return {**found, **{name: item for name, item in schema.items() if name != "$ref"}}


def _example(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Any:
    schema = _resolved(schema, definitions)
    if "default" in schema:
        return schema["default"]
    if schema.get("enum"):
        return schema["enum"][0]
    for each in schema.get("anyOf", ()):
        return _example(each, definitions, depth)
    kind = schema.get("type")
    if kind == "object" and depth < _DEEPEST_EXAMPLE:
        return {
            name: _example(item, definitions, depth + 1)
            for name, item in schema.get("properties", {}).items()
        }
    if kind == "array" and schema.get("items") and depth < _DEEPEST_EXAMPLE:
        return [_example(schema["items"], definitions, depth + 1)]
    return _EXAMPLES.get(kind, {} if kind == "object" else "text") if isinstance(kind, str) else "text"
