"""Signals, retries and timeouts of task runs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from asyncflow import Breaker, Retry, constant, exponential, flow, signals, states, task
from asyncflow.errors import AttemptTimedOut, BreakerOpen, InvalidTask
from asyncflow.sim.clock import EPOCH
from tests.clock import run_virtual
from tests.engine.kit import moves, play
from tests.engine.kit import states as final


def scripted(*steps, **options):
    """Return a task whose attempts go through `steps`: exceptions are raised, values returned."""
    left = list(steps)

    async def body(*_upstream):
        step = left.pop(0)
        if isinstance(step, BaseException) or (isinstance(step, type) and issubclass(step, BaseException)):
            raise step
        return step

    return task(name="body", **options)(body)


@task
async def after(value):
    return ("after", value)


def run_of(one, *, then=None):
    @flow
    async def f():
        first = one()
        if then is not None:
            return [then(first)]
        return [first]

    return play(f)


class TestSignals:
    @pytest.mark.parametrize(
        ("signal", "state", "downstream"),
        [
            (signals.SUCCESS, "Success", "Success"),
            (signals.SUCCESS("m", 3), "Success", "Success"),
            (signals.FAIL("m"), "Failed", "TriggerFailed"),
            (signals.SKIP("m"), "Skipped", "Skipped"),
            (signals.TRIGGERFAIL("m"), "TriggerFailed", "TriggerFailed"),
            (signals.VALIDATIONFAIL("m"), "ValidationFailed", "TriggerFailed"),
            (signals.ENDRUN(states.Failed("m")), "Failed", "TriggerFailed"),
            (signals.ENDRUN(states.Success("m", 3)), "Success", "Success"),
            (BaseExceptionGroup("g", [signals.SKIP("m")]), "Skipped", "Skipped"),
        ],
    )
    def test_each_sets_its_state_and_those_downstream_follow(self, signal, state, downstream):
        run = run_of(scripted(signal), then=after)
        assert final(run) == {"body": state, "after": downstream}
        assert moves(run, "body") == ["Running", state]
        if isinstance(signal, signals.Signal):
            assert run.tasks["body"].state.message == "m"

    @pytest.mark.parametrize(
        ("signal", "value"),
        [
            (signals.SUCCESS, None),
            (signals.SUCCESS("m", 3), 3),
            (signals.ENDRUN(states.Success(result=3)), 3),
        ],
    )
    def test_the_result_of_a_success_goes_downstream_and_never_the_signal(self, signal, value):
        run = run_of(scripted(signal), then=after)
        assert run.result() == [("after", value)]

    def test_success_by_signal_is_marked(self):
        run = run_of(scripted(signals.SUCCESS("m")))
        assert run.tasks["body"].state.how == "by signal"

    @pytest.mark.parametrize(
        "signal", [signals.FAIL("m"), signals.TRIGGERFAIL("m"), signals.VALIDATIONFAIL("m")]
    )
    def test_a_failing_signal_counts_as_an_attempt(self, signal):
        run = run_of(scripted(signal, 3, max_retries=1, retry_delay=0))
        assert moves(run, "body") == ["Running", "Retrying", "Running", "Success"]
        run = run_of(scripted(signal, signal, max_retries=1, retry_delay=0))
        assert moves(run, "body")[-2:] == ["Running", signal.to_state().name]

    @pytest.mark.parametrize(
        "signal",
        [
            signals.SUCCESS,
            signals.SKIP,
            signals.ENDRUN(states.Failed("m")),
            signals.ENDRUN(states.TimedOut()),
        ],
    )
    def test_the_others_are_never_retried(self, signal):
        assert len(moves(run_of(scripted(signal, retry=5)), "body")) == 2

    def test_except_exception_does_not_eat_a_signal(self):
        @task
        async def careful():
            try:
                raise signals.SKIP("x")
            except Exception:
                return "eaten"

        assert final(run_of(careful)) == {"careful": "Skipped"}

    def test_a_group_of_a_signal_and_errors_is_a_failure_that_names_them_all(self):
        group = BaseExceptionGroup("g", [signals.SKIP("m"), ValueError("v")])
        run = run_of(scripted(group))
        assert final(run) == {"body": "Failed"}
        with pytest.raises(BaseExceptionGroup) as caught:
            run.result()
        assert caught.value is group

    def test_a_task_group_in_a_body_passes_its_only_signal_on(self):
        async def skip():
            raise signals.SKIP("inside")

        @task
        async def grouped():
            async with asyncio.TaskGroup() as group:
                group.create_task(skip())

        assert final(run_of(grouped)) == {"grouped": "Skipped"}


class TestRetrySignal:
    def test_it_is_obeyed_whatever_the_policy_allows(self):
        again = signals.RETRY("again", delay=5)
        run = run_of(scripted(again, again, again, 3))
        assert run.result() == [3]
        assert moves(run, "body") == ["Running", "Retrying"] * 3 + ["Running", "Success"]
        assert run.events[-1].offset == 15.0
        assert run.tasks["body"].attempt == 4

    def test_it_uses_attempts_up(self):
        again = signals.RETRY("again")
        run = run_of(scripted(again, again, again, ValueError("x"), max_retries=1, retry_delay=0))
        assert moves(run, "body")[-2:] == ["Running", "Failed"]
        assert run.tasks["body"].attempt == 4

    def test_it_waits_until_a_time_of_day(self):
        run = run_of(scripted(signals.RETRY("later", at=EPOCH + 90), 3))
        assert run.events[-1].offset == 90.0

    def test_the_state_between_says_why_and_how_long(self):
        run = run_of(scripted(signals.RETRY("later", delay=2.5), 3))
        waiting = next(
            e.detail for e in run.events if e.kind == "state_changed" and e.detail.name == "Retrying"
        )
        assert waiting.detail["delay"] == 2.5
        assert waiting.message == "RETRY was raised; attempt 2 follows in 2.5 s"


class TestRetries:
    @pytest.mark.parametrize("options", [{"max_retries": 2}, {"retry_delay": timedelta(seconds=1)}])
    def test_max_retries_and_retry_delay_belong_together(self, options):
        with pytest.raises(ValueError, match="belong together"):
            task(**options)(lambda: None)
        with pytest.raises(InvalidTask):
            task(**options)(lambda: None)

    @pytest.mark.parametrize(
        ("failures", "sequence"),
        [
            (0, ["Running", "Success"]),
            (1, ["Running", "Retrying", "Running", "Success"]),
            (2, ["Running", "Retrying", "Running", "Retrying", "Running", "Success"]),
            (3, ["Running", "Retrying", "Running", "Retrying", "Running", "Failed"]),
        ],
    )
    def test_states_seen(self, failures, sequence):
        run = run_of(scripted(*[ValueError("x")] * failures, 3, max_retries=2, retry_delay=10))
        assert moves(run, "body") == sequence
        assert run.events[-1].offset == 10.0 * sequence.count("Retrying")

    def test_a_success_says_that_it_came_after_a_retry(self):
        assert run_of(scripted(3)).tasks["body"].state.how == "at once"
        assert run_of(scripted(ValueError(), 3, retry=2)).tasks["body"].state.how == "after retry"

    def test_every_wait_carries_its_numbers(self):
        run = run_of(
            scripted(ValueError("x"), KeyError("y"), 3, retry=Retry(5, delay=exponential(1, cap=60)))
        )
        waits = [e.detail for e in run.events if e.kind == "state_changed" and e.detail.name == "Retrying"]
        assert [(w.detail["attempt"], w.detail["max_attempts"], w.detail["delay"]) for w in waits] == [
            (1, 5, 1.0),
            (2, 5, 2.0),
        ]
        assert [type(w.result) for w in waits] == [ValueError, KeyError]
        attempts = [event.attempt for event in run.events if event.kind == "state_changed" and event.task]
        assert attempts == [1, 1, 2, 2, 3, 3]

    def test_the_last_failure_says_why_there_was_no_more(self):
        state = run_of(scripted(ValueError("x"), ValueError("x"), retry=2)).tasks["body"].state
        assert state.message == "ValueError: x"
        assert state.detail["reason"] == "attempt 2 of 2 was the last"
        state = run_of(scripted(ValueError("x"), retry=Retry(5, on=KeyError))).tasks["body"].state
        assert state.detail["reason"] == "ValueError is not in `on`"

    def test_a_retry_holds_no_sibling_up(self):
        order = []

        @task
        async def mark(name, *_):
            order.append(name)

        failures = iter([ValueError(), ValueError()])

        @task(max_retries=2, retry_delay=60)
        async def flaky():
            order.append("flaky")
            for error in failures:
                raise error

        @flow
        async def f():
            mark("after", flaky())
            mark("other")

        run = play(f)
        assert order == ["flaky", "other", "flaky", "flaky", "after"]
        assert run.events[-1].offset == 120.0

    def test_a_result_that_is_not_acceptable_is_retried_and_in_the_end_a_failure(self):
        run = run_of(scripted(None, None, retry=Retry(2, on_result=lambda value: value is None)))
        assert moves(run, "body") == ["Running", "Retrying", "Running", "Failed"]
        assert "not acceptable" in run.tasks["body"].state.message

    def test_backoff_follows_the_seed_of_the_world(self):
        one = task(retry=Retry(4, delay=constant(10), jitter="full"))(scripted(*[ValueError()] * 8).fn)

        def waits(seed):
            async def story():
                run = await flow(name="f")(lambda: one()).start()
                return await run.wait()

            run = run_virtual(story(), seed=seed)
            return [
                e.detail.detail["delay"] for e in run.events if getattr(e.detail, "name", "") == "Retrying"
            ]

        assert waits(1) == waits(1)


class TestTimeouts:
    def test_an_attempt_that_runs_too_long_is_timed_out(self):
        @task(timeout=1.5)
        async def slow():
            await asyncio.sleep(10)

        run = run_of(slow)
        assert moves(run, "slow") == ["Running", "TimedOut"]
        assert run.tasks["slow"].state.is_timed_out()
        assert run.events[-1].offset == 1.5
        with pytest.raises(TimeoutError, match=r"attempt 1 ran longer than its timeout of 1\.5 s") as caught:
            run.result()
        assert isinstance(caught.value, AttemptTimedOut)
        assert "in task 'slow', attempt 1" in caught.value.__notes__[0]

    def test_it_is_retried_like_a_failure(self):
        naps = iter([10, 0])

        @task(timeout=1, retry=2)
        async def slow():
            await asyncio.sleep(next(naps))
            return "quick"

        run = run_of(slow)
        assert moves(run, "slow") == ["Running", "Retrying", "Running", "Success"]
        assert run.result() == ["quick"]

    def test_the_bodys_own_timeout_error_keeps_its_identity(self):
        error = TimeoutError("mine")
        run = run_of(scripted(error, timeout=5))
        assert final(run) == {"body": "Failed"}
        with pytest.raises(TimeoutError, match="mine") as caught:
            run.result()
        assert caught.value is error

    def test_a_body_that_answers_the_timeout_with_a_value_keeps_it(self):
        @task(timeout=1)
        async def stubborn():
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return "partial"

        assert run_of(stubborn).result() == ["partial"]

    def test_any_length_is_allowed(self):
        @task(timeout=timedelta(milliseconds=250))
        async def slow():
            await asyncio.sleep(1)

        assert run_of(slow).events[-1].offset == 0.25


class TestBreakers:
    def test_a_refused_attempt_is_an_attempt_and_no_call(self):
        breaker = Breaker("api", failures=1, open_for=30)
        run = run_of(
            scripted(ValueError("x"), 3, breaker=breaker, retry=Retry(2, on=(ValueError, BreakerOpen)))
        )
        state = run.tasks["body"].state
        assert state.name == "Failed"
        assert state.detail["called"] is False
        assert isinstance(state.result, BreakerOpen)
        assert moves(run, "body") == ["Running", "Retrying", "Running", "Failed"]
        (changed,) = [event.detail for event in run.events if event.kind == "breaker_changed"]
        told = {"breaker": "api", "why": "after a failure", "old": "closed", "new": "open"}
        numbers = {"probe_in": 30.0, "calls": 1, "failures": 1, "slow": 0, "openings": 1}
        assert changed == {**told, **numbers, "cause": "ValueError: x"}

    def test_it_may_wait_until_the_breaker_lets_it_pass(self):
        breaker = Breaker("api", failures=1, open_for=30)
        run = run_of(scripted(ValueError("x"), 3, breaker=breaker, retry=2, when_rejected="wait"))
        assert run.result() == [3]
        assert run.events[-1].offset == 30.0
        waits = [e.detail for e in run.events if getattr(e.detail, "name", "") == "Retrying"]
        assert [wait.detail.get("called", True) for wait in waits] == [True, False]


def test_a_def_task_is_retried_and_raises_like_any_other():
    answers = iter([ValueError("x"), 3])

    @task(retry=2)
    def blocking():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    run = run_of(blocking)
    assert run.result() == [3]
    assert moves(run, "blocking") == ["Running", "Retrying", "Running", "Success"]
