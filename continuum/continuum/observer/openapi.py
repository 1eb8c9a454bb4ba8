"""The OpenAPI document of `/api/v1`, made from the records of the pages. Pure functions.

A record's schema says what `json_text.to_json` makes of it: dataclasses are objects, times are texts.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from continuum.observer.page import Page
from continuum.release import release

_PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "number", "description": "seconds"},
    type(None): {"type": "null"},
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_ERRORS = {
    "400": "what was asked cannot be asked",
    "401": "nobody has signed in",
    "404": "there is no such thing",
    "503": "the database does not answer",
}


def openapi(pages: Sequence[Page]) -> dict[str, Any]:
    """Return the document."""
    schemas = _Schemas()
    paths: dict[str, Any] = {}
    for page in pages:
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)", page.path)
        ]
        failures = {
            status: {"description": text, "content": {"application/json": {"schema": _ERROR}}}
            for status, text in _ERRORS.items()
        }
        answer = {
            "description": page.about,
            "content": {"application/json": {"schema": schemas.of(page.records)}},
        }
        address = "/api/v1" + ("" if page.path == "/" else re.sub(r"\{(\w+):\w+\}", r"{\1}", page.path))
        paths[address] = {
            "get": {
                "operationId": page.name,
                "summary": page.about,
                "parameters": parameters,
                "responses": {"200": answer, **failures},
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Continuum observer", "version": release()},
        "paths": paths,
        "components": {
            "schemas": schemas.known,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


class _Schemas:
    """The schemas of records, by their names."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self._names: dict[tuple[Any, ...], str] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """Return the schema of a type."""
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(each) for each in arguments]}
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if is_dataclass(origin or kind):
            return self._record(origin or kind, arguments)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"enum": [each.value for each in kind]}
        return self._container(origin or kind, arguments)

    def _container(self, kind: Any, arguments: Sequence[Any]) -> dict[str, Any]:
        if not isinstance(kind, type):
            return self.of(kind.__supertype__) if hasattr(kind, "__supertype__") else {}
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            # A named tuple is a list in JSON.
            return {"type": "array", "prefixItems": [self.of(each) for each in get_type_hints(kind).values()]}
        if issubclass(kind, tuple) and arguments and arguments[-1] is not Ellipsis:
            return {"type": "array", "prefixItems": [self.of(each) for each in arguments]}
        if issubclass(kind, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1]) if arguments else {}}
        if issubclass(kind, Sequence | set | frozenset):
            return {"type": "array", "items": self.of(arguments[0]) if arguments else {}}
        return {}

    def _record(self, record: Any, arguments: Sequence[Any]) -> dict[str, Any]:
        name = self._names.get((record, *arguments))
        if name is not None:
            return {"$ref": f"#/components/schemas/{name}"}
        name = "Of".join((record.__name__, *(_name(each) for each in arguments)))
        if name in self.known:
            # Another record of this name.
            name = f"{record.__module__.rpartition('.')[2].title().replace('_', '')}{name}"
        self._names[record, *arguments] = name
        # Known at once, for a record may hold records of its own kind.
        self.known[name] = {}
        bound = dict(zip(getattr(record, "__parameters__", ()), arguments, strict=False))
        hints = get_type_hints(record)
        properties = {each.name: self.of(_bind(hints[each.name], bound)) for each in fields(record)}
        self.known[name] = {
            "type": "object",
            "description": " ".join((record.__doc__ or "").split()),
            "required": list(properties),
            "properties": properties,
        }
        return {"$ref": f"#/components/schemas/{name}"}


def _bind(kind: Any, bound: Mapping[Any, Any]) -> Any:
    """Return a type with its variables replaced."""
    if isinstance(kind, TypeVar):
        return bound.get(kind, Any)
    if get_origin(kind) in (Union, types.UnionType):
        return Union[tuple(_bind(each, bound) for each in get_args(kind))]  # noqa: UP007  # made at run time
    return kind


def _name(kind: Any) -> str:
    words = [getattr(kind, "__name__", str(kind)), *(_name(each) for each in get_args(kind))]
    return "Of".join(re.sub(r"\W", "", word) for word in words)
