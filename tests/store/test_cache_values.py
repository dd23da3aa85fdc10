"""Cached values as text: they come back equal and of the same type, or are refused by name."""

from __future__ import annotations

import json
import math
from collections import namedtuple
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from asyncflow.errors import NotStorable
from asyncflow.store.cache_values import kept_text, unpack
from asyncflow.store.values import LARGEST
from tests.caching import kinds
from tests.caching.kinds import Basket, Colour, Fruit, Level, Point, Right, Slotted
from tests.store.test_values import VALUES, itself

EQUAL = [
    *VALUES, Right.READ | Right.WRITE, Level.HIGH, Fruit("pear", 1.25, 3), Basket([Fruit("pear", 1.0)]),
    Slotted(1), [Point(1, 2)], {"a": {Colour.RED: {(1,): b"x"}}},
]  # fmt: skip


@pytest.mark.parametrize("value", EQUAL, ids=range(len(EQUAL)))
def test_what_can_be_data_comes_back_equal_and_of_its_type(value: Any) -> None:
    text = kept_text(value)
    found = unpack(text)
    assert found == value
    assert type(found) is type(value)
    assert kept_text(found) == text


def test_not_a_number_stays_one() -> None:
    assert math.isnan(unpack(kept_text(math.nan)))


def test_a_cache_has_no_bound_for_one_value() -> None:
    assert len(unpack(kept_text("x" * LARGEST))) == LARGEST


def test_what_json_has_is_written_as_it_stands() -> None:
    plain = [{"a": [1, 2.5, "x", None, True]}]
    assert json.loads(kept_text(plain)) == plain


def test_a_dataclass_is_made_without_its_init() -> None:
    assert unpack(kept_text(Fruit("pear", 1.0)).replace("1.0", "-1.0")).price == -1.0


def _local() -> dict[str, Any]:
    @dataclass
    class Data:
        a: int

    class Word(Enum):
        A = "a"

    return {"data": Data(1), "row": namedtuple("Row", "a b")(1, 2), "word": Word.A}


@pytest.mark.parametrize("kind", ["data", "row", "word"])
def test_a_class_without_an_import_path_is_refused_with_a_way_out(kind: str) -> None:
    with pytest.raises(NotStorable, match=r"is not found as it was kept.*define the class at the top"):
        kept_text([_local()[kind]])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "class builtins:object"),
        ([{"a": {1: object()}}], "class builtins:object"),
        (ValueError("a"), "class builtins:ValueError"),
        (itself(), "nested too deeply, or holds itself"),
        ("\ud800", "not Unicode"),
    ],
    ids=["object", "nested", "error", "itself", "surrogate"],
)
def test_what_is_no_data_is_refused_by_name(value: Any, why: str) -> None:
    with pytest.raises(NotStorable, match=f"can't be written as data: .*{why}"):
        kept_text(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"$": "no such kind", "value": 1}',
        '{"$": "UUID", "value": "x"}',
        '{"$": "Decimal", "value": "x"}',
        '{"$": "tuple"}',
        '{"$": "enum", "value": "blue", "of": "tests.caching.kinds:Colour"}',
        '{"$": "dataclass", "value": {"a": 1}, "of": "tests.caching.kinds:Fruit"}',
        '{"$": "dataclass", "value": {"a": 1}, "of": "tests.caching.kinds:Gone"}',
        '{"$": "dataclass", "value": {"a": 1}, "of": "no.such.module:Gone"}',
        '{"$": "namedtuple", "value": ["ls"], "of": "os:system"}',
        '{"$": "enum", "value": "ls", "of": "os:system"}',
    ],
)
def test_what_can_not_be_read_any_more_says_so(text: str) -> None:
    with pytest.raises(NotStorable):
        unpack(text)


def test_a_class_that_was_taken_away_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = kept_text(Colour.RED)
    monkeypatch.delattr(kinds, "Colour")
    with pytest.raises(NotStorable, match=r"tests.caching.kinds:Colour is not found as it was kept"):
        unpack(text)
