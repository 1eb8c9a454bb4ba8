"""`SyncClientOperations`: `SyncClient.operations`, blocking; its documentation is at `ClientOperations`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

from continuum.client.loop_thread import LoopThread
from continuum.client.operations import ChangeOptions, ClientOperations
from continuum.operations.bulk_records import Operation, OperationPage, OperationPreview, OperationProgress


class SyncClientOperations:
    """Changes of all runs that a search finds; see `ClientOperations`. An interrupted call can be resumed."""

    def __init__(self, thread: LoopThread, operations: ClientOperations) -> None:
        self._thread = thread
        self._operations = operations

    def preview(self, action: str, search: str, **options: Unpack[ChangeOptions]) -> OperationPreview:
        """Return what a change would be about; see `ClientOperations.preview`."""
        return self._thread.call(self._operations.preview(action, search, **options))

    def execute(
        self,
        digest: str,
        action: str,
        search: str,
        *,
        rate: float | None = None,
        by: str | None = None,
        reason: str | None = None,
        told: Callable[[OperationProgress], None] | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Operation:
        """Make the change that a preview has shown; see `ClientOperations.execute`.

        `told` is called in the thread of the client, and must call nothing of that.
        """
        return self._thread.call(
            self._operations.execute(
                digest, action, search, rate=rate, by=by, reason=reason, told=told, **options
            )
        )

    def list(self, *, limit: int = 25, cursor: str | None = None) -> OperationPage:
        """Return a page of operations, the latest first; see `ClientOperations.list`."""
        return self._thread.call(self._operations.list(limit=limit, cursor=cursor))

    def show(self, operation: str) -> Operation:
        """Return an operation; see `ClientOperations.show`."""
        return self._thread.call(self._operations.show(operation))

    def pause(self, operation: str, *, by: str | None = None, reason: str | None = None) -> Operation:
        """Pause an operation; see `ClientOperations.pause`."""
        return self._thread.call(self._operations.pause(operation, by=by, reason=reason))

    def resume(
        self,
        operation: str,
        *,
        rate: float | None = None,
        by: str | None = None,
        reason: str | None = None,
        told: Callable[[OperationProgress], None] | None = None,
    ) -> Operation:
        """Continue an operation here; see `ClientOperations.resume`."""
        return self._thread.call(
            self._operations.resume(operation, rate=rate, by=by, reason=reason, told=told)
        )

    def cancel(self, operation: str, *, by: str | None = None, reason: str | None = None) -> Operation:
        """End an operation; see `ClientOperations.cancel`."""
        return self._thread.call(self._operations.cancel(operation, by=by, reason=reason))
