"""Calling tasks: handles, edges, arguments, awaiting."""

from __future__ import annotations

import asyncio
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

from asyncflow import Handle, Retry, TaskFailed, current, flow, signals, states, task
from asyncflow.engine import TaskRun
from asyncflow.errors import HandleMisuse, InvalidFlow, LateEdge, NotInFlow, UsageError
from tests.clock import run_virtual
from tests.engine.kit import double, fail, give, moves, nap, of_kind, play
from tests.engine.kit import states as final

Point = namedtuple("Point", "x y")


class TestAHandle:
    def test_is_there_at_once_and_nothing_has_run(self):
        started = []

        @task
        async def mark():
            started.append(1)

        @flow
        async def body():
            handle = mark()
            assert isinstance(handle, Handle)
            assert isinstance(handle, TaskRun)
            assert (handle.state.name, started) == ("Pending", [])
            return await handle

        play(body)
        assert started == [1]

    def test_runs_without_being_awaited_and_beside_the_others(self):
        @flow
        async def body():
            nap(1.0)
            nap(2.0)
            nap(2.0)

        run = play(body)
        assert run.state.is_success()
        assert run.events[-1].offset == 2.0

    def test_starts_on_the_turn_of_the_loop_after_its_call(self):
        @flow
        async def body():
            handle = nap(1.0)
            assert handle.state.name == "Pending"
            await asyncio.sleep(0)
            assert handle.state.name == "Running"

        assert play(body).state.is_success()

    def test_says_what_it_is(self):
        @flow
        async def body():
            first, second = give(), give()
            assert (repr(first), repr(second)) == ("<task run give Pending>", "<task run give#2 Pending>")
            await second
            return repr(second)

        assert play(body).result() == "<task run give#2 Success>"

    def test_can_be_awaited_twice_and_by_several(self):
        @flow
        async def body():
            handle = nap(1.0, "x")
            several = await asyncio.gather(handle, handle, nap(0.5, "y"))
            return [*several, await handle]

        assert play(body).result() == ["x", "x", "y", "x"]

    def test_answers_for_its_state_and_can_be_awaited_from_outside(self):
        async def story():
            run = await flow(name="f")(lambda: nap(1.0, "x")).start()
            await asyncio.sleep(0.5)
            handle = run.tasks["nap"]
            assert (handle.is_final(), handle.is_success(), handle.is_failed()) == (False, False, False)
            assert await handle == "x"
            assert (handle.is_final(), handle.is_success(), handle.is_failed()) == (True, True, False)
            assert handle.error() is None
            assert not handle.awaited, "the flow's body has not awaited it"
            await run.wait()

        run_virtual(story())

    def test_outlives_a_waiter_that_gave_up(self):
        @flow
        async def body():
            handle = nap(2.0, "late")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await handle
            assert not handle.is_final()
            return await handle

        run = play(body)
        assert run.result() == "late"
        assert final(run) == {"nap": "Success"}

    @pytest.mark.parametrize("how", ["bool", "len", "==", ">", "iterate"])
    def test_can_not_be_looked_into_in_a_body(self, how):
        @flow
        async def body():
            handle = give()
            with pytest.raises(HandleMisuse, match="await the handle"):
                match how:
                    case "bool":
                        bool(handle)
                    case "len":
                        len(handle)
                    case "==":
                        _ = handle == 1
                    case ">":
                        _ = handle > 1
                    case "iterate":
                        list(handle)

        assert play(body).state.is_success()


class TestEdges:
    def test_a_handle_as_an_argument_is_a_data_edge(self):
        @flow
        async def body():
            return double(double(give(3)))

        run = play(body)
        assert run.result() == 12
        assert [called["upstream"] for called in of_kind(run, "task_called")] == [[], [1], [2]]

    def test_set_upstream_is_legal_until_the_start(self):
        order = []

        @task
        async def mark(name):
            await asyncio.sleep(1.0 if name == "a" else 0)
            order.append(name)

        @flow
        async def body():
            first, second, third = mark("a"), mark("b"), mark("c")
            second.set_upstream(first)
            third.set_upstream(first, second)
            second.set_downstream(third)

        run = play(body)
        assert order == ["a", "b", "c"]
        assert of_kind(run, "edge_added") == [{"upstream": 1}, {"upstream": 1}, {"upstream": 2}]
        assert [task_run.upstream for task_run in run.tasks][2] == (run.tasks[0], run.tasks[1])

    @pytest.mark.parametrize("when", ["running", "waiting", "final"])
    def test_set_upstream_is_an_error_once_it_has_started(self, when):
        @flow
        async def body():
            first = nap(1.0)
            second = nap(1.0)
            await asyncio.sleep({"running": 0.5, "final": 2.0, "waiting": 0}[when])
            with pytest.raises(
                LateEdge, match="task 'nap' has already started; set_upstream belongs right after"
            ):
                second.set_upstream(first)

        assert play(body).state.is_success()

    def test_a_task_run_that_waits_for_others_may_get_more_edges_later(self):
        @flow
        async def body():
            slow, quick = nap(2.0), nap(1.0)
            last = double.after(quick)(3)
            await asyncio.sleep(0.5)
            last.set_upstream(slow)
            await last
            return slow.is_final()

        assert play(body).result() is True

    def test_an_upstream_that_is_final_already_holds_nobody_up(self):
        @flow
        async def body():
            first = give(1)
            await first
            await double(first)
            return await double.after(first)(first)

        run = play(body)
        assert run.result() == 2
        assert final(run) == {"give": "Success", "double": "Success", "double#2": "Success"}

    def test_after_orders_without_data_and_one_upstream_by_two_edges_counts_once(self):
        asked = []

        def trigger(upstream):
            asked.append(len(upstream))
            return True

        @flow
        async def body():
            first = give(1)
            return double.with_options(trigger=trigger).after(first)(first)

        assert play(body).result() == 2
        assert asked == [1]

    def test_a_diamond_is_no_cycle(self):
        @flow
        async def body():
            top = nap(1, 1)
            left, right = double(top), double(top)
            bottom, other = double(left), double(3)
            bottom.set_upstream(right)
            other.set_upstream(top)
            with pytest.raises(InvalidFlow, match="Cycle"):
                top.set_upstream(bottom)
            top.set_upstream(nap(1))
            return bottom

        assert play(body).result() == 4

    def test_an_edge_to_what_ends_before_the_first_step_does_not_start_it_twice(self):
        @flow
        async def body():
            first = nap(1)
            await asyncio.sleep(1)
            second = nap(100)
            second.set_upstream(first)
            assert not first.is_final(), "it ends later in this turn of the loop"
            await asyncio.sleep(1)
            current().cancel()

        run = play(body)
        assert moves(run, "nap#2") == ["Running", "Cancelled"]
        assert run.events[-1].offset == 2.0

    def test_an_edge_added_after_the_upstream_was_done_in_the_same_turn(self):
        @flow
        async def body():
            first = give(1)
            second = double(5)
            second.set_upstream(first)
            return await second

        run = play(body)
        assert run.result() == 10
        assert moves(run, "double") == ["Running", "Success"]

    @pytest.mark.parametrize("shape", ["itself", "pair", "long"])
    def test_an_edge_that_closes_a_cycle_is_refused_at_its_line(self, shape):
        @flow
        async def body():
            first, second, third = give(1), give(2), give(3)
            second.set_upstream(first)
            third.set_upstream(second)
            late = {"itself": first, "pair": second, "long": third}[shape]
            with pytest.raises(
                InvalidFlow, match="Cycle found; flows must be acyclic: 'give' can't be upstream"
            ):
                first.set_upstream(late)

        run = play(body)
        assert set(final(run).values()) == {"Success"}

    def test_a_handle_of_another_flow_run_is_refused(self):
        kept = []

        @flow
        async def one():
            kept.append(give())

        @flow
        async def other():
            with pytest.raises(InvalidFlow, match="'give' belongs to another flow run than"):
                double(kept[0])
            with pytest.raises(InvalidFlow, match="belongs to another flow run"):
                give().set_upstream(kept[0]["k"])

        play(one)
        assert play(other).state.is_success()


@dataclass
class Order:
    item: Any
    price: Any = None
    made = 0

    def __post_init__(self):
        Order.made += 1


class TestArguments:
    def test_handles_are_found_in_containers_and_replaced(self):
        @task
        async def keep(*args, **kwargs):
            return args, kwargs

        @flow
        async def body():
            one, two = give(1), give({"k": [2]})
            made = Order.made
            got = await keep(
                [one, 5], (one,), Point(one, 0), {"a": one}, Order(one), k=[{"deep": (two["k"][0],)}]
            )
            assert Order.made == made + 1
            return got

        run = play(body)
        args, kwargs = run.result()
        assert args == ([1, 5], (1,), Point(1, 0), {"a": 1}, Order(1))
        assert kwargs == {"k": [{"deep": (2,)}]}
        assert of_kind(run, "task_called")[2]["upstream"] == [1, 2]

    def test_what_holds_no_handle_is_the_same_object(self):
        @task
        async def same(value, other):
            return value

        @flow
        async def body():
            given = {"rows": [1, 2]}
            assert (await same(given, give())) is given
            assert (await same(given, 1)) is given

        assert play(body).state.is_success()

    def test_names_and_number_are_checked_at_the_call(self):
        @flow
        async def body():
            for call in (
                lambda: double(),
                lambda: double(1, 2),
                lambda: double(valeu=1),
                lambda: double.after()(),
            ):
                with pytest.raises(TypeError, match=r"double\(\)"):
                    call()

        run = play(body)
        assert run.state.is_success()
        assert len(run.tasks) == 0

    def test_types_are_checked_only_with_validate(self):
        def typed(n: int) -> int:
            return n

        @flow
        async def body():
            task(typed)("x")
            task(validate=True, key="v")(typed)("x")

        run = play(body)
        assert final(run) == {"typed": "Success", "typed@v": "ValidationFailed"}
        assert "argument 'n' did not validate" in run.tasks[1].state.message

    def test_a_value_that_does_not_validate_is_a_failed_attempt(self):
        answers = iter([None, 3])

        @task(validate=True, retry=2)
        async def ask() -> int:
            return next(answers)

        run = play(flow(name="f")(lambda: ask()))
        assert run.result() == 3
        assert moves(run, "ask") == ["Running", "Retrying", "Running", "Success"]

    def test_an_element_that_is_not_there_fails_the_task_run_and_not_the_engine(self):
        @flow
        async def body():
            double(give({"k": 1})["x"])

        run = play(body)
        assert final(run) == {"give": "Success", "double": "Failed"}
        with pytest.raises(KeyError, match="x") as caught:
            run.result()
        assert "in task 'double'" in caught.value.__notes__[0]

    def test_a_handle_can_be_unpacked(self):
        @task
        async def pair() -> tuple[int, int]:
            return 1, 2

        @flow
        async def body():
            first, second = pair()
            assert await first == 1
            return [second, await pair()[1]]

        assert play(body).result() == [2, 2]


class TestAwaiting:
    def test_gives_the_value(self):
        @flow
        async def body():
            return (await give(3)) + 1

        assert play(body).result() == 4

    def test_raises_the_bodys_own_exception_with_a_note(self):
        error = ValueError("no")

        @flow
        async def body():
            with pytest.raises(ValueError, match="no") as caught:
                await fail.with_options(retry=2)(error)
            assert caught.value is error
            return error.__notes__, current().name

        (note,), name = play(body).result()
        assert note == f"in task 'fail', attempt 2, of flow run {name!r}"

    @pytest.mark.parametrize(
        ("signal", "state"),
        [
            (signals.FAIL("no"), "Failed"),
            (signals.TRIGGERFAIL("no"), "TriggerFailed"),
            (signals.VALIDATIONFAIL("no"), "ValidationFailed"),
            (signals.ENDRUN(states.Cancelled("no")), "Cancelled"),
            (signals.ENDRUN(states.Failed("no")), "Failed"),
        ],
    )
    def test_a_signal_never_leaves_its_run(self, signal, state):
        @task
        async def end():
            raise signal

        @flow
        async def body():
            with pytest.raises(TaskFailed, match=f"task 'end' ended {state}: no") as caught:
                await end()
            return caught.value.state.name, caught.value.signal

        got = play(body).result()
        assert got == (state, None if isinstance(signal, signals.ENDRUN) else signal)

    def test_a_refusal_by_the_trigger_raises_task_failed(self):
        @flow
        async def body():
            with pytest.raises(TaskFailed, match="ended TriggerFailed") as caught:
                await double(fail())
            return isinstance(caught.value.signal, signals.TRIGGERFAIL)

        assert play(body).result() is True

    @pytest.mark.parametrize(
        ("signal", "value"),
        [
            (signals.SKIP, None),
            (signals.SKIP("x", 3), 3),
            (signals.SUCCESS, None),
            (signals.SUCCESS("x"), None),
            (signals.SUCCESS(result=5), 5),
            (signals.ENDRUN(states.Success(result=3)), 3),
        ],
    )
    def test_a_signal_that_is_no_failure_gives_its_value(self, signal, value):
        @task
        async def end():
            raise signal

        @flow
        async def body():
            return [await end()]

        assert play(body).result() == [value]

    def test_a_returned_state_is_just_a_value(self):
        failed = states.Failed("a value")

        @flow
        async def body():
            return [await give(failed)]

        run = play(body)
        assert run.result() == [failed]
        assert final(run) == {"give": "Success"}

    def test_an_async_body_is_awaited(self):
        @task
        async def inner():
            await asyncio.sleep(1)
            return "value"

        run = play(flow(name="f")(lambda: inner()))
        assert run.result() == "value"


class TestWhereTasksMayBeCalled:
    @pytest.mark.parametrize("kind", ["async", "def"])
    def test_not_in_the_body_of_a_task(self, kind):
        def sync():
            give()

        async def asynchronous():
            give()

        run = play(flow(name="f")(lambda: task(name="outer")({"def": sync, "async": asynchronous}[kind])()))
        with pytest.raises(
            NotInFlow,
            match=r"task 'give' was called inside the body of task 'outer'; call.*give\.fn\(\.\.\.\)",
        ):
            run.result()
        assert len(run.tasks) == 1

    def test_a_flow_neither(self):
        inner = flow(name="inner")(lambda: None)

        @task
        async def outer():
            await inner()

        run = play(flow(name="f")(lambda: outer()))
        with pytest.raises(NotInFlow, match="flow 'inner' was called inside the body of task 'outer'"):
            run.result()

    def test_the_plain_function_may_be_called_anywhere(self):
        @task
        async def outer():
            return await double.fn(3)

        assert play(flow(name="f")(lambda: outer())).result() == 6

    def test_not_after_the_flow_run_has_ended(self):
        kept = []

        @flow
        async def body():
            kept.append(current())

        run = play(body)
        with pytest.raises(Exception, match="task 'give' was called before or after the body"):
            run.call(give, (), {})

    def test_current_is_the_task_run_or_the_flow_run(self):
        @task
        async def whoami():
            return current()

        @flow
        async def body():
            return [current(), await whoami()]

        run = play(body)
        here, there = run.result()
        assert here is run
        assert there is run.tasks["whoami"]
        assert there.idempotency_key == f"{run.id}/whoami"

    def test_both_say_where_a_log_line_belongs(self):
        @task(retry=2)
        async def where():
            if current().attempt == 1:
                raise ValueError
            return current().log_context()

        @flow(name="etl")
        async def body():
            return [current().log_context(), await where()]

        run = play(body)
        here = {"flow": "etl", "run": run.name}
        assert run.result() == [here, {**here, "task": "where", "attempt": 2}]

    def test_the_time_that_is_left_is_known_inside_an_attempt(self):
        left = []

        @task(timeout=10, retry=2)
        async def look():
            await asyncio.sleep(4)
            left.append(current().remaining)
            if len(left) < 2:
                raise ValueError

        @task
        async def free():
            return current().remaining

        @flow
        async def body():
            await look()
            return [await free()]

        assert play(body).result() == [None]
        assert left == [6.0, 6.0]

    def test_the_time_that_handlers_take_is_not_taken_from_the_attempt(self):
        async def slow_handler(obj, old, new):
            await asyncio.sleep(3)

        @task(timeout=10, state_handlers=[slow_handler])
        async def look():
            await asyncio.sleep(4)
            return current().remaining

        assert play(flow(name="f")(lambda: look())).result() == 6.0

    def test_a_call_in_another_thread_is_refused(self):
        @flow
        async def body():
            await asyncio.to_thread(give)

        run = play(body)
        with pytest.raises(UsageError, match=r"'give' was called in another thread .* make what runs in the"):
            run.result()
        assert not run.tasks


class TestDefBodiesOfFlows:
    def test_only_wire_and_are_wired_whole_before_anything_starts(self):
        started = []

        @task
        async def mark():
            started.append(1)

        @flow
        def body():
            first = mark()
            second = mark()
            assert started == []
            first.set_upstream(second)
            return [first, second]

        assert play(body).result() == [None, None]
        assert started == [1, 1]

    def test_looking_into_a_handle_names_the_way_out(self):
        @flow
        def body():
            if give():
                give()

        run = play(body)
        assert run.state.is_failed()
        with pytest.raises(HandleMisuse, match="write the flow as `async def` and await the handle"):
            run.result()
        assert final(run) == {"give": "Success"}

    def test_elements_and_unpacking_work(self):
        @flow
        def body():
            first, second = give.with_options(nout=2)((1, 2))
            return double(first), double(second), give({"k": 5})["k"]

        assert play(body).result() == (2, 4, 5)


def test_a_failed_attempt_is_noted_only_once_on_an_error_raised_by_retries():
    error = ValueError("same")
    run = play(flow(name="f")(lambda: fail.with_options(retry=Retry(3))(error)))
    with pytest.raises(ValueError, match="same"):
        run.result()
    assert len(error.__notes__) == 1
