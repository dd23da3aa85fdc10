"""Keys of values: equal values have equal keys in every process, different ones have different keys."""

from __future__ import annotations

import itertools
import math
import os
import re
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.caching.canonical import Unkeyable, canonical, digest

from .kinds import Basket, Colour, Fruit, Level, Line, Point, Right, plain_function

NAIVE = datetime.fromisoformat("2024-03-01")

DIFFERENT: list[Any] = [
    None, ..., True, False, 0, 1, -1, 2**200, 0.0, -0.0, 1.0, math.nan, math.inf, 1j,
    "", "1", "a", "ab", "\ud800", b"", b"1", b"a", bytearray(b"a"),
    [], [1], [1, 2], [2, 1], [[1], 2], [1, [2]], (), (1,), (1, 2), ["ab", "c"], ["a", "bc"], "ab, c",
    set(), {1}, frozenset({1}), {"a"}, {1, "a"}, {}, {"a": 1}, {"a": 2}, {1: "a"}, {"a": {"b": 1}},
    [("a", 1)],
    OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), defaultdict(int, a=1), Counter(a=1), deque([1]), range(3),
    date(2024, 3, 1), NAIVE, NAIVE.replace(tzinfo=UTC), NAIVE.replace(fold=1),
    NAIVE.replace(tzinfo=ZoneInfo("Europe/London")), NAIVE.replace(tzinfo=ZoneInfo("Africa/Abidjan")),
    NAIVE.replace(tzinfo=timezone(timedelta(hours=1))), time(12), time(12, fold=1), time(12, tzinfo=UTC),
    timedelta(1), timedelta(seconds=1), Decimal(1), Decimal("1.0"), Fraction(1, 2), UUID(int=1), UUID(int=2),
    Path("a"), PurePosixPath("a"), PureWindowsPath("a"), re.compile("a"), re.compile("a", re.IGNORECASE),
    Point(1, 2), Line(1, 2), Colour.RED, Colour.GREEN, Level.LOW, Right.READ, Right.READ | Right.WRITE,
    Fruit("pear", 1.0), Fruit("apple", 1.0), Basket([]), Basket([Fruit("pear", 1.0)]),
    int, Fruit, plain_function, len, slice(1, 2),
]  # fmt: skip


def test_values_that_differ_have_different_keys() -> None:
    for one, other in itertools.combinations(DIFFERENT, 2):
        assert canonical(one) != canonical(other), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        (Fruit("pear", 1.0, seen=1), Fruit("pear", 1.0, seen=2)),
        ([float("nan")], [float("nan")]),
        ([10**5000], [10**5000]),
    ],
)
def test_equal_values_have_equal_keys(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(SCALARS, inner) | st.frozensets(SCALARS)
    ),
    max_leaves=20,
)


def typed(value: Any) -> Any:
    """Return a value whose equality tells types and signs of zero apart."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return kind, frozenset((typed(key), typed(item)) for key, item in value.items())
    if isinstance(value, frozenset):
        return kind, frozenset(map(typed, value))
    if isinstance(value, list | tuple):
        return kind, tuple(map(typed, value))
    return kind, repr(value) if isinstance(value, float | Decimal) else value


@given(VALUES, VALUES)
def test_keys_are_equal_exactly_when_values_are(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == (typed(one) == typed(other))


@given(st.dictionaries(st.text(), st.integers(), min_size=2), st.randoms())
def test_the_order_of_a_dict_and_of_a_set_does_not_matter(made: dict[str, int], chance: Any) -> None:
    items = list(made.items())
    chance.shuffle(items)
    assert digest(dict(items)) == digest(made)
    assert digest({key for key, _ in items}) == digest(set(made))


def test_a_key_is_the_same_in_processes_with_other_hash_seeds() -> None:
    program = (
        "from asyncflow.caching.canonical import digest; print(digest({'a', 'b', ('c', frozenset('xyz'))}))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert found == {digest({"a", "b", ("c", frozenset("xyz"))}).encode() + os.linesep.encode()}


class Client:
    pass


class Named(str):
    __slots__ = ()


def _loop() -> list[Any]:
    mine: list[Any] = []
    mine.append(mine)
    return mine


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Client(), "nothing tells one Client from another"),
        ([{"a": Client()}], "nothing tells one Client from another"),
        (Named("a"), "nothing tells one Named from another"),
        (ValueError("a"), "nothing tells one ValueError from another"),
        (lambda: 1, "a function without an import path"),
        (_loop(), "nested too deeply, or holds itself"),
    ],
    ids=repr,
)
def test_what_has_no_key_is_refused_and_named(value: Any, why: str) -> None:
    with pytest.raises(Unkeyable, match=why):
        canonical(value)
