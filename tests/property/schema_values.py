"""Draws the JSON values that a JSON Schema takes, as far as our contracts use its words."""

from __future__ import annotations

import base64
from typing import Any

import jsonschema
from hypothesis import strategies as st

# A key with a dollar sign would name a type.
keys = st.text(st.characters(exclude_characters="$", exclude_categories=["Cs"]), max_size=5)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=5,
)
FORMATS: dict[str, st.SearchStrategy[str]] = {
    "date": st.dates().map(lambda day: day.isoformat()),
    "date-time": st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    "uuid": st.uuids().map(str),
    "time": st.times().map(lambda moment: moment.isoformat()),
    "duration": st.integers(0, 10_000).map(lambda seconds: f"PT{seconds}S"),
    "binary": texts,
}

_validators: dict[int, tuple[Any, Any]] = {}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether a schema takes a value, by a library that knows nothing of us."""
    known = _validators.get(id(schema))
    if known is None:
        checked = jsonschema.Draft202012Validator
        made = checked(schema, format_checker=checked.FORMAT_CHECKER)
        # With the schema, whose id no other one may have meanwhile.
        known = _validators[id(schema)] = made, schema
    return known[0].is_valid(value)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a whole schema takes."""
    return Drawing(schema).of(schema).filter(lambda value: accepts(schema, value))


class Drawing:
    """Values of the parts of one schema, whose definitions may contain themselves."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, st.SearchStrategy[Any]] = {}

    def of(self, schema: Any) -> st.SearchStrategy[Any]:
        """Return values of a part; what `not` rules out, the caller leaves out."""
        if schema in (True, {}):
            return anything
        if schema is False or schema.get("not") == {}:
            return st.nothing()
        if "$ref" in schema:
            return self._referred(schema["$ref"])
        if "anyOf" in schema:
            return st.one_of([self.of(each) for each in schema["anyOf"]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "const" in schema:
            return st.just(schema["const"])
        kinds = schema.get("type")
        if kinds is None:
            return anything
        return st.one_of(
            [self._of_type(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
        )

    def _referred(self, reference: str) -> st.SearchStrategy[Any]:
        name = reference.removeprefix("#/$defs/")
        if name not in self._known:
            self._known[name] = st.deferred(lambda: self.of(self._root["$defs"][name]))
        return self._known[name]

    def _of_type(self, kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        match kind:
            case "object":
                return self._objects(schema)
            case "array":
                return self._arrays(schema)
            case "string":
                return _strings(schema)
            case "integer":
                return st.integers()
            case "number":
                least, most = schema.get("minimum"), schema.get("maximum")
                return st.integers(least, most) | st.floats(
                    least, most, allow_nan=False, allow_infinity=False
                )
            case "boolean":
                return st.booleans()
        assert kind == "null"
        return st.none()

    def _objects(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        parts = {name: self.of(each) for name, each in schema.get("properties", {}).items()}
        needed = {name: parts.pop(name) for name in schema.get("required", ()) if name in parts}
        objects = st.fixed_dictionaries(needed, optional=parts)
        others = schema.get("additionalProperties", False)
        if others is False:
            return objects
        names = keys
        if "propertyNames" in schema:
            names = self.of(schema["propertyNames"]).filter(lambda name: isinstance(name, str))
        more = st.dictionaries(names, self.of(others), max_size=3)
        return st.builds(lambda some, fixed: {**some, **fixed}, more, objects)

    def _arrays(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        if "prefixItems" in schema:
            items = [self.of(each) for each in schema["prefixItems"]]
            lengths = range(schema.get("minItems", 0), len(items) + 1)
            return st.one_of([st.tuples(*items[:length]).map(list) for length in lengths])
        if schema.get("maxItems") == 0:
            return st.just([])
        return st.lists(self.of(schema.get("items", True)), max_size=3)


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "contentEncoding" in schema:
        return st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode())
    if "format" in schema:
        return FORMATS[schema["format"]]
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    return texts
