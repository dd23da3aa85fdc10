from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

import pytest

from asyncflow.signals import VALIDATIONFAIL
from asyncflow.validation import require, validated


@dataclass
class Point:
    x: int


class Colour(Enum):
    RED = "red"


class Plain: ...


class Sized(Protocol):
    def size(self) -> int: ...


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, int),
        (3, float),
        (3, Any),
        (True, int),
        ("x", str),
        ([1, 2], list[int]),
        ({"a": 1}, dict[str, int]),
        ((1, "x"), tuple[int, str]),
        ((1, 2, 3), tuple[int, ...]),
        ((), tuple[int, ...]),
        ({1}, set[int]),
        (None, int | None),
        ("x", Annotated[str, "a name"]),
        (None, None),
        (Point(1), Point),
        ([Point(1)], list[Point]),
        (Plain(), Plain),
        ([Plain()], list[Plain]),
        (Colour.RED, Colour),
        (date(2024, 1, 1), date),
        ("a", Literal["a", "b"]),
        ([1], Sequence[int]),
        (object(), Sized),
        (iter([1]), Iterable[int]),
    ],
)
def test_a_value_of_the_type_is_accepted(value, expected):
    require(value, expected, "it")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3", int),
        (3, str),
        (3, Annotated[str, "a name"]),
        (1.5, int),
        (["1"], list[int]),
        ({"a": "1"}, dict[str, int]),
        ((1,), tuple[int, str]),
        ((1, "2"), tuple[int, ...]),
        (None, int),
        (3, None),
        ("x", int | None),
        (Plain(), Point),
        (3, Plain),
        ("c", Literal["a", "b"]),
        # Nothing is converted: what looks like the value is not the value.
        ({"x": 1}, Point),
        ([{"x": 1}], list[Point]),
        ("2024-01-01", date),
        (["2024-01-01"], list[date]),
        ("red", Colour),
        ("1.5", Decimal),
        ("12345678-1234-5678-1234-567812345678", UUID),
        ("QUJD", bytes),
        ([1], tuple[int]),
        ([1], set[int]),
    ],
)
def test_a_value_of_another_type_is_refused_and_named(value, expected):
    with pytest.raises(VALIDATIONFAIL, match="the result did not validate: "):
        require(value, expected, "the result")


async def call(fn, *args, **kwargs):
    async def body(*args, **kwargs):
        return fn(*args, **kwargs)

    return await validated(fn, body)(*args, **kwargs)


async def test_arguments_are_checked_before_the_body_and_named():
    def double(x: int, name: str = "n") -> int:
        raise AssertionError("not reached")

    with pytest.raises(VALIDATIONFAIL, match="argument 'x' did not validate"):
        await call(double, "2")
    with pytest.raises(VALIDATIONFAIL, match="argument 'name' did not validate"):
        await call(double, 2, name=3)


async def test_the_result_is_checked_after_the_body():
    def half(x: int) -> int:
        return x / 2

    with pytest.raises(VALIDATIONFAIL, match="the result did not validate"):
        await call(half, 3)


async def test_each_of_many_arguments_is_held_against_the_annotation():
    def total(*xs: int, **named: float) -> int:
        return sum(xs)

    assert await call(total, 1, 2, a=1.5) == 3
    with pytest.raises(VALIDATIONFAIL, match="argument 'xs'"):
        await call(total, 1, "2")
    with pytest.raises(VALIDATIONFAIL, match="argument 'named'"):
        await call(total, 1, a="2")


async def test_a_function_without_readable_annotations_is_not_checked():
    def odd(x: Missing) -> int:  # noqa: F821 - the point of the test
        return x

    assert await call(odd, "x") == "x"


async def test_a_callable_without_a_signature_is_not_checked():
    assert await call(type, 3) is int
