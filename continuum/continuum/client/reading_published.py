"""Reading and watching what runs publish, as part of a client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar, overload

from continuum.client.argument_checks import published_name
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.published_values import Cells
from continuum.client.run_lookup import Looking
from continuum.codec.codec import decoder_for
from continuum.definitions.signal import MISSING
from continuum.errors import NotPublished

T = TypeVar("T")
D = TypeVar("D")


class Publications:
    """What a client says of published values."""

    _looking: Looking
    _cells: Cells

    @overload
    async def read(self, run_id: str, name: str, *, namespace: InNamespace = ANY_NAMESPACE) -> Any: ...
    @overload
    async def read(
        self, run_id: str, name: str, type: type[T], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> T: ...
    @overload
    async def read(
        self,
        run_id: str,
        name: str,
        type: type[T],
        *,
        default: D,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> T | D: ...
    @overload
    async def read(
        self, run_id: str, name: str, *, default: object, namespace: InNamespace = ANY_NAMESPACE
    ) -> Any: ...
    async def read(
        self,
        run_id: str,
        name: str,
        type: Any = Any,
        *,
        default: Any = MISSING,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any:
        """Return the latest value that a run published under a name, whether or not a node is alive.

        It is decoded by `type`, else plain. Before there is one: `default`, or `NotPublished`.
        """
        decoder = decoder_for(type, path=f"published {published_name(name)}")
        known = await self._looking.known(run_id, namespace)
        cell = await self._cells.read(known, name)
        if cell is not None:
            return decoder(cell.value)
        await self._looking.row(known)
        if default is MISSING:
            raise NotPublished(known, name)
        return default

    @overload
    def watch(
        self, run_id: str, name: str, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> AsyncGenerator[Any, None]: ...
    @overload
    def watch(
        self, run_id: str, name: str, type: type[T], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> AsyncGenerator[T, None]: ...
    async def watch(
        self, run_id: str, name: str, type: Any = Any, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> AsyncGenerator[Any, None]:
        """Yield the value published under a name and what it changes to, until the run has ended.

        Who looks away sees the latest value next, not each one in between.
        """
        decoder = decoder_for(type, path=f"published {published_name(name)}")
        known = await self._looking.known(run_id, namespace)
        async with aclosing(self._cells.watch(known, name)) as values:
            async for value in values:
                yield decoder(value)
