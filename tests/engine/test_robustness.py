"""Large runs, odd exceptions, contexts, and runs beside each other."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import time
import traceback
import weakref

import pytest

from asyncflow import ambient, flow, signals, task
from asyncflow.engine import collector
from asyncflow.errors import UsageError
from tests.clock import run_virtual
from tests.engine.kit import of_kind, play
from tests.engine.kit import states as final

REQUEST = contextvars.ContextVar("request", default="none")


@task
async def give(value=1):
    return value


@task
async def fail(*_):
    raise ValueError("no")


@task
async def pass_on(value):
    return value


class TestLargeRuns:
    def test_a_chain_of_ten_thousand_refusals_needs_no_recursion(self):
        @flow
        async def f():
            last = fail()
            for _ in range(10_000):
                last = pass_on(last)
            return last

        run = play(f)
        assert {task_run.state.name for task_run in run.tasks[1:]} == {"TriggerFailed"}
        with pytest.raises(ValueError, match="no"):
            run.result()

    def test_ten_thousand_tasks_finish(self):
        @flow
        async def f():
            return [give(number) for number in range(10_000)]

        assert play(f).result() == list(range(10_000))

    def test_thousands_of_failures_are_compared_with_each_other_by_nobody(self):
        class Picky(Exception):
            def __eq__(self, other):
                raise AssertionError("compared")

            __hash__ = None

        @task
        async def refuse(number):
            raise Picky(number)

        @flow
        async def f():
            return [refuse(number) for number in range(20_000)]

        began = time.process_time()
        run = play(f)
        assert len(run.state.result.exceptions) == 20_000
        assert time.process_time() - began < 20  # about 1 s; each with each took 50

    def test_a_task_may_be_ordered_after_thousands(self):
        @flow
        async def f():
            return give.after(*[give(number) for number in range(5_000)])("last")

        began = time.process_time()
        assert play(f).result() == "last"
        assert time.process_time() - began < 2  # about 0.2 s; each with each took 4

    @pytest.mark.parametrize("how", ["chain", "fan"])
    def test_thousands_are_cancelled(self, how):
        @flow
        async def f():
            last = None
            for _ in range(3_000):
                last = pass_on(last) if how == "chain" else give(asyncio)
                if how == "chain" and last.number == 1:
                    last.set_upstream(never())
            await asyncio.sleep(100)

        @task
        async def never():
            await asyncio.sleep(1000)

        async def story():
            run = await f.start()
            await asyncio.sleep(1)
            run.cancel()
            return await run.wait()

        run = run_virtual(story())
        assert run.state.name == "Cancelled"
        assert set(final(run).values()) == ({"Cancelled"} if how == "chain" else {"Success"})


class TestTheCollector:
    """On the stock loop: a simulation is in charge of the collector itself."""

    @pytest.fixture(autouse=True)
    def thresholds(self):
        before = gc.get_threshold()
        gc.set_threshold(700, 10, 10)
        yield
        gc.set_threshold(*before)

    @pytest.mark.parametrize("end", ["succeeds", "fails", "is cancelled"])
    def test_is_calmed_during_a_large_run_and_put_back_however_it_ends(self, end):
        seen = []

        @flow
        async def f():
            seen.append(gc.get_threshold()[0])
            for _ in range(collector.LARGE):
                give()
            seen.append(gc.get_threshold()[0])
            match end:
                case "fails":
                    raise RuntimeError
                case "is cancelled":
                    raise asyncio.CancelledError

        run = f.run()
        assert run.is_final()
        assert seen == [700, 50_000]
        assert gc.get_threshold() == (700, 10, 10)

    def test_is_put_back_when_the_last_of_several_runs_has_ended(self):
        seen = []

        @flow
        async def f(until):
            for _ in range(collector.LARGE):
                give()
            await until.wait()
            seen.append(gc.get_threshold()[0])

        async def story():
            ends = [asyncio.Event(), asyncio.Event()]
            runs = [await f.start(until=end) for end in ends]
            ends[0].set()
            await runs[0].wait()
            seen.append(gc.get_threshold()[0])
            ends[1].set()
            await runs[1].wait()

        asyncio.run(story())
        assert seen == [50_000, 50_000, 50_000]
        assert gc.get_threshold() == (700, 10, 10)

    def test_a_small_run_leaves_it_alone(self):
        play(flow(name="f")(lambda: give()))
        assert gc.get_threshold() == (700, 10, 10)

    @pytest.mark.parametrize("reason", ["told to", "disabled", "calm already", "off"])
    def test_is_left_alone_where_it_is_not_ours_to_change(self, reason, monkeypatch):
        match reason:
            case "told to":
                monkeypatch.setenv("ASYNCFLOW_GC", "leave")
            case "disabled":
                gc.disable()
            case "calm already":
                gc.set_threshold(60_000, 10, 10)
            case "off":
                gc.set_threshold(0, 10, 10)
        before = gc.get_threshold()
        try:
            assert collector.enter() is False
        finally:
            gc.enable()
        assert gc.get_threshold() == before


class Mute(Exception):
    def __str__(self):
        raise self


class MuteInEveryWay(Exception):
    def __str__(self):
        raise RuntimeError("str")

    __repr__ = __str__


class Demanding(Exception):
    def __init__(self, one, two):
        super().__init__()
        self.one, self.two = one, two


class Silent(Exception):
    __str__ = None


class Slotted(Exception):
    __slots__ = ("x",)


class TestOddExceptions:
    @pytest.mark.parametrize(
        "error",
        [Mute(), MuteInEveryWay(), Demanding(1, two=2), Silent(), Slotted(), KeyError(), OSError(2, "x")],
    )
    @pytest.mark.parametrize("where", ["task", "flow", "trigger", "retried"])
    def test_an_error_comes_out_as_itself_whatever_it_says(self, error, where):
        @task(retry=2 if where == "retried" else None)
        async def raises():
            raise error

        def trigger(upstream):
            raise error

        @flow
        async def f():
            match where:
                case "task" | "retried":
                    raises()
                case "flow":
                    raise error
                case "trigger":
                    pass_on.with_options(trigger=trigger)(give())

        run = play(f)
        assert run.state.name == "Failed"
        assert run.state.result is error
        assert run.state.to_json()["error"]["type"] == type(error).__name__
        run.events  # noqa: B018 - they can be read
        repr(run.tasks)

    def test_a_base_exception_of_ones_own_is_a_failure(self):
        class Stop(BaseException):
            pass

        error = Stop("x")

        @task
        async def raises():
            raise error

        @flow
        async def f():
            with pytest.raises(Stop):
                await raises()
            raises()

        assert play(f).state.result is error

    def test_a_parameter_that_can_not_be_shown_is_still_a_parameter(self):
        class Hidden:
            def __repr__(self):
                raise RuntimeError

        @flow
        async def f(value, text):
            return type(value).__name__

        run = play(f, value=Hidden(), text="x" * 1000)
        assert run.result() == "Hidden"
        assert run.header.parameters["value"] == "<Hidden: repr() raised RuntimeError>"
        assert len(run.header.parameters["text"]) == 200

    def test_one_exception_raised_by_many_tasks_is_one_failure(self):
        error = ValueError("shared")

        @task
        async def raises():
            raise error

        @flow
        async def f():
            for _ in range(3):
                raises()

        run = play(f)
        with pytest.raises(ValueError, match="shared") as caught:
            run.result()
        assert caught.value is error
        assert len(error.__notes__) == 1


class TestContexts:
    def test_what_a_task_sets_reaches_nobody_else(self):
        @task
        async def look(value, *_):
            seen = REQUEST.get()
            REQUEST.set(value)
            await asyncio.sleep(0)
            return seen

        @flow
        async def f():
            first = look("a")
            return [await look("b", first), await look("c"), REQUEST.get()]

        assert play(f).result() == ["none", "none", "none"]

    def test_a_task_sees_the_context_of_its_call_also_when_it_had_to_wait(self):
        @task
        async def look(*_):
            return REQUEST.get()

        @flow
        async def f():
            looks = []
            for request in ("r1", "r2"):
                REQUEST.set(request)
                looks += [look(), look(give())]
            REQUEST.set("later")
            return looks

        assert play(f).result() == ["r1", "r1", "r2", "r2"]

    def test_a_call_from_another_asyncio_task_brings_its_own_context(self):
        @task
        async def look(*_):
            return REQUEST.get()

        @flow
        async def f():
            async def aside():
                REQUEST.set("aside")
                return await look(give())

            return [await asyncio.ensure_future(aside()), await look()]

        assert play(f).result() == ["aside", "none"]

    def test_the_context_of_the_caller_reaches_the_tasks_and_none_comes_back(self):
        @flow
        async def f():
            seen = REQUEST.get()
            REQUEST.set("inside")
            return seen

        async def story():
            REQUEST.set("outside")
            return await f(), REQUEST.get()

        assert run_virtual(story()) == ("outside", "outside")

    def test_the_world_is_that_of_the_start(self):
        @task
        async def seed():
            return ambient.world().seed

        assert play(flow(name="f")(lambda: seed()), seed=42).result() == 42


class TestRunsBesideEachOther:
    def test_runs_of_one_flow_do_not_mix(self):
        @flow
        async def f(size):
            values = [give(size) for _ in range(3)]
            await asyncio.sleep(size)
            return values

        async def story():
            runs = [await f.start(size=size) for size in (1, 2)]
            for run in runs:
                await run.wait()
            return runs

        one, other = run_virtual(story())
        assert (one.result(), other.result()) == ([1] * 3, [2] * 3)
        assert not set(one.tasks) & set(other.tasks)

    def test_values_are_let_go_when_the_run_is(self):
        class Large:
            pass

        kept = []

        @task
        async def make():
            value = Large()
            kept.append(weakref.ref(value))
            return value

        @task
        async def use(value):
            return None

        run = play(flow(name="f")(lambda: use(make())))
        assert kept[0]() is not None
        del run
        gc.collect()
        assert kept[0]() is None

    def test_arguments_are_let_go_when_the_task_run_is_final(self):
        kept = []

        @flow
        async def f():
            kept.append(pass_on([give()]))

        async def story():
            run = await f.start()
            await run.wait()
            return kept[0].args, kept[0].kwargs, kept[0].state.result

        assert run_virtual(story()) == ((), {}, [1])


class TestTheViews:
    def test_a_view_sees_every_event_in_order_and_may_not_stop_the_run(self, caplog):
        seen = []

        def good(header, seq, event):
            seen.append((seq, event.kind, event.task))

        def bad(header, seq, event):
            raise RuntimeError("a view")

        async def story():
            ambient.world().listeners += [bad, good]
            run = await flow(name="f")(lambda: pass_on(give())).start()
            await run.wait()
            assert ambient.world().listeners == [good]
            return run

        run = run_virtual(story())
        assert run.state.is_success()
        assert seen == [(seq, event.kind, event.task) for seq, event in enumerate(run.events)]
        assert [record.message for record in caplog.records] == [
            "a listener failed and was removed; the run is not affected"
        ]

    def test_a_call_is_shown_as_what_is_said_of_it(self):
        run = play(flow(name="f")(lambda: pass_on(give())))
        assert of_kind(run, "task_called") == [
            {"name": "give", "key": "give", "upstream": []},
            {"name": "pass_on", "key": "pass_on", "upstream": [1]},
        ]


class TestKeys:
    def test_a_key_names_a_call_by_its_order(self):
        @flow
        async def inner():
            give()

        @flow
        async def f():
            give()
            give()
            give.with_options(key="eu")()
            inner()
            inner()

            async def aside():
                give()
                give()

            await asyncio.ensure_future(aside())

        run = play(f)
        assert list(final(run)) == ["give", "give#2", "give@eu", "inner", "inner#2", "give?1", "give?2"]
        assert [task_run.resumable for task_run in run.tasks] == [True] * 5 + [False] * 2
        assert run.tasks["give@eu"].idempotency_key == f"{run.id}/give@eu"

    def test_a_key_that_is_taken_is_refused_since_two_calls_would_share_an_idempotency_key(self):
        @flow
        async def f():
            give.with_options(key="eu")()
            pass_on.with_options(key="eu")(1)
            with pytest.raises(UsageError, match=r"'give' was called twice with key='eu'.*a key of its own"):
                give.with_options(key="eu")()

        run = play(f)
        assert run.is_success()
        assert list(final(run)) == ["give@eu", "pass_on@eu"]

    def test_task_runs_are_found_by_place_name_key_slice_and_recorded_call(self):
        run = play(flow(name="f")(lambda: pass_on(give(give()))))
        assert run.tasks["give"] is run.tasks[0]
        assert run.tasks["give#2"] is run.tasks[1]
        assert run.tasks[-1].name == "pass_on"
        assert [task_run.number for task_run in run.tasks[1:]] == [2, 3]
        assert (len(run.tasks), run.tasks[0] in run.tasks) == (3, True)
        assert repr(run.tasks).startswith("[<task run give Success>")
        with pytest.raises(Exception, match=r"no task run is named 'giv'. Did you mean 'give'\?"):
            run.tasks["giv"]


def test_a_thousand_awaits_in_a_row_stay_shallow():
    @flow
    async def f():
        value = 0
        for _ in range(1_000):
            value = await pass_on(value + 1)
        return value

    before = sys.getrecursionlimit()
    assert play(f).result() == 1_000
    assert sys.getrecursionlimit() == before


def test_skip_signals_carry_no_values_between_runs():
    skip = signals.SKIP("x")

    @task
    async def skips():
        raise skip

    for _ in range(2):
        assert final(play(flow(name="f")(lambda: skips()))) == {"skips": "Skipped"}


class TestAwaitingAgainAndAgain:
    def test_each_await_of_a_failure_shows_its_own_way_only(self):
        depths = []

        @flow
        async def f():
            failed = fail()
            for _ in range(3):
                try:
                    await failed
                except ValueError as error:
                    depths.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])

        play(f)
        assert depths[0][-1] == "fail"
        assert depths[0] == depths[1] == depths[2]

    def test_giving_up_waiting_leaves_nothing_behind(self):
        @task
        async def slow():
            await asyncio.sleep(100)
            return "done"

        @flow
        async def f():
            handle = slow()
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await handle
            return len(handle._waiters), await handle

        assert play(f).result() == (0, "done")


def test_parameters_are_let_go_when_the_body_is_over():
    class Large:
        pass

    @flow
    async def f(large):
        pass

    large = Large()
    left = weakref.ref(large)
    run = play(f, large=large)
    del large
    gc.collect()
    assert run.is_final()
    assert left() is None


def test_a_view_that_raises_a_signal_or_left_by_itself_changes_nothing():
    def signals_(_header, _seq, _event):
        raise signals.FAIL("not mine to say")

    def leaves(_header, _seq, _event):
        ambient.world().listeners.remove(leaves)
        raise ValueError("gone")

    async def story():
        ambient.world().listeners += [signals_, leaves]
        run = await f.start()
        await run.wait()
        return run, ambient.world().listeners

    f = flow(name="f")(lambda: give())
    run, listeners = run_virtual(story())
    assert run.state.is_success()
    assert listeners == []
