"""The JSON Schema of an annotation, made from the shape that the codec decodes with.

A shape describes itself with the shapes inside it (`Shape.describes`), so that there is no second reading of
annotations that could differ from the first. The schema takes no JSON that the decoder refuses, except where
only code of the user's can tell: what `__post_init__`, a converter or the constructor of a subclass raises,
what a pydantic model's own validators refuse, and an enum with a `_missing_` of its own. It refuses little
that the decoder takes: `true` for an `int`, say.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from continuum.codec.literals_and_enums import read_choice
from continuum.codec.record_types import is_pydantic
from continuum.codec.shape_of_type import Undecodable, literal_fields, shape_of
from continuum.codec.shapes import ANYTHING, Shape
from continuum.codec.unions import told_by_field, told_by_literal
from continuum.contracts.descriptions import (
    MISSING,
    cleaned,
    defaults_of,
    description_of_annotation,
    description_of_class,
)
from continuum.contracts.notations import NOTHING, Notation, Schema
from continuum.contracts.pydantic_schema import model_schema
from continuum.contracts.typed_json import NotExpressible, as_given

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Records are described once, but an alias that repeats itself in other aliases could grow exponentially.
DESCRIBED_SHAPES = 5_000

_SETS = frozenset(("set", "frozenset"))
_ABSTRACT_SETS = frozenset(("Set", "MutableSet"))
# What JSON can be that a set can hold: whatever is no list and no map.
_HASHABLE: Schema = {"type": ["string", "number", "boolean", "null"]}


class SchemaMaker:
    """Makes the schemas of annotations that share their definitions of records."""

    def __init__(self, notation: Notation) -> None:
        self._notation = notation
        self._definitions: dict[str, Schema] = {}
        self._names: dict[int, str] = {}
        self._open: dict[int, Shape] = {}
        # A shape that the codec does not keep could give its id to another one.
        self._described: list[Shape] = []

    def schema(self, annotation: Any) -> Schema:
        """Return the schema of an annotation; `whole` adds the definitions that it refers to."""
        try:
            made = self._of(shape_of(annotation))
        except Undecodable as error:
            return {**NOTHING, "description": cleaned(f"cannot be read: {error}")}
        description = description_of_annotation(annotation)
        return made if description is None else {**made, "description": description}

    def whole(self, schema: Schema) -> Schema:
        """Return a schema that stands by itself, with all definitions that were made until now."""
        definitions = {"$defs": dict(self._definitions)} if self._definitions else {}
        return {"$schema": DIALECT, **schema, **definitions}

    def default(self, value: Any) -> Schema:
        """Return the part of a schema that names a default, nothing if JSON cannot express it."""
        if value is MISSING:
            return {}
        try:
            return {"default": as_given(value)}
        except Exception:  # noqa: BLE001 - a value of the user's may raise anything; a form does without it
            return {}

    def _of(self, shape: Shape) -> Schema:
        if shape.late is not None:
            shape = shape.late()
        key = id(shape)
        if key in self._names:
            return self._reference(key)
        if key in self._open:
            self._names[key] = self._new_name(shape)
            return self._reference(key)
        if len(self._described) >= DESCRIBED_SHAPES:
            return {}
        self._described.append(shape)
        self._open[key] = shape
        try:
            made = self._described_by(shape)
        finally:
            del self._open[key]
        if shape.record is None and key not in self._names:
            return made
        name = self._names.setdefault(key, self._new_name(shape))
        self._definitions[name] = made
        return self._reference(key)

    def _reference(self, key: int) -> Schema:
        return {"$ref": f"#/$defs/{self._names[key]}"}

    def _new_name(self, shape: Shape) -> str:
        cls = shape.record or shape.made
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", cls.__name__ if cls is not None else "value").strip("-")
        taken = {*self._names.values(), *self._definitions}
        return next(
            name for name in (plain, *(f"{plain}-{n}" for n in range(2, 1_000_000))) if name not in taken
        )

    def _described_by(self, shape: Shape) -> Schema:
        if shape.record is not None and is_pydantic(shape.record):
            return self._model(shape)
        match shape.describes(lambda inner: inner):
            case Shape() as same:
                return self._of(same)
            case "any" if not shape.passes and shape.made is None and shape.record is None:
                # Its annotation names a class that cannot be found: only a map needs it.
                return {"not": {"type": "object"}}
            case str(name):
                return self._named(shape, self._notation.scalars.get(name, {}))
            case {"record": _, "fields": fields, "required": required}:
                return self._record(shape, fields, required)
            case {"items": items}:
                return self._tuple(items, len(items), ())
            case {"union": [{"items": fewest}, *_] as lengths} if shape.made is not None:
                return self._named(shape, self._tuple(lengths[-1]["items"], len(fewest), shape.made._fields))  # type: ignore[attr-defined]
            case {"union": members}:
                return self._union([each.late() if each.late else each for each in members])
            case {"dict": [key, item]}:
                return self._named(shape, self._mapping(key, item))
            case {"literal": choices} | {"enum": choices}:
                return self._named(shape, self._choices(choices))
            case dict(one):
                ((kind, item),) = one.items()
                return self._named(shape, self._collection(kind, item))
            case _:
                return {}

    def _named(self, shape: Shape, schema: Schema) -> Schema:
        """Add the name of the class that is made of the value."""
        if shape.made is None:
            return schema
        description = description_of_class(shape.made)
        named = {"title": shape.made.__name__, **schema}
        return named if description is None else {**named, "description": description}

    def _record(self, shape: Shape, fields: Mapping[str, Shape], required: Sequence[str]) -> Schema:
        cls: Any = shape.record
        hints = _hints(cls)
        defaults = defaults_of(cls)
        order = [name for name in hints if name in fields]
        properties = {}
        for name in [*order, *(name for name in fields if name not in order)]:
            description = description_of_annotation(hints.get(name))
            properties[name] = {
                **self._of(fields[name]),
                **({} if description is None else {"description": description}),
                **self.default(defaults.get(name, MISSING)),
            }
        made: Schema = {"type": "object", "title": cls.__name__}
        if (description := description_of_class(cls)) is not None:
            made["description"] = description
        return {
            **made,
            "properties": properties,
            "required": [name for name in properties if name in required],
        }

    def _model(self, shape: Shape) -> Schema:
        name = self._names.setdefault(id(shape), self._new_name(shape))
        made, definitions = model_schema(shape.record, name, self._notation.pydantic_mode)
        self._definitions |= definitions
        return made

    def _tuple(self, items: Sequence[Shape], fewest: int, names: Sequence[str]) -> Schema:
        made: Schema = {"type": "array", "minItems": fewest, "maxItems": len(items)}
        if items:
            titles = [{"title": name} for name in names] or [{} for _ in items]
            made["prefixItems"] = [
                {**title, **self._of(item)} for title, item in zip(titles, items, strict=True)
            ]
        return made

    def _union(self, members: Sequence[Shape]) -> Schema:
        records = [each for each in members if each.record is not None]
        chosen = len(records) > 1 and self._notation.records_by_field
        parts = [self._of(each) for each in members if not chosen or each.record is None]
        if chosen:
            parts += self._chosen_records(records)
        if {} in parts:
            return {}
        flat = [inner for part in parts for inner in (part["anyOf"] if part.keys() == {"anyOf"} else [part])]
        return {"anyOf": [part for at, part in enumerate(flat) if part not in flat[:at]]}

    def _chosen_records(self, records: Sequence[Shape]) -> list[Schema]:
        """Return the schema of each record, which takes only what the decoder reads as that record."""
        by_literal = told_by_literal(records, literal_fields)
        if by_literal is not None:
            return [{**self._of(record), "required": [by_literal[0]]} for record in records]
        telltales, last = told_by_field(records)
        parts: list[Schema] = []
        seen: list[Schema] = []
        for field, record in telltales:
            parts.append({**self._of(record), **_without(seen)})
            seen.append({"required": [field]})
        return parts if last is None else [*parts, {**self._of(last), **_without(seen)}]

    def _mapping(self, key: Shape, item: Shape) -> Schema:
        if self._notation.abstract_sets and key.record is not None:
            # Records are no keys in JSON: it is printed as pairs, if there are any.
            return {"type": ["array", "object"]}
        made: Schema = {"type": "object", "additionalProperties": self._of(item)}
        names = self._of(key)
        # Printed keys are text, whatever they were.
        if names in ({}, {"type": "string"}) or (self._notation.abstract_sets and "enum" not in names):
            names = self._notation.keys
        return {**made, "propertyNames": names} if names else made

    def _choices(self, choices: Sequence[Any]) -> Schema:
        known = []
        for choice in choices:
            try:
                value = self._notation.value(read_choice(choice))
            except NotExpressible:
                continue
            if isinstance(value, list) and not self._notation.abstract_sets:
                continue  # JSON has no tuple, and a list is no member
            known.append(value)
        return {"enum": known} if known else NOTHING

    def _collection(self, kind: str, item: Shape) -> Schema:
        if kind in _ABSTRACT_SETS and not self._notation.abstract_sets:
            # Only a set fits, and JSON has none.
            return NOTHING
        items = _HASHABLE if kind in _SETS and item is ANYTHING else self._of(item)
        return {"type": "array", "items": items} if items else {"type": "array"}


def _without(seen: Sequence[Schema]) -> Schema:
    if not seen:
        return {}
    return {"not": seen[0] if len(seen) == 1 else {"anyOf": list(seen)}}


def _hints(cls: Any) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001 - one name that cannot be found must not hide the fields
        return {}
