"""Contracts: what workflows and activities take and return, as JSON Schema (2020-12).

Start with `workflow_contract.py` (the record, and how it is made from code), then `json_schema.py` (the
schema of one annotation), `typed_json.py` (how values look in JSON that a person gives) and
`call_arguments.py` (from a filled form to the arguments of a start). Nothing here reads or writes a journal.

The schemas are made from the shapes that the codec decodes with, and not by a library that reads the
annotations a second time: pydantic's `TypeAdapter`, say, takes `"5"` for an `int`, does not know attrs
classes, and is no requirement of ours. Only a pydantic model describes itself, because its own
validation is what decodes it.
"""
