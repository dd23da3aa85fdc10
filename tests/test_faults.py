from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import ambient, signals, states
from asyncflow.faults import FaultPlan, TaskFault


def a_fault(**changes: Any) -> TaskFault:
    return TaskFault(**({"id": "fault[1]", "task": "parse", "do": "hang"} | changes))


@pytest.mark.parametrize(
    ("changes", "call", "attempt", "strikes"),
    [
        ({}, 1, 1, True),
        ({}, 7, 9, True),
        ({"attempts": (1,)}, 1, 1, True),
        ({"attempts": (1,)}, 2, 1, True),
        ({"attempts": (1,)}, 1, 2, False),
        ({"attempts": (1, 3)}, 1, 2, False),
        ({"attempts": (1, 3)}, 1, 3, True),
        ({"call": 2}, 1, 1, False),
        ({"call": 2}, 2, 5, True),
        ({"call": 2, "attempts": (1,)}, 2, 2, False),
    ],
)
def test_a_fault_strikes_where_its_address_says(
    changes: dict[str, Any], call: int, attempt: int, strikes: bool
) -> None:
    fault = a_fault(**changes)
    plan = FaultPlan([fault])
    assert plan.strike("parse", call, attempt) == ((fault,) if strikes else ())
    assert plan.fired == {"fault[1]": int(strikes)}
    assert plan.unfired() == (() if strikes else (fault,))


def test_a_task_without_faults_is_left_alone() -> None:
    plan = FaultPlan([a_fault()])
    assert plan.strike("store", 1, 1) == ()
    assert FaultPlan().strike("parse", 1, 1) == ()


def test_several_faults_strike_one_attempt_in_the_order_of_the_plan() -> None:
    slow, wrong = a_fault(id="a", do="delay", delay=1.0), a_fault(id="b", do="wrong-result", when="after")
    plan = FaultPlan([slow, a_fault(id="c", attempts=(2,)), wrong])
    assert plan.strike("parse", 1, 1) == (slow, wrong)
    assert plan.fired == {"a": 1, "c": 0, "b": 1}


def test_a_strike_that_could_not_be_carried_out_is_taken_back() -> None:
    fault = a_fault(do="wrong-result", when="after")
    plan = FaultPlan([fault])
    plan.strike("parse", 1, 1)
    plan.strike("parse", 1, 2)
    plan.missed(fault)
    assert plan.fired == {"fault[1]": 1}
    plan.missed(fault)
    assert plan.unfired() == (fault,)


def test_what_fired_can_be_read_and_not_written() -> None:
    fired: Any = FaultPlan([a_fault()]).fired
    with pytest.raises(TypeError):
        fired["fault[1]"] = 3


def test_the_same_seed_draws_the_same_strikes_and_about_as_many_as_the_probability_says() -> None:
    def strikes(seed: int) -> list[bool]:
        with ambient.entered(ambient.World(seed=seed)):
            plan = FaultPlan([a_fault(probability=0.3)])
            return [bool(plan.strike("parse", 1, attempt)) for attempt in range(1, 401)]

    assert strikes(7) == strikes(7) != strikes(8)
    assert 80 < sum(strikes(7)) < 160


def test_a_certain_fault_draws_nothing() -> None:
    with ambient.entered(ambient.World(seed=1)) as world:
        before = world.stream("faults").getstate()
        FaultPlan([a_fault()]).strike("parse", 1, 1)
        FaultPlan([a_fault(attempts=(2,), probability=0.5)]).strike("parse", 1, 1)
        assert world.stream("faults").getstate() == before


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"do": "raise", "error": ValueError, "message": "no"}, ValueError, "no"),
        ({"do": "raise", "error": KeyboardInterrupt}, KeyboardInterrupt, ""),
        ({"do": "signal", "signal": signals.FAIL, "message": "why"}, signals.FAIL, "why"),
        ({"do": "signal", "signal": signals.SKIP}, signals.SKIP, ""),
    ],
)
def test_a_fault_raises_a_fresh_exception_each_time(
    changes: dict[str, Any], error: type[BaseException], text: str
) -> None:
    fault = a_fault(**changes)
    first, second = fault.exception(), fault.exception()
    assert type(first) is type(second) is error
    assert first is not second
    assert str(first) == text


def test_a_signal_carries_what_the_fault_says() -> None:
    success = a_fault(do="signal", signal=signals.SUCCESS, message="early", value=[1]).exception()
    assert isinstance(success, signals.SUCCESS)
    assert success.to_state() == states.Success("early", [1], {"how": "by signal"})
    retry = a_fault(do="signal", signal=signals.RETRY, delay=2.5).exception()
    assert isinstance(retry, signals.RETRY)
    assert retry.delay == 2.5
    state = states.Failed("done")
    end = a_fault(do="signal", signal=signals.ENDRUN, state=state).exception()
    assert isinstance(end, signals.ENDRUN)
    assert end.state is state


def test_a_fault_that_raises_nothing_says_so() -> None:
    with pytest.raises(AssertionError, match="'hang', which raises nothing"):
        a_fault().exception()


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({}, {"task": "parse", "when": "before"}),
        ({"attempts": (2,)}, {"task": "parse", "attempt": 2, "when": "before"}),
        (
            {"attempts": (1, 2), "call": 3, "when": "after"},
            {"task": "parse", "call": 3, "attempt": [1, 2], "when": "after"},
        ),
    ],
)
def test_the_address_reads_as_in_a_scenario_file(changes: dict[str, Any], at: dict[str, Any]) -> None:
    assert a_fault(**changes).at == at


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.integers(1, 3)), max_size=20))
def test_a_fault_counts_exactly_the_strikes_that_were_returned(asked: list[tuple[str, int, int]]) -> None:
    plan = FaultPlan(
        TaskFault(id=f"{task}{number}", task=task, do="hang", attempts=(number,), call=call)
        for task in "ab"
        for number in (1, 2)
        for call in (None, 1)
        if not (task == "b" and call)
    )
    struck = [fault.id for where in asked for fault in plan.strike(*where)]
    assert all(count == struck.count(name) for name, count in plan.fired.items())
    assert {fault.id for fault in plan.unfired()} == set(plan.fired) - set(struck)
