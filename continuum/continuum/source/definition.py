"""What workflows, activities and signals have in common: the journal knows each by its kind and name.

Code that reads source text recognises them by this class and knows nothing else about them.
"""

from __future__ import annotations

from typing import ClassVar

_DECORATOR_MARK = "__continuum_decorator__"


class Definition:
    """Something a user defines and the journal records by name."""

    __slots__ = ()

    kind: ClassVar[str]
    name: str


def is_workflow_decorator(value: object) -> bool:
    """Tell whether this is `@workflow`, with or without options.

    `functools.wraps` copies the mark to a user's own decorator, which is part of the user's code.
    """
    return getattr(value, _DECORATOR_MARK, None) is True and not hasattr(value, "__wrapped__")
