"""Workflows that fail in every way that a node logs."""

from __future__ import annotations

from continuum import Retry, Signal, activity, workflow

go = Signal("go", str)
# More than anybody wants to read in a log, in lines.
LONG = "no\n" * 5_000


@activity(name="failing.unsure", retry=Retry(max_attempts=2, base=0.0, max_backoff=0.0))
async def unsure() -> None:
    """Fail for good at the second attempt."""
    raise ValueError(LONG)


@activity(name="failing.queued", queue="slow")
def queued() -> None:
    """Fail in a task of its own."""
    raise OSError("no disk")


@workflow(name="failing.fails")
async def fails() -> None:
    """Fail by two activities and then by itself."""
    for attempt in (unsure, queued):
        try:
            await attempt()
        except Exception:  # noqa: BLE001 - the run goes on to fail by itself
            pass
    raise RuntimeError(LONG)


@workflow(name="failing.waits")
async def waits() -> str:
    """Wait for a signal."""
    return await go.wait()
