"""Values as text: they come back equal and of the same type, or are marked, or are refused by name."""

from __future__ import annotations

import json
import math
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import NotStorable
from asyncflow.store.cache_values import kept_text, pack, unpack
from tests.caching import kinds
from tests.caching.kinds import Basket, Colour, Fruit, Level, Point, Right, Slotted

EQUAL: list[Any] = [
    None, True, False, 0, -1, 2**70, 10**5000, 0.0, 1.5, math.inf, -math.inf, 1j, "", "a", "\ud800", "\0",
    "é", [], [1, [2, "a"]], {}, {"a": {"b": None}}, {"$": 1}, {"$": "tuple", "v": [1]}, {1: "a", (1, 2): [3]},
    (), (1, (2,)), set(), {1, 2}, frozenset({"a", (1, 2)}), b"", b"\0\xff", bytearray(b"a"),
    date(2024, 3, 1), datetime.fromisoformat("2024-03-01T12:30:01.000005"), datetime(2024, 3, 1, tzinfo=UTC),
    datetime(2024, 11, 3, 1, 30, tzinfo=ZoneInfo("America/New_York"), fold=1),
    datetime(2024, 3, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))), time(1, 2, 3, 4),
    time(1, tzinfo=UTC),
    timedelta(days=-1, microseconds=3), Decimal("1.10"), Decimal("-Infinity"), UUID(int=7),
    Path("a/b"), PurePosixPath("a"), PureWindowsPath("c:\\a"), Point(1, Point(2, (3,))), Colour.RED,
    Level.HIGH,
    Right.READ | Right.WRITE, Fruit("pear", 1.25, 3), Basket([Fruit("pear", 1.0)], "ann"), Slotted(1),
    [Point(1, 2)], {"a": {Colour.RED: {(1,): b"x"}}},
]  # fmt: skip


@pytest.mark.parametrize("value", EQUAL, ids=range(len(EQUAL)))
def test_what_can_be_data_comes_back_equal_and_of_its_type(value: Any) -> None:
    text, marks = pack(value)
    found = unpack(text)
    assert found == value
    assert type(found) is type(value)
    assert marks == ()
    assert kept_text(value) == text
    assert text.isascii()


def test_of_datetimes_zone_and_fold_come_back_too() -> None:
    made = datetime(2024, 11, 3, 1, 30, tzinfo=ZoneInfo("America/New_York"), fold=1)
    found = unpack(pack(made).text)
    assert (found.fold, found.tzinfo, found.utcoffset()) == (1, made.tzinfo, made.utcoffset())


def test_not_a_number_stays_one() -> None:
    assert math.isnan(unpack(pack(math.nan).text))


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.dates() | st.datetimes() | st.timedeltas() | st.decimals(allow_nan=False) | st.uuids()
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(SCALARS, inner) | st.frozensets(SCALARS)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_any_nest_of_them_comes_back_equal(value: Any) -> None:
    packed = pack(value)
    assert unpack(packed.text) == value
    assert pack(unpack(packed.text)) == packed
    json.loads(packed.text)


def test_what_json_has_is_written_as_it_stands() -> None:
    assert json.loads(pack([{"a": [1, 2.5, "x", None, True]}]).text) == [{"a": [1, 2.5, "x", None, True]}]


def test_a_dataclass_is_made_without_its_init() -> None:
    text = pack(Fruit("pear", 1.0)).text.replace("1.0", "-1.0")
    assert unpack(text).price == -1.0


@dataclass
class Moved:
    a: int


def _local() -> dict[str, Any]:
    @dataclass
    class Data:
        a: int

    class Word(Enum):
        A = "a"

    return {"data": Data(1), "row": namedtuple("Row", "a b")(1, 2), "word": Word.A}


@pytest.mark.parametrize(("kind", "comes_back"), [("data", {"a": 1}), ("row", (1, 2)), ("word", "a")])
def test_a_class_without_an_import_path_is_marked(kind: str, comes_back: Any) -> None:
    value = _local()[kind]
    packed = pack([value])
    assert unpack(packed.text) == [comes_back]
    assert len(packed.marks) == 1
    with pytest.raises(NotStorable, match="has no import path and comes back as"):
        kept_text([value])


class _Odd(tzinfo):
    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(0)


def _loop() -> list[Any]:
    mine: list[Any] = []
    mine.append(mine)
    return mine


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "type builtins.object can't be written as data"),
        ([{"a": {1: object()}}], "type builtins.object can't be written as data"),
        (ValueError("a"), "ValueError can't be written as data"),
        (lambda: 1, "function can't be written as data"),
        (datetime(2024, 3, 1, tzinfo=_Odd()), "the time zone .* can't be written"),
        (_loop(), "nested too deeply, or holds itself"),
    ],
)
def test_what_is_no_data_is_refused_by_name(value: Any, why: str) -> None:
    with pytest.raises(NotStorable, match=why):
        pack(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"$": "no such kind", "v": 1}',
        '{"$": "uuid", "v": "x"}',
        '{"$": "decimal", "v": "x"}',
        '{"$": "enum", "v": "blue", "of": "tests.caching.kinds:Colour"}',
        '{"$": "dataclass", "v": [["a", 1]], "of": "tests.caching.kinds:Fruit"}',
        '{"$": "dataclass", "v": [["a", 1]], "of": "tests.caching.kinds:Gone"}',
        '{"$": "dataclass", "v": [["a", 1]], "of": "no.such.module:Gone"}',
        '{"$": "namedtuple", "v": ["ls"], "of": "os:system"}',
        '{"$": "enum", "v": "ls", "of": "os:system"}',
    ],
)
def test_what_can_not_be_read_any_more_says_so(text: str) -> None:
    with pytest.raises(NotStorable):
        unpack(text)


def test_a_class_that_was_taken_away_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = pack(Colour.RED).text
    monkeypatch.delattr(kinds, "Colour")
    with pytest.raises(NotStorable, match=r"tests.caching.kinds.Colour is not there any more"):
        unpack(text)
