from __future__ import annotations

import json
import math
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.scenario.values import Delay, Duration, Reference, Shift, Span, shown, task_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("3s", 3.0), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400.0), ("1m30s", 90.0),
     ("1.5s", 1.5), ("0s", 0.0), (2, 2.0), (0.25, 0.25), (0, 0.0)],
)  # fmt: skip
def test_a_duration_is_text_with_units_or_a_number_of_seconds(text: Any, seconds: float) -> None:
    assert math.isclose(Duration.parse(text), seconds)
    assert Duration.parse(str(Duration.parse(text))) == Duration.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "3", "s", "3 s", "-3s", "3S", "3sec", ".5s", "1e3s", "\uff13s", True, None, [], -1, float("nan"),
     float("inf"), 10**400, "9" * 400 + "s", "11000d"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match="a duration such as 200ms, 3s, 5m"):
        Duration.parse(text)


def test_a_limit_is_above_zero_and_a_shift_may_be_negative() -> None:
    with pytest.raises(ValueError, match="a duration above zero"):
        Span.parse("0ms")
    assert Shift.parse("-1h") == -3600.0
    assert Shift.parse("+5s") == Shift.parse(5) == 5.0
    assert Shift.parse(-2.5) == -2.5


def test_a_duration_shows_how_it_was_written() -> None:
    assert repr(Duration.parse("1m30s")) == "1m30s"
    assert str(Duration.parse(2)) == "2s"


@pytest.mark.parametrize(
    ("text", "kind", "base", "cap"),
    [("200ms", "constant", 0.2, None), ("constant 1s", "constant", 1, None), (2, "constant", 2, None),
     ("linear 1s cap 10s", "linear", 1, 10), ("exponential 200ms cap 5s", "exponential", 0.2, 5),
     ("exponential  200ms", "exponential", 0.2, None), ("decorrelated 1s cap 1m", "decorrelated", 1, 60)],
)  # fmt: skip
def test_a_delay_is_a_shape_a_base_and_a_cap(text: Any, kind: str, base: float, cap: float | None) -> None:
    delay = Delay.parse(text)
    assert (delay.kind, delay.base, delay.cap, delay.delays) == (kind, base, cap, ())
    assert Delay.parse(str(delay)) == delay


def test_a_delay_may_be_a_list_with_one_length_for_each_retry() -> None:
    delay = Delay.parse(["100ms", 1])
    assert (delay.kind, delay.delays, str(delay)) == ("custom", (0.1, 1.0), "100ms, 1s")
    assert len({delay, Delay.parse(["100ms", "1s"]), Delay.parse("1s")}) == 2


@pytest.mark.parametrize(
    "text", ["", "expo 1s", "exponential", "1s cap", "1s cap 0s", "linear 1s max 3s", [], ["x"], True]
)
def test_what_is_no_delay_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match="expected a delay such as '200ms'"):
        Delay.parse(text)


@pytest.mark.parametrize("text", ["m:f", "a.b_c.d:etl", "flows/etl.py:etl", r"C:\my flows\etl.py:etl"])
def test_a_reference_names_a_module_or_a_file_and_something_in_it(text: str) -> None:
    assert Reference.parse(text) == text


@pytest.mark.parametrize("text", ["", "m", "m:", ":f", "m:f()", "a b:f", "1m:f", "a..b:f", "m:1f", 3, None])
def test_what_is_no_reference_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match=r"expected 'module:name' or 'file\.py:name'"):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "true"), (3, "the number 3"), (2.5, "the number 2.5"), ("x", "the text 'x'"),
     ([], "an empty list"), ([1], "a list"), ({}, "a table"),
     (date(2026, 1, 2), "the date or time 2026-01-02"),
     (1 << 70, "a very large number"), ("x" * 99, f"the text '{'x' * 57}...'")],
)  # fmt: skip
def test_values_are_named_as_people_would(value: Any, words: str) -> None:
    assert shown(value) == words


@pytest.mark.parametrize(
    ("key", "task"),
    [("parse", "parse"), ("parse#2", "parse"), ("parse[0]", "parse"), ("parse#2[10]", "parse"),
     ("a b", "a b"), ("parse#0", "parse#0"), ("parse[x]", "parse[x]"), ("", "")],
)  # fmt: skip
def test_an_expectation_may_name_one_call_or_element_of_a_task(key: str, task: str) -> None:
    assert task_of(key) == task


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value is what one of these small schemas describes."""
    if "anyOf" in schema:
        return any(accepts(option, value) for option in schema["anyOf"])
    if schema["type"] == "string":
        return isinstance(value, str) and re.search(schema["pattern"], value, re.ASCII) is not None
    if schema["type"] == "array":
        long_enough = isinstance(value, list) and len(value) >= schema["minItems"]
        return long_enough and all(accepts(schema["items"], item) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value >= schema.get("minimum", -math.inf) and value > schema.get("exclusiveMinimum", -math.inf)


TEXTS = st.text("0123456789.-+msh dcaplinerx", max_size=18)


@given(
    st.one_of(
        TEXTS, st.integers(-3, 3), st.floats(-3, 3), st.lists(st.sampled_from(["1s", 1, "x"])), st.booleans()
    )
)
def test_what_parses_is_what_the_schema_accepts(value: Any) -> None:
    for kind in (Duration, Span, Shift, Delay):
        json.dumps(kind.schema())
        try:
            kind.parse(value)
        except ValueError:
            # Zero and more than ten years can't be told by a pattern.
            text = str(value)
            assert not accepts(kind.schema(), value) or "0" in text or len(text) > 6
        else:
            assert accepts(kind.schema(), value)
