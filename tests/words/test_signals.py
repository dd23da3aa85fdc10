from __future__ import annotations

import pytest

from asyncflow import signals
from asyncflow.errors import UsageError
from asyncflow.signals import (
    ENDRUN,
    FAIL,
    RETRY,
    SKIP,
    SUCCESS,
    TRIGGERFAIL,
    VALIDATIONFAIL,
    Signal,
    sole_signal,
)
from asyncflow.states import Crashed, Failed, Pending, Running, Success


@pytest.mark.parametrize(
    ("signal", "state", "fails"),
    [
        (SUCCESS, "Success", False),
        (FAIL, "Failed", True),
        (SKIP, "Skipped", False),
        (TRIGGERFAIL, "TriggerFailed", True),
        (VALIDATIONFAIL, "ValidationFailed", True),
    ],
)
def test_a_signal_sets_the_state_of_its_name(signal: type[Signal], state: str, fails: bool) -> None:
    bare, told = signal().to_state(), signal("because").to_state()
    assert (bare.name, told.name, told.message) == (state, state, "because")
    assert bare.message == f"{signal.__name__} was raised."
    assert signal.fails is fails


@pytest.mark.parametrize("signal", [SUCCESS, SKIP])
def test_a_signal_without_a_result_gives_none_and_never_itself(signal: type[Signal]) -> None:
    assert signal("x").to_state().result is None
    assert signal("x", 3).to_state().result == 3
    assert signal(result=3).to_state().result == 3


@pytest.mark.parametrize("signal", [FAIL, TRIGGERFAIL, VALIDATIONFAIL])
def test_the_state_of_a_failing_signal_carries_the_signal(signal: type[Signal]) -> None:
    raised = signal("x")
    assert raised.to_state().result is raised


@pytest.mark.parametrize("name", signals.__all__)
def test_signals_slip_through_except_exception(name: str) -> None:
    assert not issubclass(getattr(signals, name), Exception)


@pytest.mark.parametrize(
    ("signal", "wall", "wait"),
    [
        (RETRY(), 100.0, 0.0),
        (RETRY(delay=2.5), 100.0, 2.5),
        (RETRY(at=130.0), 100.0, 30.0),
        (RETRY(at=90.0), 100.0, 0.0),
    ],
)
def test_retry_waits_for_a_length_or_until_a_time(signal: RETRY, wall: float, wait: float) -> None:
    assert signal.wait(wall) == wait


@pytest.mark.parametrize("delay", [-1.0, float("inf"), float("nan")])
def test_retry_refuses_a_length_that_can_not_be_waited(delay: float) -> None:
    with pytest.raises(UsageError, match="must be a number of seconds, 0 or more"):
        RETRY(delay=delay)


@pytest.mark.parametrize("at", [float("inf"), float("nan")])
def test_retry_refuses_a_time_that_never_comes(at: float) -> None:
    with pytest.raises(UsageError, match="at="):
        RETRY(at=at)


def test_retry_takes_a_length_or_a_time_and_not_both() -> None:
    with pytest.raises(UsageError, match="not both"):
        RETRY(delay=1.0, at=2.0)


def test_endrun_gives_exactly_its_state() -> None:
    state = Success("enough", 3)
    assert ENDRUN(state).to_state() is state
    assert ENDRUN(state).result == 3


@pytest.mark.parametrize("state", [Pending(), Running(), "Success", Failed, Crashed()])
def test_endrun_needs_a_final_state_that_a_run_may_end_in(state: object) -> None:
    with pytest.raises(UsageError, match="needs a final state"):
        ENDRUN(state)  # type: ignore[arg-type]  # the point of the test


def test_a_signal_speaks_for_itself_in_a_traceback() -> None:
    assert repr(FAIL("nope")) == "FAIL('nope')"
    assert str(FAIL("nope")) == "nope"


def test_only_retry_names_no_final_state() -> None:
    with pytest.raises(AssertionError):
        RETRY().to_state()


def test_a_signal_alone_in_a_group_counts_as_itself() -> None:
    skip = SKIP("x")
    assert sole_signal(skip) is skip
    assert sole_signal(BaseExceptionGroup("g", [skip])) is skip
    assert sole_signal(BaseExceptionGroup("g", [BaseExceptionGroup("h", [skip])])) is skip


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        ExceptionGroup("g", [ValueError("x")]),
        BaseExceptionGroup("g", [SKIP("x"), ValueError("y")]),
        BaseExceptionGroup("g", [SKIP("x"), SKIP("y")]),
    ],
)
def test_a_group_of_more_than_one_is_a_failure_that_names_them_all(error: BaseException) -> None:
    assert sole_signal(error) is error
