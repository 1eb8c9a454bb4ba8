"""Workflows: the functions whose runs survive."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, overload

from continuum.errors import InvalidDefinition, NotInWorkflow
from continuum.journal.arguments import ArgumentsCodec, resolve_hints
from continuum.journal.codec import Decoder, decoder_for, encode
from continuum.module_source import module_source
from continuum.signals import Signal

P = ParamSpec("P")
R = TypeVar("R")


class Workflow(Generic[P, R]):
    """A durable function: started through a client, replayed after a crash."""

    def __init__(
        self,
        fn: Callable[P, Coroutine[Any, Any, R]],
        name: str | None,
        version: int,
        signals: Sequence[Signal[Any]],
    ) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name = name or fn.__qualname__
        self.version = str(version)
        self.signals = {signal.name: signal for signal in signals}
        self.arguments = ArgumentsCodec(fn, path="input")
        # As it is now: by the time somebody asks for the hash the file may be another.
        self.source = module_source(fn)

    def __repr__(self) -> str:
        return f"<workflow {self.name} version {self.version}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> NoReturn:
        raise NotInWorkflow(
            f"{self.name} is a workflow; start it with `await client.start({self.name}, ...)`"
        )

    @functools.cached_property
    def version_hash(self) -> str:
        """The hash of what the code means: which version this is to its runs. `version` is a label."""
        # Not before it is needed: whoever starts runs does without.
        from continuum.versions.content import content_hash

        return content_hash(self.fn, self.source)

    def encode_result(self, value: object) -> bytes:
        """Return the stored form of a result; `DurableTermError` when it has none."""
        return encode(value, path="result")

    @functools.cached_property
    def decode_result(self) -> Decoder:
        """Read a stored result back, by the annotation of the return type."""
        return decoder_for(resolve_hints(self.fn).get("return", Any), path="result")


class WorkflowDecorator:
    """What `@workflow(...)` applies to a function."""

    __slots__ = ("_name", "_signals", "_version")

    def __init__(self, name: str | None, version: int, signals: Sequence[Signal[Any]]) -> None:
        self._name = name
        self._version = version
        self._signals = signals

    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]]) -> Workflow[P, R]:
        if not inspect.iscoroutinefunction(fn):
            raise InvalidDefinition(
                f"@workflow goes on an `async def`, not on {getattr(fn, '__qualname__', repr(fn))}"
            )
        return Workflow(fn, self._name, self._version, self._signals)


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    version: int = 1,
    signals: Sequence[Signal[Any]] = (),
) -> WorkflowDecorator: ...
def workflow(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: int = 1,
    signals: Sequence[Signal[Any]] = (),
) -> Any:
    """Declare a workflow. `name` defaults to the function's; `version` is a whole number from 1."""
    if type(version) is not int or version < 1:
        raise InvalidDefinition(f"a workflow's version is a whole number from 1, not {version!r}")
    decorator = WorkflowDecorator(name, version, signals)
    return decorator if fn is None else decorator(fn)
