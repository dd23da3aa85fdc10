from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.sim.trace.diff import Difference, first_difference, header_differences
from asyncflow.sim.trace.file import TraceHeader
from asyncflow.sim.trace.text import Scrubber, line_of

HEADER = TraceHeader(scenario="x", variant=None, seed=7, python="3.11", hash_seed="0")
LINES = [line_of(number / 4, "tick", [number], Scrubber()) for number in range(8)]


def line(at: float, kind: str, *fields: Any) -> str:
    return line_of(at, kind, fields, Scrubber())


def test_the_same_lines_have_no_difference() -> None:
    assert first_difference(LINES, list(LINES)) is None
    assert first_difference([], []) is None


def test_the_first_difference_is_told_with_the_common_lines_before_it() -> None:
    other = [*LINES[:5], line(1.25, "tick", "five"), *LINES[6:7], "0.0 more"]
    found = first_difference(LINES, other)
    assert found == Difference(6, LINES[5], other[5], tuple(LINES[2:5]), "tick: field 1 is 5 and five")


def test_there_may_be_fewer_lines_before_it() -> None:
    found = first_difference(LINES, [LINES[0], LINES[2]])
    assert found is not None
    assert found.before == (LINES[0],)


@pytest.mark.parametrize(
    ("left", "right", "what"),
    [
        (line(0, "a"), None, "the second trace ends here"),
        (None, line(0, "a"), "the first trace ends here"),
        (line(0, "net.eof"), line(0, "net.reset"), "net.eof in the one, net.reset in the other"),
        (line(0.5, "a"), line(0.75, "a"), "a happens at 0.500000 s and at 0.750000 s"),
        (line(0, "a", 1, "x"), line(0, "a", 1, "y"), "a: field 2 is x and y"),
        (line(0, "a", "1"), line(0, "a", 1), 'a: field 1 is "1" and 1'),
        (line(0, "a", None), line(0, "a", ""), 'a: field 1 is none and ""'),
        (line(0, "a", 1), line(0, "a", 1, 2), "a: fields are 1 and 2 in number"),
        (
            line(0, "a", {"k": {"deep": [1, 2]}}),
            line(0, "a", {"k": {"deep": [1, 3]}}),
            "a: field 1, k, deep 2 is 2 and 3",
        ),
        (line(0, "a", {"k": 1}), line(0, "a", {"k": 1, "l": 2}), "a: field 1, l is in the second only"),
        (line(0, "a", "x" * 99), line(0, "a", "y"), f"a: field 1 is {'x' * 57}... and y"),
        ("0.000000 a x", '0.000000 a "x"', "a: the same values, written differently"),
    ],
)
def test_what_differs_inside_the_line_is_named(left: str | None, right: str | None, what: str) -> None:
    one, other = ([part] if part is not None else [] for part in (left, right))
    found = first_difference(one, other)
    assert found is not None
    assert (found.what, found.left, found.right, found.number) == (what, left, right, 1)


@given(st.lists(st.integers(0, 2), max_size=6), st.lists(st.integers(0, 2), max_size=6))
def test_lines_before_the_first_difference_are_common_and_it_is_one(
    left: list[int], right: list[int]
) -> None:
    one, other = ([line(0, "n", number) for number in numbers] for numbers in (left, right))
    found = first_difference(one, other)
    assert (found is None) == (one == other)
    if found is not None:
        at = found.number - 1
        assert one[:at] == other[:at]
        assert one[at : at + 1] != other[at : at + 1]
        assert found.before == tuple(one[max(0, at - 3) : at])


def test_headers_tell_what_was_not_the_same_from_the_start() -> None:
    other = replace(HEADER, seed=8, variant="no-policy", python="3.12", hash_seed="random")
    assert list(header_differences(HEADER, HEADER)) == []
    assert list(header_differences(HEADER, other)) == [
        ("variant", "none", "no-policy"),
        ("seed", "7", "8"),
        ("Python", "3.11", "3.12"),
        ("hash seed", "0", "random"),
    ]


def test_a_difference_as_data_has_everything() -> None:
    found = first_difference(LINES[:1], [])
    assert found is not None
    assert found.to_json() == {
        "line": 1,
        "left": LINES[0],
        "right": None,
        "before": [],
        "what": "the second trace ends here",
    }
