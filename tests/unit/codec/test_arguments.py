"""Whole calls: bound as Python binds them, stored as they were made."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from continuum.codec.codec import ArgumentsCodec, encode_arguments
from continuum.errors import DurableTermError
from tests.unit.codec import models
from tests.unit.codec.models import Customer, Owner, Point

ORDER = Customer(owners=[Owner("ann")])
CODEC = ArgumentsCodec(models.place)

CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((ORDER,), {}),
    ((ORDER, 2), {}),
    ((ORDER, 2, Point(1), Point(2)), {"urgent": True, "weight": 1.5}),
    ((), {"order": ORDER, "count": 3}),
]


@pytest.mark.parametrize(("args", "kwargs"), CALLS, ids=str)
def test_a_decoded_call_equals_the_encoded_one(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert CODEC.decode_call(CODEC.encode_call(args, kwargs)) == (args, kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((ORDER,), {"order": ORDER}), ((), {"count": 1})],
    ids=["none", "twice", "missing"],
)
def test_a_call_that_python_refuses_raises_type_error(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError, match=r"^place\(\) "):
        CODEC.encode_call(args, kwargs)


@pytest.mark.parametrize(("args", "kwargs"), [((1,), {"b": "x"}), ((1, "b", 3), {}), ((), {"a": 1})], ids=str)
def test_positional_only_parameters_refuse_keywords_and_extra_arguments(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        ArgumentsCodec(models.only_positional).encode_call(args, kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((Customer(owners=[Owner("a"), object()]),), {}, "input.order.owners[1]"),  # type: ignore[list-item]
        ((ORDER, 1, Point(1), object()), {}, "input.rest[1]"),
        ((ORDER,), {"urgent": object()}, "input.urgent"),
    ],
    ids=["nested", "rest", "keyword"],
)
def test_the_error_names_an_argument_that_cannot_be_stored(args: Any, kwargs: Any, path: str) -> None:
    with pytest.raises(DurableTermError) as caught:
        CODEC.encode_call(args, kwargs)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        (({"owners": [{"name": 1}]},), {}, "input.order.owners[0].name"),
        ((ORDER, "2"), {}, "input.count"),
        ((ORDER, 2, Point(1), 3), {}, "input.rest[1]"),
        ((ORDER,), {"urgent": 1}, "input.urgent"),
        ((ORDER,), {"weight": "x"}, "input.weight"),
        ((), {"count": 3}, "input"),
    ],
    ids=["nested", "scalar", "rest", "keyword", "more", "missing"],
)
def test_the_error_names_an_argument_that_does_not_fit(args: Any, kwargs: Any, path: str) -> None:
    with pytest.raises(DurableTermError) as caught:
        CODEC.decode_call(encode_arguments(args, kwargs))
    assert caught.value.path == path


def test_a_call_encoded_without_the_signature_is_decoded_with_it() -> None:
    data = encode_arguments(({"owners": [{"name": "ann"}]},), {"urgent": True})
    assert CODEC.decode_call(data) == ((ORDER,), {"urgent": True})


def test_encoding_without_the_signature_names_what_cannot_be_stored() -> None:
    with pytest.raises(DurableTermError) as caught:
        encode_arguments((1, [object()]), {})
    assert caught.value.path == "input[1][0]"


def test_an_old_call_fits_new_code_with_one_more_default() -> None:
    old = CODEC.encode_call((ORDER, 2), {})
    assert ArgumentsCodec(models.grown).decode_call(old) == ((ORDER, 2), {})


def test_an_old_call_does_not_fit_new_code_that_needs_one_more_argument() -> None:
    old = CODEC.encode_call((ORDER, 2), {})
    with pytest.raises(DurableTermError, match=r"added.*default"):
        ArgumentsCodec(models.grown_without_default).decode_call(old)


def test_an_unresolvable_annotation_affects_only_its_own_parameter() -> None:
    codec = ArgumentsCodec(models.unresolvable)
    assert codec.decode_call(codec.encode_call((1, Point(2)), {})) == ((1, Point(2)), {})
    with pytest.raises(DurableTermError) as caught:
        codec.decode_call(codec.encode_call((Point(1), Point(2)), {}))
    assert caught.value.path == "input.a"
    assert "Missing" in caught.value.reason


def test_parameters_without_annotations_take_plain_values() -> None:
    codec = ArgumentsCodec(models.untyped)
    assert codec.decode_call(codec.encode_call((Point(1),), {})) == (({"x": 1, "y": 0},), {})


@pytest.mark.parametrize(
    "data", [b"", b"\x01\x05", b"\x01\x92\x05\x80", b"\x01\x92\x90\x05", b"\x01\x93\x90\x80\x01"]
)
def test_other_bytes_than_a_stored_call_are_refused(data: bytes) -> None:
    with pytest.raises(DurableTermError) as caught:
        CODEC.decode_call(data)
    assert caught.value.path == "input"


def test_the_root_of_error_paths_can_be_chosen() -> None:
    with pytest.raises(DurableTermError) as caught:
        ArgumentsCodec(models.place, path="signal").encode_call((object(),), {})
    assert caught.value.path == "signal.order"


def test_the_signature_is_public() -> None:
    assert CODEC.signature == inspect.signature(models.place)
