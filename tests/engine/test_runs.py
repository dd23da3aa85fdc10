"""Running flows: `run`, `start`, calls from outside, child flows."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow import Flow, Parameter, TaskFailed, current, flow, signals, states, task
from asyncflow.engine import FlowRun, RunOptions, start
from asyncflow.errors import InvalidFlow, NotInFlow, ParameterError, UsageError
from asyncflow.store import MemoryStore
from tests.clock import run_virtual
from tests.engine.kit import double, fail, give, moves, nap, of_kind, play
from tests.engine.kit import states as final


@flow
async def doubled(size: int, plus: int = 0):
    return (await double(size)) + plus


@flow
def wired(size: int = 1):
    return double(size)


@flow
async def failing():
    fail()


class TestRunAndStart:
    def test_run_is_plain_python_and_gives_the_run(self):
        run = doubled.run(size=3)
        assert isinstance(run, FlowRun)
        assert run.state.is_success()
        assert run.result() == 6
        assert [task_run.name for task_run in run.tasks] == ["double"]
        assert run.store == "memory"

    def test_run_never_raises_for_a_failed_flow(self):
        run = failing.run()
        assert run.is_failed()
        with pytest.raises(ValueError, match="no"):
            run.result()

    def test_the_run_answers_for_its_state(self):
        run = failing.run()
        assert (run.is_success(), run.is_failed(), run.is_final(), run.is_cancelled()) == (
            False,
            True,
            True,
            False,
        )
        assert run.name in repr(run)
        assert "of 'failing' Failed, 1 tasks" in repr(run)
        assert len(run.id) == 20

    async def test_run_on_a_running_loop_names_start(self):
        with pytest.raises(
            UsageError, match=r"would block the running event loop; use `run = await flow.start"
        ):
            doubled.run(size=3)

    async def test_start_gives_a_run_that_goes_on(self):
        run = await doubled.start(size=3)
        assert not run.is_final()
        with pytest.raises(UsageError, match=r"is Pending; wait for it with `await run.wait\(\)`"):
            run.result()
        assert await run.wait() is run
        assert await run.wait() is run
        assert run.result() == 6

    async def test_a_run_can_be_awaited_for_its_value(self):
        assert await (await doubled.start(size=3, plus=1)) == 7
        with pytest.raises(ValueError, match="no"):
            await (await failing.start())

    @pytest.mark.parametrize("go", ["run", "start", "call"])
    def test_parameters_are_checked_before_anything_starts(self, go):
        with pytest.raises((ParameterError, TypeError)):
            match go:
                case "run":
                    doubled.run(sizes=3)
                case "start":
                    asyncio.run(doubled.start())
                case "call":
                    doubled(sizes=3)

    def test_flows_can_be_run_again_and_again_and_at_once(self):
        async def story():
            runs = [await doubled.start(size=size) for size in range(5)]
            return [await run for run in runs]

        assert asyncio.run(story()) == [0, 2, 4, 6, 8]
        assert [doubled.run(size=size).result() for size in range(3)] == [0, 2, 4]

    def test_runs_have_ids_and_friendly_names(self):
        runs = [wired.run() for _ in range(3)]
        assert len({run.id for run in runs}) == 3
        assert all(run.name.count("-") == 1 for run in runs)

    def test_a_loop_must_run_to_start_on(self):
        with pytest.raises(RuntimeError, match="no running event loop"):
            doubled.start(size=3).send(None)


class TestACallFromOutside:
    async def test_an_async_flow_can_be_awaited(self):
        assert await doubled(3) == 6
        assert await doubled(size=3, plus=1) == 7

    def test_an_async_flow_is_what_asyncio_run_takes(self):
        assert asyncio.run(doubled(3)) == 6

    async def test_a_failure_is_raised(self):
        with pytest.raises(ValueError, match="no"):
            await failing()

    def test_a_def_flow_runs_to_its_end_and_returns_its_value(self):
        assert wired(4) == 8
        assert wired() == 2

    def test_a_def_flow_raises_its_failure(self):
        with pytest.raises(ValueError, match="no"):
            flow(name="f")(lambda: fail())()

    async def test_a_def_flow_on_a_running_loop_raises_and_names_start(self):
        with pytest.raises(UsageError, match=r"await flow\.start"):
            wired(3)

    def test_a_recorded_flow_runs_to_its_end_too(self):
        with Flow("f") as f:
            f.set_reference_tasks([double(Parameter("size"))])
        assert f(size=3) is None
        with pytest.raises(ParameterError, match="required parameters: size"):
            f()
        with pytest.raises(TypeError):
            f(3)


class TestFailures:
    def test_one_failure_is_raised_as_itself(self):
        error = ValueError("the one")

        @flow
        async def body():
            give()
            fail(error)

        with pytest.raises(ValueError, match="the one") as caught:
            play(body).result()
        assert caught.value is error

    def test_several_are_raised_as_a_group_in_the_order_of_their_calls(self):
        first, second, base = ValueError("a"), KeyError("b"), KeyboardInterruptLike("c")

        @flow
        async def body():
            nap.after(nap(1))(1)
            fail(first)
            fail(second)

        with pytest.raises(ExceptionGroup, match="2 tasks failed") as caught:
            play(body).result()
        assert caught.value.exceptions == (first, second)

        @flow
        async def with_base():
            fail(first)
            fail(base)

        with pytest.raises(BaseExceptionGroup) as group:
            play(with_base).result()
        assert group.value.exceptions == (first, base)

    def test_the_order_is_that_of_the_calls_whatever_is_returned_first(self):
        errors = ValueError("a"), KeyError("b")

        @flow
        async def body():
            first, second = fail(errors[0]), fail(errors[1])
            return [second, double(first)]

        with pytest.raises(ExceptionGroup) as caught:
            play(body).result()
        assert caught.value.exceptions == errors

    def test_the_failure_behind_a_refusal_is_the_one_that_is_raised(self):
        error = ValueError("root")

        @flow
        async def body():
            broken = fail(error)
            return [double(double(broken)), double(broken), give()]

        with pytest.raises(ValueError, match="root") as caught:
            play(body).result()
        assert caught.value is error

    def test_a_failure_without_an_exception_of_its_own_is_task_failed(self):
        @task
        async def refuse():
            raise signals.FAIL("on purpose")

        with pytest.raises(TaskFailed, match="task 'refuse' ended Failed: on purpose") as caught:
            play(flow(name="f")(lambda: refuse())).result()
        assert caught.value.state.is_failed()
        assert isinstance(caught.value.signal, signals.FAIL)

    def test_a_flow_that_failed_by_a_state_or_signal_raises_task_failed(self):
        @flow
        async def by_state():
            return states.Failed("I said so")

        @flow
        async def by_signal():
            raise signals.FAIL("I said so")

        for f in (by_state, by_signal):
            run = play(f)
            with pytest.raises(TaskFailed, match=f"flow run '{run.name}' ended Failed: I said so") as caught:
                run.result()
            assert caught.value.state is run.state


class KeyboardInterruptLike(BaseException):
    """A failure that is no Exception, and none of those that end programs."""


class TestSignalsInAFlowsBody:
    @pytest.mark.parametrize(
        ("signal", "state", "value"),
        [
            (signals.SUCCESS, "Success", None),
            (signals.SUCCESS("x", 3), "Success", 3),
            (signals.SKIP("x"), "Skipped", None),
            (signals.ENDRUN(states.Success(result=4)), "Success", 4),
            (signals.FAIL("x"), "Failed", None),
            (signals.TRIGGERFAIL("x"), "TriggerFailed", None),
            (BaseExceptionGroup("g", [signals.SKIP("x")]), "Skipped", None),
        ],
    )
    def test_set_the_flows_state(self, signal, state, value):
        @flow
        async def body():
            give()
            raise signal

        run = play(body)
        assert run.state.name == state
        assert final(run) == {"give": "Success"}
        if run.is_success():
            assert run.result() == value

    def test_retry_has_no_meaning_there_and_fails_the_run_with_a_sentence(self):
        @flow
        async def body():
            raise signals.RETRY("again")

        run = play(body)
        assert run.state.name == "Failed"
        with pytest.raises(UsageError, match=r"RETRY.*flow.*only task runs"):
            run.result()


class TestTheFinalState:
    def test_a_returned_state_is_it(self):
        @flow
        async def body():
            fail()
            return states.Success("never mind", 3)

        run = play(body)
        assert (run.state.message, run.result()) == ("never mind", 3)

    @pytest.mark.parametrize("state", [states.Pending(), states.Crashed()])
    def test_a_returned_state_in_which_no_body_can_end_is_a_failure(self, state):
        @flow
        async def body():
            return state

        run = play(body)
        assert type(run.state) is states.Failed
        with pytest.raises(UsageError, match=f"returned <{state.name}.*return a final state"):
            run.result()

    def test_a_body_that_raised_is_failed_whatever_its_tasks_did(self):
        @flow
        async def body():
            give()
            raise RuntimeError("mine")

        run = play(body)
        assert run.state.message == "The flow's body raised RuntimeError: mine"
        assert final(run) == {"give": "Success"}

    def test_an_empty_flow_succeeds(self):
        with Flow("empty") as recorded:
            pass

        @flow
        async def body(): ...

        for f in (recorded, body):
            run = play(f)
            assert (run.state.name, run.result(), len(run.tasks)) == ("Success", None, 0)

    @pytest.mark.parametrize("where", ["element", "argument", "foreign"])
    def test_a_result_that_can_not_be_put_together_fails_the_run(self, where):
        kept = []

        @flow
        async def other():
            kept.append(give())

        @flow
        async def body():
            if where == "foreign":
                return kept[0]
            value = give({"k": 1})
            return value["x"] if where == "element" else [value, {"deep": value["x"]["y"]}]

        play(other)
        run = play(body)
        assert run.state.name == "Failed"
        with pytest.raises((KeyError, InvalidFlow)):
            run.result()

    def test_handles_in_the_result_are_replaced_by_their_values(self):
        @flow
        async def body():
            return {"a": give(3), "b": [double(give(2)), 7]}

        assert play(body).result() == {"a": 3, "b": [4, 7]}


class TestChildFlows:
    def test_the_value_of_a_child_is_the_value_of_its_handle(self):
        @flow
        async def outer():
            return (await doubled(3)) + await doubled(give(5), plus=1)

        run = play(outer)
        assert run.result() == 17
        assert final(run) == {"doubled": "Success", "give": "Success", "doubled#2": "Success"}

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (states.Failed("x"), "Failed"),
            (states.Cancelled("x"), "Cancelled"),
            (states.Skipped("x"), "Skipped"),
            (states.Success("x", 3), "Success"),
        ],
    )
    def test_its_state_is_adopted(self, state, expected):
        @flow(name="inner")
        async def inner():
            return state

        @flow
        async def outer():
            inner()

        run = play(outer)
        assert final(run) == {"inner": expected}
        assert run.tasks["inner"].state is state

    def test_its_failure_is_the_parents_to_raise(self):
        @flow
        async def outer():
            return double(failing())

        run = play(outer)
        assert final(run) == {"failing": "Failed", "double": "TriggerFailed"}
        with pytest.raises(ValueError, match="no"):
            run.result()

    def test_it_runs_beside_its_siblings(self):
        @flow
        async def sleeper():
            await nap(2)

        @flow
        async def outer():
            sleeper()
            sleeper()
            nap(2)

        assert play(outer).events[-1].offset == 2.0

    def test_it_knows_its_parent_and_is_kept_in_the_parents_store(self):
        store = MemoryStore()
        kept = []

        @flow
        async def inner():
            kept.append(current().header)

        @flow(store=store)
        async def outer():
            kept.append(current().header)
            inner()

        run = play(outer)
        assert [header.parent for header in kept] == [None, run.id]
        assert kept[1].flow == "inner"
        assert [summary.header.id for summary in asyncio.run(store.runs())] == [run.id]
        assert asyncio.run(store.events(kept[1].id))[-1].kind == "run_ended"

    def test_def_recorded_and_nested_flows_are_children_too(self):
        with Flow("recorded") as recorded:
            recorded.set_reference_tasks([double(Parameter("size", default=1))])

        @flow
        def middle(size):
            return wired(size)

        @flow
        async def outer():
            recorded(size=3)
            return middle(give(4))

        run = play(outer)
        assert run.result() == 8
        assert final(run) == {"recorded": "Success", "give": "Success", "middle": "Success"}

    @pytest.mark.parametrize("given", [{}, {"zz": 1}])
    def test_parameters_of_a_recorded_child_are_checked_at_the_call(self, given):
        with Flow("recorded") as recorded:
            double(Parameter("size"))

        @flow
        async def outer():
            with pytest.raises(ParameterError, match="flow 'recorded' "):
                recorded(**given)

        assert play(outer).state.is_success()

    def test_a_task_of_the_parent_can_not_be_used_in_the_child(self):
        @flow
        async def inner(handle):
            return handle

        @flow
        async def outer():
            return await inner([give(3)])

        assert play(outer).result() == [3], "handles are replaced by their values on the way in"

    def test_the_options_of_a_run_reach_its_children(self):
        seen = []

        def adapt(one):
            seen.append(one.name)
            return one

        @flow
        async def outer():
            doubled(1)

        async def story():
            run = await start(outer, {}, options=RunOptions(run_id="chosen", scenario="s", adapt=adapt))
            return await run.wait()

        run = run_virtual(story())
        assert (run.id, run.header.scenario) == ("chosen", "s")
        assert seen == ["doubled", "double"]


class TestIndependentRunsInside:
    def test_start_inside_a_body_makes_a_run_of_its_own(self):
        @flow
        async def outer():
            run = await doubled.start(size=3)
            give()
            return run.header.parent, await run

        run = play(outer)
        assert run.result() == (None, 6)
        assert final(run) == {"give": "Success"}

    def test_run_inside_a_thread_makes_a_run_of_its_own(self):
        @task
        def outer():
            return doubled.run(size=3).result()

        assert flow(name="f")(lambda: outer()).run().result() == 6


class TestRecordedFlows:
    def test_a_recorded_flow_runs_as_often_as_one_likes(self):
        with Flow("f") as f:
            size = Parameter("size", default=2)
            value = double(size)
            total = double([value, size])
        for given, expected in (({}, 2), ({"size": 3}, 3)):
            run = play(f, **given)
            assert run.tasks[value].state.result == 2 * expected
            assert run.tasks[total].state.result == [2 * expected, expected] * 2

    def test_reference_tasks_and_orders_are_replayed(self):
        with Flow("f") as f:
            first = give()
            broken = fail.after(first)()
            cleanup = give.with_options(name="cleanup", trigger=lambda upstream: True)(3)
            cleanup.set_upstream(broken)
        assert play(f).state.is_success()
        f.set_reference_tasks([broken])
        run = play(f)
        assert run.state.message == "Some reference tasks failed."
        assert final(run) == {"give": "Success", "fail": "Failed", "cleanup": "Success"}
        assert run.tasks[cleanup].upstream == (run.tasks[broken],)

    def test_a_cycle_is_found_when_the_flow_is_run(self):
        with Flow("f") as f:
            first, second = give(), give()
            first.set_upstream(second)
            second.set_upstream(first)
        run = play(f)
        with pytest.raises(InvalidFlow, match="Cycle found; flows must be acyclic"):
            run.result()
        assert run.state.name == "Failed"

    def test_the_element_of_a_parameter_is_a_value(self):
        with Flow("f") as f:
            value = double(Parameter("options")["size"])
        assert play(f, options={"size": 4}).tasks[value].state.result == 8


def test_start_belongs_to_a_running_loop_and_a_task_call_to_a_flow():
    async def story():
        run = await doubled.start(size=1)
        with pytest.raises(NotInFlow):
            give()
        await run.wait()

    asyncio.run(story())


def test_the_totals_and_moves_of_a_run_are_events():
    @flow
    async def body(size):
        await give.with_options(retry=2)(size)
        with pytest.raises(ValueError, match="no"):
            await fail.with_options(retry=3)()

    run = play(body, size=7)
    assert [event.kind for event in run.events][:2] == ["run_started", "state_changed"]
    assert of_kind(run, "run_started")[0]["parameters"] == {"size": "7"}
    assert of_kind(run, "run_ended") == [{"tasks": 2, "attempts": 4, "faults": 0}]
    assert moves(run) == ["Running", "Success"]
    assert moves(run, "fail") == ["Running", "Retrying", "Running", "Retrying", "Running", "Failed"]


def test_whether_a_task_ran_may_be_asked_by_name_key_or_handle():
    with Flow("recorded") as f:
        value = give()
        double(value)
        double(value)

    run = play(f)
    assert "give" in run.tasks
    assert "double#2" in run.tasks
    assert value in run.tasks
    assert run.tasks["double"] in run.tasks
    assert "treble" not in run.tasks
    assert play(f).tasks["give"] not in run.tasks
