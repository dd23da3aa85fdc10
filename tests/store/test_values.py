"""Results as data: what is kept comes back equal and of the same type."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections import namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import signals
from asyncflow.errors import StoredFailure
from asyncflow.store.failures import keep_failure, restore_failure
from asyncflow.store.values import LARGEST, Unkept, keep, restore

Point = namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1
    BLUE = ("b", 2)


class Level(enum.IntFlag):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Complaint:
    number: int
    tags: frozenset[str] = frozenset()
    parent: Complaint | None = None
    seen: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.number, "it is not run again when a value comes back"


@dataclass(slots=True)
class Slotted:
    a: int


@dataclass
class Empty:
    pass


@dataclass
class Grown:
    a: int
    b: int = 2
    c: list[int] = field(default_factory=list)


class Picky(ValueError):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def there_and_back(value: Any) -> Any:
    return restore(json.loads(bytes(keep(value))))


VALUES = [
    *(
        None,
        True,
        0,
        -1,
        2**70,
        -(10**5000),
        1.5,
        1j,
        complex("inf"),
        float("inf"),
        float("-inf"),
        "text",
        "",
        "$",
        b"\x00\xff",
        bytearray(b"x"),
    ),
    *([], [1, "a", None], (), (1, (2,)), {1, 2, "a"}, frozenset((1,)), {"a": 1}, {1: "a", (2, 3): [4]}),
    *({"$": "tuple", "value": [1]}, {"a": {"b": (1,)}}, [{"$": 1}], {None: True}),
    *(dt.date(2024, 2, 29), dt.time(1, 2, 3, 4), dt.timedelta(-1, 2, 3), dt.datetime(2024, 1, 1)),  # noqa: DTZ001
    *(dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
    dt.datetime(2024, 11, 3, 1, 30, tzinfo=ZoneInfo("America/New_York"), fold=1),
    *(Decimal("1.10"), Decimal("Infinity"), UUID(int=7), Colour.RED, Colour.BLUE),
    *(Path("a/b"), PurePosixPath("a"), PureWindowsPath("c:\\a"), Slotted(1), Empty()),
    *(Level.LOW, Level.LOW | Level.HIGH, Point(1, (2,)), Complaint(1, frozenset("ab"), Complaint(2))),
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    back = there_and_back(value)
    assert type(back) is type(value)
    assert back == value
    assert bytes(keep(back)) == bytes(keep(value))


atoms = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary() | st.dates()
    | st.text(st.characters(exclude_categories=["Cs"])) | st.decimals(allow_nan=False) | st.uuids()
    | st.timedeltas() | st.datetimes(timezones=st.none() | st.just(dt.UTC)) | st.sampled_from(Colour)
)  # fmt: skip
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text("$ab") | st.integers(), inner)
        | st.builds(Point, inner, inner) | st.builds(Complaint, st.integers(1), seen=st.lists(inner))
    ),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_whatever_is_put_together_of_them_comes_back_equal(value: Any) -> None:
    back = there_and_back(value)
    assert back == value
    assert repr(back) == repr(value)


def itself() -> list[Any]:
    holds: list[Any] = []
    holds.append(holds)
    return holds


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "it is or holds an object of the class builtins:object"),
        ([{"a": lambda: 1}], "class builtins:function"),
        ("\ud800", "text that is not Unicode"),
        (itself(), "nested too deeply, or holds itself"),
        ("x" * LARGEST, r"it takes 16,777,218 bytes, and 16,777,216 are kept"),
    ],
    ids=["object", "function", "surrogate", "itself", "large"],
)
def test_what_cant_be_kept_says_why(value: Any, why: str) -> None:
    with pytest.raises(Unkept, match=why):
        keep(value)


def test_a_class_that_is_gone_leaves_its_values_and_is_named() -> None:
    @dataclass
    class Local:
        name: str

    gone: list[str] = []
    back = restore(json.loads(bytes(keep([Local("a")]))), gone.append)
    assert back == [{"name": "a"}]
    assert gone == [f"{__name__}:test_a_class_that_is_gone_leaves_its_values_and_is_named.<locals>.Local"]


@pytest.mark.parametrize(
    ("kept", "back"),
    [
        ({"a": 1, "c": []}, Grown(1)),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "c": [], "d": 4}, {"a": 1, "c": [], "d": 4}),
    ],
    ids=["new with a default", "new without", "gone"],
)
def test_a_dataclass_may_have_grown_by_fields_with_defaults(kept: dict[str, Any], back: Any) -> None:
    gone: list[str] = []
    assert restore({"$": "dataclass", "value": kept, "of": f"{__name__}:Grown"}, gone.append) == back
    assert gone == ([f"{__name__}:Grown"] if isinstance(back, dict) else [])


def brought_back(error: BaseException) -> Any:
    try:
        raise error
    except BaseException as raised:
        return restore_failure(json.loads(json.dumps(keep_failure(raised))))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        KeyError("company"),
        Picky(1, 2),
        OSError(2, "nope", "file"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        TimeoutError(),
        ExceptionGroup("many", [ValueError("one"), Picky(3, 4)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_is_caught_as_its_own_class(error: Exception) -> None:
    error.add_note("in attempt 2")
    back = brought_back(error)
    assert isinstance(back, type(error))
    assert isinstance(back, StoredFailure)
    assert (type(back).__name__, str(back)) == (type(error).__name__, str(error))
    assert back.__notes__ == ["in attempt 2"]
    assert "in brought_back" in back.traceback_text
    assert keep_failure(back) == keep_failure(brought_back(back)), "and so it is when it is kept once more"
    if isinstance(error, ExceptionGroup):
        assert [str(one) for one in back.exceptions] == ["one", "3 and 4"]


def test_a_failure_whose_class_is_gone_is_a_stored_failure() -> None:
    class Local(Exception):
        pass

    back = brought_back(Local("no"))
    assert type(back) is StoredFailure
    assert back.type_name.endswith("<locals>.Local")
    assert str(back) == "no"


def test_a_signal_comes_back_as_the_signal() -> None:
    back = brought_back(signals.FAIL("on purpose"))
    assert type(back) is signals.FAIL
    assert back.message == "on purpose"
