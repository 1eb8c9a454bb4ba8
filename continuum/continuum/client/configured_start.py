"""`ConfiguredStart`: starts with options of their own, apart from the arguments of the workflow."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

from continuum.client.run_handle import RunHandle
from continuum.client.start_options import StartOptions
from continuum.definitions.workflow import Workflow

P = ParamSpec("P")
R = TypeVar("R")

Begin: TypeAlias = Callable[
    [Any, tuple[Any, ...], dict[str, Any], StartOptions], Coroutine[Any, Any, RunHandle[Any]]
]
"""Starts a run of a workflow with these arguments, keywords and options."""


class ConfiguredStart:
    """Starts runs with the same options, any number of times; made by `options` of a client."""

    __slots__ = ("_begin", "_options")

    def __init__(self, begin: Begin, options: StartOptions) -> None:
        self._begin = begin
        self._options = options

    @overload
    async def start(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> RunHandle[R]: ...
    @overload
    async def start(self, workflow: str, /, *args: Any, **kwargs: Any) -> RunHandle[Any]: ...
    async def start(self, workflow: Any, /, *args: Any, **kwargs: Any) -> RunHandle[Any]:
        """Start a run and return its handle once the start is durable; see `Client.start`.

        Every argument and keyword goes to the workflow.
        """
        return await self._begin(workflow, args, kwargs, self._options)
