"""The schema of a pydantic model: its own, because its own validation is what decodes it.

Models are stored under field names, and printed with bytes in base64 and durations in seconds, as all
results are.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from continuum.contracts.descriptions import cleaned
from continuum.contracts.notations import DECIMAL, PRINTED, Schema


def model_schema(model: Any, name: str, mode: str) -> tuple[Schema, dict[str, Schema]]:
    """Return the schema of a model and the definitions it refers to, whose names begin with `name`."""
    try:
        made: Schema = model.model_json_schema(
            by_alias=False,
            mode=mode,
            ref_template=f"#/$defs/{name}.{{model}}",
            schema_generator=_printed() if mode == "serialization" else _given(),
        )
    except Exception as error:  # noqa: BLE001 - a model may hold what has no schema; it decodes all the same
        return {"title": model.__name__, "description": cleaned(f"has no schema: {error}")}, {}
    definitions = {f"{name}.{each}": schema for each, schema in made.pop("$defs", {}).items()}
    return made, definitions


@cache
def _given() -> Any:
    from pydantic.json_schema import GenerateJsonSchema

    class Given(GenerateJsonSchema):
        def decimal_schema(self, schema: Any) -> Schema:
            # Some releases of pydantic say that any text is a number.
            return {"anyOf": [{"type": "number"}, dict(DECIMAL)]}

    return Given


@cache
def _printed() -> Any:
    class Printed(_given()):  # type: ignore[misc]  # pydantic is no requirement of ours
        def timedelta_schema(self, schema: Any) -> Schema:
            return dict(PRINTED.scalars["timedelta"])

        def bytes_schema(self, schema: Any) -> Schema:
            return dict(PRINTED.scalars["bytes"])

        def decimal_schema(self, schema: Any) -> Schema:
            return dict(PRINTED.scalars["Decimal"])

    return Printed
