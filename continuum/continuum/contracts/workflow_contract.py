"""The contract of a workflow: what it takes, what it returns and which signals it reads, as JSON Schema.

`contract_of` makes it from code. A node stores its document with the version (`documents.storable`), so that
an observer, which has no code, can read it again with `from_document` and make a form of it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, NamedTuple, TypeAlias

from continuum.codec.arguments import ArgumentsCodec
from continuum.contracts.descriptions import MISSING, cleaned
from continuum.contracts.json_schema import SchemaMaker
from continuum.contracts.notations import GIVEN, PRINTED, Schema
from continuum.definitions.activity import Activity
from continuum.definitions.workflow import Workflow

KINDS: Mapping[Any, str] = {
    Parameter.POSITIONAL_ONLY: "positional",
    Parameter.POSITIONAL_OR_KEYWORD: "either",
    Parameter.VAR_POSITIONAL: "rest",
    Parameter.KEYWORD_ONLY: "keyword",
    Parameter.VAR_KEYWORD: "more",
}
"""How a parameter is given: by place, by name, either, the rest by place, or any more by name."""

Document: TypeAlias = Mapping[str, Any]


class Place(NamedTuple):
    """A parameter, in the order of the signature; `kind` is one of `KINDS`."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class CallContract:
    """What a call takes and returns.

    `input` is the schema of a map from parameter names to values, as JSON that is given (see `typed_json`);
    `parameters` says how to make a call of it (`call_arguments.call_of`). `result` describes a result as it
    is printed. Each schema stands by itself.
    """

    name: str
    description: str | None
    parameters: Sequence[Place]
    input: Schema
    result: Schema


@dataclass(frozen=True, slots=True)
class WorkflowContract(CallContract):
    """The contract of one version of a workflow; `signals` None if it takes signals of any name."""

    version: str
    label: str
    signals: Mapping[str, Schema] | None

    def as_document(self) -> dict[str, Any]:
        """Return the contract as JSON."""
        return {
            "version": self.version,
            "label": self.label,
            **call_document(self),
            "signals": None if self.signals is None else dict(self.signals),
        }

    @classmethod
    def from_document(cls, workflow: str, document: Document) -> WorkflowContract | None:
        """Return the contract that a document is of; None if it is of none, or of a newer release's kind."""
        try:
            signals = document["signals"]
            return cls(
                workflow,
                document.get("description"),
                [Place(str(each["name"]), str(each["kind"])) for each in document["parameters"]],
                dict(document["input"]),
                dict(document["result"]),
                str(document["version"]),
                str(document["label"]),
                None if signals is None else {str(name): dict(each) for name, each in signals.items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return None


def workflow_contracts(workflows: Iterable[Workflow[..., Any]]) -> Mapping[str, WorkflowContract]:
    """Return the contract of each workflow by its name; of several versions, the highest label's."""
    newest: dict[str, Workflow[..., Any]] = {}
    for workflow in workflows:
        known = newest.setdefault(workflow.name, workflow)
        if int(workflow.label) > int(known.label):
            newest[workflow.name] = workflow
    return {name: contract_of(newest[name]) for name in sorted(newest)}


def contract_of(workflow: Workflow[..., Any]) -> WorkflowContract:
    """Return the contract of a workflow's code."""
    call = _call_contract(workflow.name, workflow.fn, workflow.arguments, workflow.result_type)
    signals = {name: _alone(signal.type) for name, signal in workflow.signals.items()}
    return WorkflowContract(
        call.name,
        call.description,
        call.parameters,
        call.input,
        call.result,
        workflow.version_hash,
        workflow.label,
        signals or None,
    )


def activity_contract(activity: Activity[..., Any]) -> CallContract:
    """Return the contract of an activity."""
    return _call_contract(activity.name, activity.fn, activity.arguments, activity.result_type)


def call_document(contract: CallContract) -> dict[str, Any]:
    """Return the part of a document that workflows and activities share."""
    return {
        "description": contract.description,
        "parameters": [each._asdict() for each in contract.parameters],
        "input": contract.input,
        "result": contract.result,
    }


def _call_contract(name: str, fn: Any, arguments: ArgumentsCodec, result: Any) -> CallContract:
    parameters = arguments.signature.parameters.values()
    returned = SchemaMaker(PRINTED)
    return CallContract(
        name,
        cleaned(inspect.getdoc(fn)),
        [Place(each.name, KINDS[each.kind]) for each in parameters],
        _input_schema(name, arguments),
        returned.whole(returned.schema(result)),
    )


def _input_schema(name: str, arguments: ArgumentsCodec) -> Schema:
    maker = SchemaMaker(GIVEN)
    properties: dict[str, Schema] = {}
    others: Any = False
    required = []
    for each in arguments.signature.parameters.values():
        hint = arguments.annotations.get(each.name, Any)
        # The codec takes any keyword where `**more: Unpack[...]` says which there are.
        schema = maker.schema(Any if typing.get_origin(hint) is typing.Unpack else hint)
        if each.kind is Parameter.VAR_KEYWORD:
            others = schema or True
        elif each.kind is Parameter.VAR_POSITIONAL:
            properties[each.name] = {"type": "array", "items": schema} if schema else {"type": "array"}
        else:
            default = MISSING if each.default is Parameter.empty else each.default
            properties[each.name] = {**schema, **maker.default(default)}
            if default is MISSING:
                required.append(each.name)
    made: Schema = {"type": "object", "title": name, "properties": properties, "required": required}
    return maker.whole({**made, "additionalProperties": others})


def _alone(annotation: Any) -> Schema:
    maker = SchemaMaker(GIVEN)
    return maker.whole(maker.schema(annotation))
