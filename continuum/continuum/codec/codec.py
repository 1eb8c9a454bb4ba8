"""The value codec: Python values to journal bytes and back. Read this one first.

Values are written by `writing` without looking at any annotation, and read by
`reading` into plain structures, which `shape_of_type` turns into what the receiving
annotation says. Nothing is pickled, and no name found in data is imported.
`arguments` stores whole calls. Every failure is a DurableTermError with a path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from continuum.codec.arguments import ArgumentsCodec, encode_arguments
from continuum.codec.completeness import Check, check_without_annotation, completeness_check
from continuum.codec.encode_errors import explain_encode_error
from continuum.codec.reading import unpack
from continuum.codec.shape_of_type import Undecodable, fit_of, shape_of
from continuum.codec.shapes import Fit, Mismatch, fit_deep
from continuum.codec.writing import pack
from continuum.errors import DurableTermError
from continuum.failures.exception_text import message_of
from continuum.quoting import shortened

__all__ = [
    "ArgumentsCodec",
    "Check",
    "Decoder",
    "check_without_annotation",
    "completeness_check",
    "decode",
    "decoder_for",
    "encode",
    "encode_arguments",
    "fitter_for",
    "kept_types",
    "takes_anything",
]

Decoder = Callable[[bytes], Any]


def encode(value: object, *, path: str = "value", check: Check | None = None) -> bytes:
    """Write a value as a payload; `check` refuses one that would not come back whole."""
    try:
        return pack(value, check)
    except Mismatch as mismatch:
        raise DurableTermError(path + mismatch.where, mismatch.reason) from mismatch
    except Exception as error:
        raise explain_encode_error(value, path, error) from error


def decode(data: bytes, annotation: object = Any, *, path: str = "value") -> Any:
    """Read a payload as the annotated type."""
    if annotation is Any:
        return _decode_plain(data, path)
    return decoder_for(annotation, path=path)(data)


def decoder_for(annotation: object = Any, *, path: str = "value") -> Decoder:
    """Make the reader for payloads of one annotation; raises DurableTermError if it cannot be read."""
    return partial(_decode_typed, _fit(annotation, path), kept_types(annotation), path)


def fitter_for(annotation: object = Any, *, path: str = "value") -> Callable[[Any], Any]:
    """Make the function that converts a decoded value to the type of one annotation."""
    fit = _fit(annotation, path)
    return _as_it_is if fit is None else partial(_fitted, fit, path)


def kept_types(annotation: object = Any) -> frozenset[type]:
    """Return the types whose values the annotation takes unchanged; none if it cannot be read."""
    try:
        return shape_of(annotation).keeps
    except Undecodable:
        return frozenset()


def takes_anything(annotation: object = Any) -> bool:
    """Whether the annotation takes every value unchanged."""
    try:
        return shape_of(annotation).passes
    except Undecodable:
        return False


def _as_it_is(value: Any) -> Any:
    return value


def _fit(annotation: object, path: str) -> Fit | None:
    try:
        return fit_of(annotation)
    except Undecodable as error:
        raise DurableTermError(path, str(error)) from error


def _decode_plain(data: bytes, path: str) -> Any:
    try:
        return unpack(data)
    except Exception as error:
        raise DurableTermError(path, f"the payload cannot be read: {shortened(error)}") from error


def _decode_typed(fit: Fit | None, kept: frozenset[type], path: str, data: bytes) -> Any:
    try:
        value = unpack(data)
    except Exception as error:
        raise DurableTermError(path, f"the payload cannot be read: {shortened(error)}") from error
    return value if fit is None or value.__class__ in kept else _fitted(fit, path, value)


def _fitted(fit: Fit, path: str, value: Any) -> Any:
    try:
        return fit_deep(fit, value)
    except Mismatch as mismatch:
        raise DurableTermError(path + mismatch.where, mismatch.reason) from mismatch
    except Exception as error:
        raise DurableTermError(path, f"{type(error).__name__}: {shortened(message_of(error))}") from error
