"""A loop that guests cannot end, neither by an exception that ends loops nor by stopping it."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from types import TracebackType


def _none(context: Context) -> str | None:
    return None


class LastingLoop(asyncio.SelectorEventLoop):
    """Runs on when a callback of a guest raises SystemExit or KeyboardInterrupt, as after other exceptions.

    `guest_in` returns the name of the guest whose code runs in a contextvars context, None for code of ours.
    """

    guest_in: Callable[[Context], str | None] = staticmethod(_none)
    _is_stopped = False

    def stop(self) -> None:
        """Have the loop end after this turn; raises for a guest."""
        guest = self.guest_in(copy_context())
        if guest is not None:
            raise RuntimeError(f"{guest} cannot stop the loop: others run in it; return instead")
        self._is_stopped = True
        super().stop()

    def run_forever(self) -> None:
        """Run until the loop is stopped."""
        try:
            while not self._is_stopped:
                try:
                    super().run_forever()
                except (SystemExit, KeyboardInterrupt) as error:
                    callback = _callback_in(error.__traceback__)
                    guest = None if callback is None else self.guest_in(callback._context)  # type: ignore[attr-defined]
                    if guest is None:
                        raise
                    message = f"a callback of {guest} raised what ends a loop; raise another exception there"
                    self.call_exception_handler({"message": message, "exception": error, "handle": callback})
        finally:
            self._is_stopped = False


def _callback_in(traceback: TracebackType | None) -> asyncio.Handle | None:
    """Return the callback that raised."""
    while traceback is not None:
        if traceback.tb_frame.f_code is asyncio.Handle._run.__code__:
            found: asyncio.Handle = traceback.tb_frame.f_locals["self"]
            return found
        traceback = traceback.tb_next
    return None
