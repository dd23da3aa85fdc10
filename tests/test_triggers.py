from __future__ import annotations

import pytest

from asyncflow import flow, signals, states, task, triggers
from asyncflow.errors import InvalidTask
from asyncflow.states import Cached, Cancelled, Crashed, Failed, Skipped, Success, TimedOut, TriggerFailed
from asyncflow.triggers import (
    all_failed,
    all_finished,
    all_successful,
    always_run,
    any_failed,
    any_successful,
    not_all_skipped,
    some_failed,
    some_successful,
)
from tests.engine.kit import moves, play

# What becomes of a task with skip_on_upstream_skip=False; upstream are A = Success, F = Failed, S = Skipped.
COLUMNS = ("A", "F", "S", "AF", "AS", "FS", "")
TABLE = {
    all_successful: "run TF run TF run TF run",
    all_failed: "TF run TF TF TF TF run",
    any_successful: "run TF run run run run run",
    any_failed: "TF run TF run TF run run",
    all_finished: "run run run run run run run",
    always_run: "run run run run run run run",
    not_all_skipped: "run TF skip TF run TF run",
    some_failed(at_least=1): "TF run TF run TF run run",
    some_failed(at_most=0.5): "run TF run run run run run",
    some_failed(at_least=0.5, at_most=1): "TF run TF run TF run run",
    some_successful(at_least=2): "TF TF TF TF run TF run",
    some_successful(at_most=1): "run run run run TF run run",
    some_successful(at_least=0.9): "run TF run TF run TF run",
    some_failed(): "run run run run run run run",
}
CELLS = [
    pytest.param(trigger, column, cell, id=f"{number}-{trigger.__name__}-{column or 'none'}")
    for number, (trigger, row) in enumerate(TABLE.items())
    for column, cell in zip(COLUMNS, row.split(), strict=True)
]
STATE = {"run": "Success", "TF": "TriggerFailed", "skip": "Skipped"}


@task
async def upstream(letter):
    match letter:
        case "F":
            raise ValueError("no")
        case "S":
            raise signals.SKIP("x")


@task
async def downstream(*values):
    return "ran"


def outcome(trigger, column, skips):
    """Return the state of a task with that trigger, downstream of what the column says."""

    @flow
    async def body():
        asked = downstream.with_options(trigger=trigger, skip_on_upstream_skip=skips, name="asked")
        asked(*[upstream(letter) for letter in column])

    return play(body).tasks["asked"].state


@pytest.mark.parametrize(("trigger", "column", "cell"), CELLS)
def test_the_table_of_triggers(trigger, column, cell):
    state = outcome(trigger, column, skips=False)
    assert state.name == STATE[cell]
    if cell == "TF":
        assert state.message.startswith(f'Trigger was "{trigger.__name__}" but ')


@pytest.mark.parametrize(("trigger", "column", "cell"), CELLS)
def test_a_skip_upstream_travels_on_before_the_trigger_is_asked(trigger, column, cell):
    state = outcome(trigger, column, skips=True)
    assert state.name == ("Skipped" if "S" in column else STATE[cell])


def test_messages_name_the_trigger_and_the_reason():
    failed = outcome(all_successful, "AF", skips=True)
    assert failed.message == 'Trigger was "all_successful" but some of the upstream tasks failed.'
    assert isinstance(failed.result, signals.TRIGGERFAIL)
    some = outcome(some_successful(at_least=2), "AF", skips=True)
    assert some.message == 'Trigger was "some_successful" but 1 of 2 upstream tasks succeeded.'


@pytest.mark.parametrize(
    ("state", "failed"),
    [
        (Success(), False),
        (Cached(), False),
        (Skipped(), False),
        (Failed(), True),
        (TimedOut(), True),
        (TriggerFailed(), True),
        (Cancelled(), True),
        (Crashed(), True),
    ],
)
def test_every_kind_of_failure_counts_and_a_skip_is_a_success(state, failed):
    if failed:
        assert all_failed([state])
        with pytest.raises(signals.TRIGGERFAIL):
            all_successful([state])
    else:
        assert all_successful([state])
        with pytest.raises(signals.TRIGGERFAIL):
            any_failed([state])


@pytest.mark.parametrize("make", [some_failed, some_successful])
@pytest.mark.parametrize("bounds", [{"at_least": -1}, {"at_most": -0.5}, {"at_least": float("nan")}])
def test_bounds_that_mean_nothing_are_refused(make, bounds):
    with pytest.raises(InvalidTask, match="must be 0 or more: below 1 a share, from 1 a count"):
        make(**bounds)


@pytest.mark.parametrize(
    ("share", "count", "total"), [(1 / 3, 1, 3), (0.7, 7, 10), (0.29, 29, 100), (0.1, 1, 10)]
)
def test_a_share_is_met_exactly(share, count, total):
    upstream_states = [Failed()] * count + [Success()] * (total - count)
    assert some_failed(at_least=share)(upstream_states)
    assert some_failed(at_most=share)(upstream_states)
    with pytest.raises(signals.TRIGGERFAIL):
        some_failed(at_least=share)([*upstream_states[1:], Success()])


class TestTriggersOfOnesOwn:
    def test_any_function_of_the_upstream_states_is_a_trigger(self):
        asked = []

        def odd(upstream_states):
            asked.append([state.name for state in upstream_states])
            return True

        assert outcome(odd, "AFS", skips=False).name == "Success"
        assert asked == [["Success", "Failed", "Skipped"]]

    def test_one_that_says_no_is_named(self):
        def never(states_):
            return False

        assert outcome(never, "A", skips=True).message == 'Trigger was "never" and said no.'

        class Never:
            def __call__(self, states_):
                return False

        assert outcome(Never(), "A", skips=True).message == 'Trigger was "trigger" and said no.'

    def test_it_is_not_asked_with_nothing_upstream(self):
        assert outcome(lambda states_: 1 / 0, "", skips=True).name == "Success"

    def test_one_that_breaks_refuses_and_says_why(self):
        state = outcome(lambda states_: 1 / 0, "A", skips=True)
        assert state.name == "TriggerFailed"
        assert state.message.startswith("Unexpected error while checking task trigger: ZeroDivisionError: ")
        assert isinstance(state.result, ZeroDivisionError)

    @pytest.mark.parametrize(
        "error", [BaseException("odd"), GeneratorExit(), BaseExceptionGroup("g", [GeneratorExit()])]
    )
    def test_not_even_a_bare_base_exception_holds_the_run_up(self, error):
        def trigger(states_):
            raise error

        assert outcome(trigger, "A", skips=True).name == "TriggerFailed"

    @pytest.mark.parametrize(
        ("signal", "state"),
        [
            (signals.SKIP("x"), "Skipped"),
            (signals.SUCCESS("x", 3), "Success"),
            (signals.FAIL("x"), "Failed"),
            (signals.TRIGGERFAIL("x"), "TriggerFailed"),
            (signals.ENDRUN(states.Cancelled("x")), "Cancelled"),
            (BaseExceptionGroup("g", [signals.SKIP("x")]), "Skipped"),
        ],
    )
    def test_one_that_raises_a_signal_sets_the_state(self, signal, state):
        def trigger(states_):
            raise signal

        found = outcome(trigger, "A", skips=True)
        assert (found.name, found.message) == (state, "x")

    def test_retry_asks_again_after_its_delay(self):
        answers = iter([False, False, True])

        def ready(states_):
            if not next(answers):
                raise signals.RETRY("not yet", delay=10)
            return True

        @flow
        async def body():
            return downstream.with_options(trigger=ready)(upstream("A"))

        run = play(body)
        assert run.result() == "ran"
        assert moves(run, "downstream") == ["Retrying", "Retrying", "Running", "Success"]
        assert run.events[-1].offset == 20.0


class TestADependentSeesWhatItChoseToRunOn:
    def test_a_failure_arrives_as_its_exception(self):
        @task(trigger=all_finished)
        async def look(value):
            return repr(value)

        @flow
        async def body():
            return look(upstream("F"))

        assert play(body).result() == "ValueError('no')"

    def test_a_skip_arrives_as_none_or_as_its_result(self):
        @task
        async def skip(result):
            raise signals.SKIP("x", result)

        @task(skip_on_upstream_skip=False)
        async def look(value):
            return repr(value)

        @flow
        async def body():
            return [look(skip(None)), look(skip(5))]

        assert play(body).result() == ["None", "5"]

    @pytest.mark.parametrize("state", [Failed("x"), Cancelled("x")])
    def test_a_failure_without_an_exception_arrives_as_task_failed(self, state):
        @task
        async def end():
            raise signals.ENDRUN(state)

        @task(trigger=all_finished)
        async def look(value):
            return type(value).__name__, value.state is state

        @flow
        async def body():
            return look(end())

        assert play(body).result() == ("TaskFailed", True)


def test_triggers_are_asked_again_when_an_edge_was_added_after_their_answer():
    @flow
    async def body():
        broken = upstream("F")
        with pytest.raises(ValueError, match="no"):
            await broken
        first = upstream("A")
        last = downstream(first)
        await first
        last.set_upstream(broken)
        return states.Success()

    assert play(body).tasks["downstream"].state.name == "TriggerFailed"


def test_all_names_are_public():
    assert triggers.always_run is triggers.all_finished
