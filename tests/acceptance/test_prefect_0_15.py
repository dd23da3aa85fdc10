"""What people know from Prefect 0.15, row by row: calls, edges, signals, triggers, handlers, retries.

Each test is one row of the vocabulary, in the smallest flow that shows it. Where asyncflow differs on purpose
the row says what holds here; ARCHITECTURE.md has the list of differences with their reasons.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from asyncflow import Flow, Parameter, flow, signals, states, task, triggers
from asyncflow.errors import HandleMisuse, InvalidFlow, InvalidTask, NotInFlow, ParameterError
from tests.engine.kit import moves, play
from tests.engine.kit import states as final


@task
def one() -> int:
    return 1


@task
def add(*numbers: int) -> int:
    return sum(numbers)


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def fail() -> None:
    raise ValueError("no")


def ending(signal: Any, **options: Any) -> tuple[Any, list[str]]:
    """Return the final state of a task whose body raises a signal, and the names of its moves."""

    @task(**options)
    def body() -> None:
        raise signal

    run = play(flow(name="f")(lambda: body()))
    return run.tasks["body"].state, moves(run, "body")


class TestTasksFlowsParametersEdges:
    def test_a_call_inside_a_flow_adds_edges_with_and_without_data(self):
        with Flow("f") as f:
            first = one()
            second = one()
            second.set_upstream(first)
            third = total([first, second])
            third.set_downstream(one())
        run = play(f)
        assert [[up.number for up in task_run.upstream] for task_run in run.tasks] == [[], [1], [1, 2], [3]]

    def test_a_flow_needs_a_name(self):
        with pytest.raises(InvalidFlow, match="name"):
            Flow("")

    def test_a_call_outside_a_flow_is_refused_and_fn_is_the_plain_function(self):
        with pytest.raises(NotInFlow, match=r"one\.fn\("):
            one()
        assert one.fn() == 1

    def test_varargs_are_allowed_and_handles_in_them_are_found(self):
        run = play(flow(name="f")(lambda: add(one(), one())))
        assert run.result() == 2

    def test_constants_stay_and_containers_of_handles_are_collected(self):
        run = play(flow(name="f")(lambda: total([one(), 2, one(), 1, 0])))
        assert run.result() == 5

    def test_a_result_is_indexed_and_unpacked_and_asking_for_its_truth_is_refused(self):
        @task(nout=2)
        def pair() -> dict[str, int] | list[int]:
            return [3, 4]

        @flow
        def f():
            first, second = pair()
            with pytest.raises(HandleMisuse, match="await"):
                bool(first)
            return add(pair()[0], second)

        assert play(f).result() == 7

    def test_parameters_are_required_unless_they_have_a_default_and_unknown_ones_are_refused(self):
        with Flow("f") as f:
            add(Parameter("req").later, Parameter("opt", default=1).later)
        with pytest.raises(ParameterError, match="req"):
            f.run()
        with pytest.raises(ParameterError, match="zz"):
            f.run(req=1, zz=2)
        assert play(f, req=2).tasks["add"].state.result == 3

    def test_a_cycle_fails_the_run_and_is_named(self):
        with Flow("f") as f:
            first, second = one(), one()
            first.set_upstream(second)
            second.set_upstream(first)
        run = play(f)
        assert run.state.message.startswith("The flow's body raised InvalidFlow: Cycle found")

    def test_an_empty_flow_is_a_success(self):
        with Flow("f") as f:
            pass
        run = play(f)
        assert run.is_success()
        assert len(run.tasks) == 0

    def test_a_run_maps_every_task_to_its_state_and_result(self):
        run = play(flow(name="f")(lambda: [one(), one()]))
        assert [task_run.state.result for task_run in run.tasks] == [1, 1]
        assert run.tasks["one#2"].state.is_success()

    def test_an_async_body_is_awaited_and_a_returned_state_is_a_value(self):
        @task
        async def later() -> int:
            await asyncio.sleep(60)
            return 5

        @task
        def odd() -> states.State:
            return states.Failed("a value")

        run = play(flow(name="f")(lambda: [later(), odd()]))
        assert run.tasks["later"].state.result == 5
        assert run.tasks["odd"].state.is_success()

    def test_what_does_not_depend_on_each_other_runs_at_the_same_time(self):
        @task
        async def nap() -> float:
            await asyncio.sleep(0.5)
            return asyncio.get_running_loop().time()

        run = play(flow(name="f")(lambda: [nap() for _ in range(4)]))
        assert [task_run.state.result for task_run in run.tasks] == [0.5] * 4


class TestThePipeline:
    def test_the_skip_is_looked_at_before_the_trigger(self):
        @task
        def skip() -> None:
            raise signals.SKIP("nothing")

        @task(trigger=triggers.any_failed)
        def after(a: Any, b: Any) -> None: ...

        run = play(flow(name="f")(lambda: after(skip(), fail())))
        assert run.tasks["after"].state.is_skipped()

    def test_a_refusal_by_the_trigger_is_never_retried_and_one_in_the_body_is(self):
        refused = task(max_retries=2, retry_delay=1)(add.fn)
        run = play(flow(name="f")(lambda: refused(fail())))
        assert moves(run, "add") == ["TriggerFailed"]
        state, went = ending(signals.TRIGGERFAIL, max_retries=1, retry_delay=1)
        assert went == ["Running", "Retrying", "Running", "TriggerFailed"]
        assert state.is_failed()


class TestSignals:
    @pytest.mark.parametrize(
        ("signal", "name", "message", "result"),
        [
            (signals.SUCCESS("done", result=3), "Success", "done", 3),
            (signals.SUCCESS, "Success", "SUCCESS was raised.", None),
            (signals.SKIP("none"), "Skipped", "none", None),
            (signals.ENDRUN(states.Success("so", result=3)), "Success", "so", 3),
        ],
    )
    def test_those_that_succeed(self, signal, name, message, result):
        state, _ = ending(signal)
        assert (state.name, state.message, state.result) == (name, message, result)

    @pytest.mark.parametrize(
        ("signal", "name"),
        [
            (signals.FAIL("nope"), "Failed"),
            (signals.TRIGGERFAIL("no"), "TriggerFailed"),
            (signals.VALIDATIONFAIL("no"), "ValidationFailed"),
        ],
    )
    def test_those_that_fail_count_for_retries_and_their_result_is_the_signal(self, signal, name):
        state, went = ending(signal, max_retries=1, retry_delay=1)
        assert went == ["Running", "Retrying", "Running", name]
        assert state.result is signal

    def test_a_failed_endrun_is_not_retried(self):
        _, went = ending(signals.ENDRUN(states.Failed("so")), max_retries=1, retry_delay=1)
        assert went == ["Running", "Failed"]

    def test_retry_goes_beyond_the_policy_and_the_counter_goes_on(self):
        attempts = []

        @task(max_retries=1, retry_delay=1)
        def body() -> None:
            attempts.append(len(attempts) + 1)
            if len(attempts) <= 3:
                raise signals.RETRY("again", delay=10)
            raise ValueError("no")

        run = play(flow(name="f")(lambda: body()))
        assert (attempts, run.tasks["body"].attempt) == ([1, 2, 3, 4], 4)
        assert run.tasks["body"].state.is_failed()

    def test_except_exception_in_user_code_does_not_eat_them(self):
        @task
        def body() -> None:
            try:
                raise signals.SKIP("out")
            except Exception:
                pytest.fail("eaten")

        assert play(flow(name="f")(lambda: body())).tasks["body"].state.is_skipped()

    def test_a_skip_travels_on_unless_the_task_says_otherwise(self):
        @task
        def skip() -> None:
            raise signals.SKIP("nothing")

        @task(skip_on_upstream_skip=False)
        def sees(value: Any) -> str:
            return repr(value)

        @task
        def skipped(value: Any) -> None: ...

        def body():
            nothing = skip()
            return [sees(nothing), skipped(nothing)]

        run = play(flow(name="f")(body))
        assert final(run) == {"skip": "Skipped", "sees": "Success", "skipped": "Skipped"}
        assert run.tasks["sees"].state.result == "None"


class TestHandlers:
    def test_each_is_called_in_order_with_what_the_one_before_it_returned(self):
        seen = []

        def first(obj, old, new):
            seen.append(("first", old.name, new.name))
            return states.Success("mended", result=99) if new.is_failed() else None

        def second(obj, old, new):
            seen.append(("second", old.name, new.name))

        @task(state_handlers=[first, second])
        def body() -> None:
            raise ValueError("no")

        run = play(flow(name="f")(lambda: add(body())))
        assert seen == [
            ("first", "Pending", "Running"),
            ("second", "Pending", "Running"),
            ("first", "Running", "Failed"),
            ("second", "Running", "Success"),
        ]
        assert run.result() == 99

    def test_a_refused_task_goes_from_pending_to_trigger_failed(self):
        seen = []
        tell = task(state_handlers=[lambda obj, old, new: seen.append((old.name, new.name))])(add.fn)
        play(flow(name="f")(lambda: tell(fail())))
        assert seen == [("Pending", "TriggerFailed")]

    def test_a_retry_is_one_move(self):
        seen = []

        @task(max_retries=1, retry_delay=1, state_handlers=[lambda o, old, new: seen.append(new.name)])
        def body() -> None:
            raise ValueError("no")

        play(flow(name="f")(lambda: body()))
        assert seen == ["Running", "Retrying", "Running", "Failed"]

    def test_on_failure_is_called_once_for_the_final_failure(self):
        called = []

        @task(max_retries=1, retry_delay=1, on_failure=lambda obj, state: called.append(state.name))
        def body() -> None:
            raise ValueError("no")

        play(flow(name="f")(lambda: body()))
        assert called == ["Failed"]

    @pytest.mark.parametrize(
        ("signal", "at", "name"),
        [
            (signals.ENDRUN(states.Failed("so")), "Running", "Failed"),
            (signals.SKIP("no"), "Running", "Skipped"),
            (signals.FAIL("no"), "Success", "Failed"),
        ],
    )
    def test_a_signal_in_a_handler_sets_the_state(self, signal, at, name):
        def handler(obj, old, new):
            if new.name == at:
                raise signal

        run = play(flow(name="f")(lambda: task(state_handlers=[handler])(one.fn)()))
        assert run.tasks[0].state.name == name

    def test_any_other_error_fails_the_run_and_names_the_handler(self):
        def alert(obj, old, new):
            if new.isfailed():
                pytest.fail("there is no such question")

        run = play(
            flow(name="f")(lambda: task(state_handlers=[alert], max_retries=3, retry_delay=1)(one.fn)())
        )
        state = run.tasks[0].state
        assert state.is_failed()
        assert "alert" in state.message
        assert "is_failed" in state.message
        assert run.tasks[0].attempt <= 1

    def test_a_flow_handler_sees_running_and_the_end_once(self):
        seen = []
        f = flow(name="f", state_handlers=[lambda o, old, new: seen.append((old.name, new.name))])(
            lambda: fail()
        )
        run = play(f)
        assert seen == [("Pending", "Running"), ("Running", "Failed")]
        assert final(run) == {"fail": "Failed"}


class TestReferenceTasks:
    def test_the_terminal_tasks_decide(self):
        run = play(flow(name="f")(lambda: (add(fail()), one(), None)[2]))
        assert run.is_failed()
        assert run.state.message == "Some reference tasks failed."
        run = play(flow(name="g")(lambda: (one(), None)[1]))
        assert run.state.message == "All reference tasks succeeded."

    def test_those_that_are_set_decide_in_their_place(self):
        @task(trigger=triggers.all_failed)
        def cleanup(failure: Any) -> None: ...

        for chosen, name in ((True, "Failed"), (False, "Success")):
            with Flow("f") as f:
                broken = fail()
                cleanup(broken)
                if chosen:
                    f.set_reference_tasks([broken])
            assert play(f).state.name == name

    def test_tasks_of_another_flow_are_refused(self):
        with Flow("f"):
            foreign = one()
        with Flow("g") as g:
            one()
        with pytest.raises(InvalidFlow):
            g.set_reference_tasks([foreign])


class TestRetriesAndTimeouts:
    @pytest.mark.parametrize("half", [{"max_retries": 2}, {"retry_delay": 1}])
    def test_max_retries_and_retry_delay_belong_together(self, half):
        with pytest.raises(InvalidTask, match="belong together"):
            task(**half)(one.fn)

    def test_a_retry_does_not_block_siblings_and_finished_tasks_are_not_run_again(self):
        order = []

        @task(max_retries=2, retry_delay=timedelta(seconds=1))
        def flaky() -> None:
            order.append(f"flaky{len([name for name in order if name.startswith('flaky')]) + 1}")
            if len(order) < 4:
                raise ValueError("no")

        @task
        def other() -> None:
            order.append("other")

        @task
        def after(value: None) -> None:
            order.append("after")

        play(flow(name="f")(lambda: (after(flaky()), other())[0]))
        assert order == ["flaky1", "other", "flaky2", "flaky3", "after"]

    def test_a_timeout_of_any_length_is_a_failure_that_is_retried(self):
        @task(timeout=0.25, max_retries=1, retry_delay=1)
        async def slow() -> None:
            await asyncio.sleep(60)

        run = play(flow(name="f")(lambda: slow()))
        assert moves(run, "slow") == ["Running", "Retrying", "Running", "TimedOut"]
