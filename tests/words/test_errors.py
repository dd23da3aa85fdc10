from __future__ import annotations

import pytest

from asyncflow import errors
from asyncflow.errors import AsyncflowError, AttemptTimedOut, BreakerOpen, TaskFailed, did_you_mean, nearest
from asyncflow.signals import FAIL
from asyncflow.states import Failed

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("error", TREE)
def test_every_error_belongs_to_one_tree(error: type[Exception]) -> None:
    assert issubclass(error, AsyncflowError)
    assert error.__doc__


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        ("InvalidTask", ValueError),
        ("InvalidFlow", ValueError),
        ("InvalidPolicy", ValueError),
        ("ParameterError", ValueError),
        ("HandleMisuse", TypeError),
        ("AttemptTimedOut", TimeoutError),
    ],
)
def test_errors_are_the_builtin_ones_that_callers_expect(error: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, error), builtin)


@pytest.mark.parametrize(
    ("error", "code"),
    [("UsageError", 2), ("NotInFlow", 2), ("ScenarioInvalid", 2), ("NotFound", 4), ("StoreError", 1)],
)
def test_the_exit_code_tells_usage_from_what_was_not_found(error: str, code: int) -> None:
    assert getattr(errors, error).exit_code == code


def test_a_failed_task_carries_its_state_and_signal() -> None:
    signal = FAIL("no")
    state = Failed("no", signal)
    error = TaskFailed("task 'x' failed", state, signal)
    assert (str(error), error.state, error.signal) == ("task 'x' failed", state, signal)
    assert TaskFailed("without", state).signal is None


def test_a_rejection_says_how_long_to_wait() -> None:
    assert BreakerOpen("open", retry_after=3.0).retry_after == 3.0
    assert BreakerOpen("open").retry_after is None
    assert not issubclass(AttemptTimedOut, BreakerOpen)


@pytest.mark.parametrize(
    ("word", "found"), [("timout", "timeout"), ("retries", "retry"), ("zzz", None), ("", None)]
)
def test_the_nearest_word_is_offered_only_when_it_is_near(word: str, found: str | None) -> None:
    known = ["timeout", "retry", "name"]
    assert nearest(word, known) == found
    assert did_you_mean(word, known) == ("" if found is None else f" Did you mean '{found}'?")
