from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.sim.clock import Clock
from asyncflow.sim.trace.text import Parsed, Scrubber, field_of, parsed, value_of
from asyncflow.sim.trace.trace import Trace


def traced(*emitted: tuple[Any, ...], at: float = 0.0) -> Trace:
    clock = Clock()
    clock.now = at
    trace = Trace(clock)
    for kind, *fields in emitted:
        trace.emit(kind, *fields)
    return trace


# ---------------------------------------------------------------------- how a line is written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (0, "0"),
        (-12, "-12"),
        (0.5, "0.500000"),
        (1 / 3, "0.333333"),
        (-0.0, "0.000000"),
        (-1e-9, "0.000000"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        ("fetch", "fetch"),
        ("client>api.example#1", "client>api.example#1"),
        ("/posts?page=2&n=3", "/posts?page=2&n=3"),
        ("", '""'),
        ("two words", '"two words"'),
        ("12", '"12"'),
        ("none", '"none"'),
        ("true", '"true"'),
        ("{}", '"{}"'),
        ('say "yes"', '"say \\"yes\\""'),
        ("two\nlines", '"two\\nlines"'),
        ("né", '"n\\u00e9"'),
        ("\ud800", '"\\ud800"'),
        (["a", 1, 0.25, None], '["a",1,0.250000,null]'),
        ({"b": 1, "a": {"d": True, "c": "x y"}}, '{"a":{"c":"x y","d":true},"b":1}'),
        ({"far": math.inf, "not": math.nan}, '{"far":null,"not":null}'),
        ((1, 2), "[1,2]"),
        (b"ab", '''"b'ab'"'''),
    ],
)
def test_a_value_has_one_way_to_be_written(value: Any, text: str) -> None:
    assert field_of(value, Scrubber()) == text


def test_an_object_that_can_not_be_shown_is_told_by_its_type() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    assert "Mute that can't be shown" in field_of([Mute()], Scrubber())


def test_addresses_in_memory_are_scrubbed_wherever_they_stand() -> None:
    text = "<Task at 0x7f00deadbeef> and 0x12"
    assert traced(("x", text, {"in": [text]})).lines == [
        '0.000000 x "<Task at 0x...> and 0x12" {"in":["<Task at 0x...> and 0x12"]}'
    ]


def test_a_hidden_path_is_replaced_the_longest_one_first() -> None:
    trace = traced(("open", "/runs/a/b.db"), ("read", {"/runs/a": "C:\\\\runs\\\\x"}))
    for path, name in (("/runs", "RUNS"), ("/runs/a", "HOME"), ("C:\\runs", "DRIVE")):
        trace.hide(path, name)
    assert trace.lines == ["0.000000 open HOME/b.db", '0.000000 read {"HOME":"DRIVE\\\\\\\\x"}']


# ---------------------------------------------------------------------- reading it back


FIELDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(),
    st.floats(-1e9, 1e9).map(lambda value: round(value, 6) + 0.0),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).filter(lambda value: isinstance(value, list | dict)),
).filter(lambda value: "0x" not in str(value))


@given(st.lists(FIELDS))
def test_a_line_says_what_was_emitted(fields: list[Any]) -> None:
    (line,) = traced(("some.kind", *fields), at=1.5).lines
    assert parsed(line) == Parsed(1.5, "some.kind", fields)
    assert line.isascii()
    assert line.splitlines() == [line]


@given(st.lists(st.tuples(st.just("kind"), FIELDS)))
def test_the_same_is_always_written_in_the_same_way(emitted: list[tuple[Any, ...]]) -> None:
    assert traced(*emitted).text() == traced(*emitted).text()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "a line begins with a time in seconds, and this one with ''"),
        ("soon net.connect", "a line begins with a time in seconds, and this one with 'soon'"),
        ("0.5", "the time is followed by a word, and here by ''"),
        ('0.5 "quoted"', "the time is followed by a word"),
        ('0.5 x "open', "field 1 has no end"),
        ('0.5 x 1 {"a":', "field 2 has no end"),
        ('0.5 x "a""b"', "one space and field 2 are due"),
        ("0.5 x a  b", "one space and field 2 are due"),
        ("0.5 x a ", "one space and field 2 are due"),
    ],
)
def test_what_is_no_line_is_refused_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"time|field") as refused:
        parsed(line)
    assert reason in str(refused.value)


def test_a_value_alone_can_be_read_too() -> None:
    assert value_of('"two words"') == "two words"
    with pytest.raises(ValueError, match="one value is due"):
        value_of("two words")


# ---------------------------------------------------------------------- the whole


def test_lines_are_dated_by_the_clock_and_can_be_asked_for_at_any_time() -> None:
    clock = Clock()
    trace = Trace(clock)
    trace.emit("begin")
    assert trace.lines == ["0.000000 begin"]
    clock.now = 3600.25
    trace.emit("end", 1)
    assert trace.lines == ["0.000000 begin", "3600.250000 end 1"]
    assert len(trace) == 2


def test_the_digest_is_that_of_the_text() -> None:
    trace = traced(("a",), ("b", "c d"))
    assert trace.text() == '0.000000 a\n0.000000 b "c d"\n'
    assert trace.digest() == hashlib.sha256(trace.text().encode()).hexdigest()
    assert trace.digest() != traced(("a",)).digest()
    assert traced().digest() == hashlib.sha256(b"").hexdigest()


def test_a_closed_trace_takes_no_more() -> None:
    trace = traced(("a",))
    assert not trace.is_closed
    trace.close()
    trace.emit("b")
    assert trace.is_closed
    assert trace.lines == ["0.000000 a"]
