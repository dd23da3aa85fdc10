from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from asyncflow.errors import ParameterError
from asyncflow.parameters import Spec, check, convert, specs_of


@dataclass
class Window:
    start: date
    days: int = 1


def body(size: int, ratio: float = 0.5, name: str = "x", day: date | None = None, on: bool = False): ...


SPECS = specs_of(body)


def test_the_parameters_of_a_function_are_its_arguments():
    assert list(SPECS) == ["size", "ratio", "name", "day", "on"]
    assert SPECS["size"] == Spec("size", inspect.Parameter.empty, int)
    assert SPECS["size"].required
    assert not SPECS["ratio"].required


def test_annotations_that_exist_only_for_type_checkers_are_no_obstacle():
    def odd(a: Missing, b=1): ...  # noqa: F821 - the point of the test

    assert {name: spec.type for name, spec in specs_of(odd).items()} == {"a": Any, "b": Any}
    assert specs_of(type) == {}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"size": 1, "zz": 2}, "received the following unexpected parameters: zz."),
        ({}, "did not receive the following required parameters: size"),
        (
            {"sizes": 1, "zz": 2},
            "flow 'etl' received the following unexpected parameters: sizes, zz. Did you mean 'size'?; "
            "it did not receive the following required parameters: size",
        ),
    ],
)
def test_everything_that_is_missing_or_unexpected_is_in_one_message(given, problem):
    with pytest.raises(ParameterError) as caught:
        check("etl", SPECS, given)
    assert problem in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_what_fits_is_accepted():
    check("etl", SPECS, {"size": "not checked for type"})


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"size": "10"}, {"size": 10}),
        ({"size": 10, "ratio": "0.25"}, {"size": 10, "ratio": 0.25}),
        ({"size": "1", "name": "10"}, {"size": 1, "name": "10"}),
        ({"size": "1", "day": "2024-02-29"}, {"size": 1, "day": date(2024, 2, 29)}),
        ({"size": "1", "day": None}, {"size": 1, "day": None}),
        ({"size": "1", "on": "true"}, {"size": 1, "on": True}),
    ],
)
def test_text_is_converted_to_the_annotated_type(given, values):
    assert convert("etl", SPECS, given) == values


def test_a_dataclass_is_made_from_plain_data():
    def scan(window: Window, raw=None): ...

    made = convert("etl", specs_of(scan), {"window": {"start": "2024-01-01"}, "raw": "10"})
    assert made == {"window": Window(date(2024, 1, 1)), "raw": "10"}


def test_all_that_does_not_convert_is_in_the_same_message():
    with pytest.raises(ParameterError) as caught:
        convert("etl", SPECS, {"ratio": "x", "zz": 1})
    message = str(caught.value)
    for part in ("unexpected parameters: zz", "required parameters: size", "can't take ratio='x': "):
        assert part in message
