"""The options of caching on `@task`, the keys that they make, and what is refused."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from asyncflow import task
from asyncflow.caching import (
    all_inputs,
    all_parameters,
    duration_only,
    never_use,
    partial_inputs_only,
    partial_parameters_only,
)
from asyncflow.caching.canonical import Unkeyable
from asyncflow.entries import CacheKey
from asyncflow.errors import InvalidPolicy, InvalidTask


def get(size: int = 10, *more: Any, unit: str = "kg", **rest: Any) -> None:
    pass


def key(*args: Any, parameters: dict[str, Any] | None = None, **given: Any) -> CacheKey:
    """Return the key of a call; what begins with `cache_` is an option."""
    options = {name: given.pop(name) for name in list(given) if name.startswith("cache_")}
    recipe = task(**{"cache_for": 60, **options})(get).recipe
    assert recipe is not None
    return recipe.key(args, given, parameters or {})


def test_a_key_names_the_task_its_inputs_and_its_code() -> None:
    found = key()
    assert found.family == "tests.caching.test_declaring:get"
    assert len(found.inputs) == len(found.code) == 32


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key(), key(10)),
        (key(10), key(size=10)),
        (key(unit="kg"), key(10, unit="kg")),
        (key(a=1, b=2), key(b=2, a=1)),
        (key(1, cache_validator=duration_only), key(2, cache_validator=duration_only)),
        (key(1, cache_validator=all_parameters), key(2, cache_validator=all_parameters)),
        (
            key(1, unit="g", cache_validator=partial_inputs_only(["unit"])),
            key(2, unit="g", cache_validator=partial_inputs_only(["unit"])),
        ),
        (
            key(parameters={"a": 1, "b": 2}, cache_validator=partial_parameters_only(["a"])),
            key(parameters={"a": 1, "b": 3}, cache_validator=partial_parameters_only(["a"])),
        ),
        (
            key(1, unit="g", cache_key=lambda size, unit: unit),
            key(2, unit="g", cache_key=lambda size, unit: unit),
        ),
    ],
)
def test_calls_that_share_an_entry(one: CacheKey, other: CacheKey) -> None:
    assert one == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key(1), key(2)),
        (key(1), key("1")),
        (key(1, 2), key(1)),
        (key(a=1), key(b=1)),
        (key(unit="g"), key()),
        (key(cache_validator=duration_only), key(cache_validator=all_inputs)),
        (key(1, cache_validator=never_use), key(2, cache_validator=never_use)),
        (
            key(parameters={"a": 1}, cache_validator=all_parameters),
            key(parameters={"a": 2}, cache_validator=all_parameters),
        ),
        (
            key(unit="g", cache_validator=partial_inputs_only(["unit"])),
            key(unit="kg", cache_validator=partial_inputs_only(["unit"])),
        ),
    ],
)
def test_calls_that_do_not(one: CacheKey, other: CacheKey) -> None:
    assert one != other


def test_tasks_of_one_cache_key_share_entries_whatever_their_code() -> None:
    def other(size: int) -> int:
        return size

    shared = task(cache_for=60, cache_key="prices")(other).recipe
    assert shared is not None
    assert shared.key((1,), {}, {}) == CacheKey("prices", shared.key((1,), {}, {}).inputs, "")
    assert shared.key((1,), {}, {}).family == key(cache_key="prices").family


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (
            lambda: key(object()),
            "size can't be part of a key: nothing tells one object from another; say",
        ),
        (lambda: key(cache_key=lambda: None), "cache_key gave None"),
        (lambda: key(cache_key=lambda: 1 / 0), "cache_key raised ZeroDivisionError"),
        (lambda: key(cache_key=object), "cache_key can't be part of a key: .*; let it give text or numbers"),
        (lambda: key(cache_validator=partial_parameters_only(["a"])), "there is no flow parameter 'a'"),
    ],
)
def test_without_a_key_it_is_said_why(call: Any, why: str) -> None:
    with pytest.raises(Unkeyable, match=why):
        call()


@pytest.mark.parametrize(
    ("options", "error", "why"),
    [
        ({"cache_key": "a"}, InvalidTask, "cache_key= needs cache_for="),
        ({"cache_validator": duration_only}, InvalidTask, "cache_validator= needs cache_for="),
        ({"stale_if_error": 5}, InvalidTask, "stale_if_error= needs cache_for="),
        ({"cache_for": 0}, InvalidPolicy, "must be more than 0"),
        ({"cache_for": math.inf}, InvalidPolicy, "finite"),
        ({"cache_for": "1h"}, InvalidPolicy, "is not a length of time"),
        ({"cache_for": 1, "stale_if_error": -1}, InvalidPolicy, "must be 0 or more"),
        ({"cache_for": 1, "cache_key": ""}, InvalidTask, "must be a name that tasks share, or a function"),
        ({"cache_for": 1, "cache_key": 7}, InvalidTask, "must be a name that tasks share, or a function"),
        ({"cache_for": 1, "cache_validator": len}, InvalidTask, "none of asyncflow.caching"),
        ({"cache_for": 1, "cache_key": len, "cache_validator": duration_only}, InvalidTask, "leave out"),
        ({"cache_for": 1, "cache_validator": partial_inputs_only(["siz"])}, InvalidTask, "no argument 'siz'"),
        ({"cache_fro": 1}, InvalidTask, "Did you mean 'cache_for'"),
    ],
)
def test_options_that_can_not_work_are_refused(
    options: dict[str, Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        task(**options)(get)


@pytest.mark.parametrize("names", ["size", [], [1]])
def test_partial_rules_need_names(names: Any) -> None:
    with pytest.raises(InvalidTask, match="must be a list of names"):
        partial_inputs_only(names)


def test_with_options_changes_one_and_keeps_the_others() -> None:
    first = task(cache_for=timedelta(days=1), cache_key="a", stale_if_error=5)(get)
    longer = first.with_options(cache_for=60)
    assert longer.cache is not None
    assert (longer.cache.cache_for, longer.cache.cache_key, longer.cache.stale_if_error) == (60.0, "a", 5.0)
    assert first.with_options(cache_for=None).cache is None
    assert first.with_options(name="other").cache == first.cache
    by_function = task(cache_for=1, cache_validator=duration_only)(get).with_options(cache_key=len)
    assert by_function.cache is not None
    assert by_function.cache.cache_key is len
