"""Tasks with a deadline, a hedge or a fallback: their states, what they record, and what their bodies see."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import current, flow, signals, states, task
from asyncflow.engine import RunOptions, TaskRun, start
from asyncflow.errors import DeadlineExceeded
from asyncflow.faults import FaultPlan, TaskFault
from asyncflow.history import History, fold
from asyncflow.history.measures import measures_of
from asyncflow.policies import Bulkhead, Fallback, Hedge, Resource, Retry, constant, deadline, remaining
from asyncflow.report.tally import Tally
from tests.clock import run_virtual
from tests.engine.kit import moves, of_kind, play
from tests.engine.kit import states as final


class Service:
    """Bodies that take as long as they are told to, one call after the other."""

    def __init__(self, *ways):
        self.ways = list(ways)
        self.calls = []

    async def __call__(self):
        way = self.ways[min(len(self.calls), len(self.ways) - 1)]
        me = current()
        self.calls.append((me.attempt, me.hedge, me.remaining))
        await asyncio.sleep(way if isinstance(way, float) else 0.1)
        if isinstance(way, BaseException):
            raise way
        return f"call {len(self.calls)}"


def one_task(service, **options):
    """Run a flow of one task `ask`; return the run."""

    @task(name="ask", **options)
    async def ask():
        return await service()

    @flow
    async def body():
        ask()

    return play(body)


# -- deadline ----------------------------------------------------------------------------------------------


def test_a_task_that_is_cut_is_timed_out():
    service = Service(OSError("down"), 60.0)
    run = one_task(service, deadline=5, retry=Retry(9, delay=constant(1)))
    state = run.tasks["ask"].state
    assert moves(run, "ask") == ["Running", "Retrying", "Running", "TimedOut"]
    assert state.message == "the deadline of 5 s was over during attempt 2"
    assert isinstance(state.result, DeadlineExceeded)
    assert (state.result.attempts, str(state.result.__cause__)) == (2, "down")
    assert fold(run.header, run.events).tasks[0].attempts[-1].outcome == "timed out"
    assert run.events[-1].offset == 5.0


def test_a_task_that_waits_when_its_deadline_is_over_is_timed_out():
    async def patient(obj, old, new):
        await asyncio.sleep(3 if new.name == "Retrying" else 0)

    service = Service(OSError("down"))
    run = one_task(service, deadline=2, retry=Retry(9, delay=constant(1)), state_handlers=[patient])
    assert moves(run, "ask") == ["Running", "TimedOut"]  # cut while the handler was asked about Retrying
    assert run.events[-1].offset == 2.0


def test_the_body_sees_the_less_of_timeout_and_deadline():
    service = Service(OSError("down"), 0.5)
    one_task(service, deadline=5, timeout=4, retry=Retry(2, delay=constant(2)))
    assert [round(left, 3) for _, _, left in service.calls] == [4.0, 2.9]


def test_a_def_body_sees_the_deadline_too():
    left = []

    @task(deadline=5)
    def look():
        left.extend((current().remaining, remaining()))

    assert play(flow(name="f")(lambda: look())).state.is_success()
    assert left == [5.0, 5.0]


def test_the_tasks_of_a_block_inherit_its_deadline():
    @task
    async def slow():
        await asyncio.sleep(60)

    @task
    async def quick():
        return current().remaining

    @flow
    async def body():
        try:
            async with deadline(3):
                first = slow()
                await quick()
                await first
        except DeadlineExceeded:
            pass

    run = play(body)
    assert run.tasks["quick"].state.result == 3.0
    assert final(run) == {"slow": "TimedOut", "quick": "Success"}
    assert run.events[-1].offset == 3.0


def test_a_handler_may_begin_anew_after_the_deadline():
    def once_more(obj, old, new):
        if new.name == "TimedOut" and obj.attempt == 1:
            raise signals.RETRY("once more", delay=1)
        return new

    service = Service(60.0, 0.1)
    run = one_task(service, deadline=5, state_handlers=[once_more])
    assert moves(run, "ask") == ["Running", "Retrying", "Running", "Success"]
    assert service.calls == [(1, 0, 5.0), (2, 0, 5.0)]


# -- hedge -------------------------------------------------------------------------------------------------


def test_a_hedged_task_is_in_the_state_of_its_own_attempts():
    service = Service(60.0, 0.5)
    run = one_task(service, hedge=1.0)
    state = run.tasks["ask"].state
    assert moves(run, "ask") == ["Running", "Success"]
    assert state.message == "Hedge 1 had the answer first, 1.5 s after the call began."
    assert (state.how, state.result) == ("by hedge", "call 2")
    assert service.calls == [(1, 0, None), (2, 1, None)]
    kinds = [event.kind for event in run.events if event.kind.startswith("hedge")]
    assert kinds == ["hedge_started", "hedge_ended"]
    history = fold(run.header, run.events)
    assert (history.attempts, history.calls) == (1, 2)


def test_a_hedge_wins_while_the_task_waits_for_its_next_attempt():
    service = Service(OSError("down"), 0.5)
    run = one_task(service, hedge=Hedge(1.0), retry=Retry(2, delay=constant(60)))
    assert moves(run, "ask") == ["Running", "Retrying", "Success"]
    assert run.events[-1].offset == 1.5


def test_when_all_fail_the_task_fails_as_its_own_attempts_did():
    service = Service(OSError("mine"), OSError("the hedge's"))
    run = one_task(service, hedge=Hedge())
    assert moves(run, "ask") == ["Running", "Failed"]
    assert str(run.tasks["ask"].state.result) == "mine"
    ended = next(event for event in run.events if event.kind == "hedge_ended")
    assert ended.detail["error"] == "OSError: the hedge's"


def test_a_loser_that_swallows_its_cancellation_is_named():
    @task(hedge=1.0)
    async def ask():
        if current().hedge:
            return isinstance(current(), TaskRun)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(10)

    run = play(flow(name="f")(lambda: ask()))
    assert run.result() is True
    kinds = [event.kind for event in run.events]
    assert "cancel_swallowed" in kinds
    assert run.events[-1].offset == 11.0


def test_a_flow_that_is_cancelled_has_no_hedge_left():
    service = Service(60.0)

    @task(hedge=1.0)
    async def ask():
        return await service()

    @flow
    async def body():
        ask()

    async def story():
        run = await start(body, {})
        await asyncio.sleep(2)
        run.cancel("enough")
        await run.wait()
        assert final(run) == {"ask": "Cancelled"}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(story())
    assert len(service.calls) == 2


@pytest.mark.parametrize(
    ("attempts", "hedged", "state"),
    [((1,), "Success", "by hedge"), ((1, 2), "Failed", ""), (None, "Failed", "")],
    ids=["the first", "the first two", "every one"],
)
def test_a_hedge_is_the_next_attempt_to_a_planned_fault(attempts, hedged, state):
    @task(hedge=Hedge())
    async def ask():
        return "answer"

    @flow
    async def body():
        ask()

    plan = FaultPlan([TaskFault(id="f1", task="ask", do="raise", error=OSError, attempts=attempts)])

    async def story():
        run = await start(body, {}, options=RunOptions(faults=plan))
        return await run.wait()

    run = run_virtual(story())
    assert final(run) == {"ask": hedged}
    assert run.tasks["ask"].state.detail.get("how", "") == state
    assert plan.fired == {"f1": 1 if hedged == "Success" else 2}


def test_a_hedge_takes_slots_only_when_they_are_free():
    database = Resource("hedged database", 2)
    service = Service(2.0)

    @task(hedge=0.5, uses={database: 1})
    async def ask():
        return await service()

    @flow
    async def body():
        ask()
        ask()

    run = play(body)
    assert final(run) == {"ask": "Success", "ask#2": "Success"}
    assert len(service.calls) == 2  # both slots were taken

    @flow
    async def one_by_one():
        for _ in range(3):
            await ask()

    service.calls.clear()
    play(one_by_one)
    assert len(service.calls) == 6  # each hedge found a slot, and gave it back


def test_hedges_of_a_def_body_run_in_threads_of_their_own():
    numbers = []

    @task(hedge=Hedge())
    def ask():
        me = current()
        numbers.append((me.attempt, me.hedge, me.log_context()["attempt"]))
        if me.hedge == 0:
            raise OSError("down")
        return "answer"

    run = play(flow(name="f")(lambda: ask()))
    assert run.state.is_success()
    assert numbers == [(1, 0, 1), (2, 1, 2)]


def test_elements_of_a_map_are_hedged_one_by_one():
    begun = []

    @task(hedge=1.0)
    async def ask(number):
        begun.append((number, current().hedge, current().index))
        await asyncio.sleep(60 if number == 2 and current().hedge == 0 else 0.5)
        return number

    @flow
    async def body():
        return await ask.map([1, 2, 3])

    run = play(body)
    assert run.result() == [1, 2, 3]
    assert begun == [(1, 0, 0), (2, 0, 1), (3, 0, 2), (2, 1, 1)]


@pytest.mark.parametrize("keep", [None, 5])
def test_the_calls_of_hedged_elements_are_counted_as_the_events_tell_them(keep):
    calls = []

    @task(hedge=1.0, bulkhead=Bulkhead(40, queue=100, queue_timeout=0.5))
    async def ask(number):
        calls.append(number)
        await asyncio.sleep((1.4, 0, 0, 0, 3.0, 0, 0, 0)[number % 8] if current().hedge == 0 else 0)
        return number

    @flow
    async def body():
        return ask.map(range(3_000), max_running=100, tolerate=1.0)

    tally = Tally()
    run = play(body)
    for one in run.events:
        tally.add(one)
    history = History(run.header, keep=keep)
    for one in run.events:
        history.add(one)
    mapped = history.view().tasks[0]
    assert mapped.call_count == len(calls) == tally.groups["ask"].calls
    assert (
        mapped.attempt_count
        == 3_000
        == tally.groups["ask"].attempts
        == of_kind(run, "run_ended")[0]["attempts"]
    )
    hedged = sum(one["calls"] for one in of_kind(run, "hedge_ended"))
    refused = 3_000 - (len(calls) - hedged)
    assert min(hedged, refused) > 100
    if keep is None:
        measured = measures_of(history.view())
        assert (measured.attempts, measured.calls) == (3_000, len(calls))
        assert sum(measured.refused.values()) == refused


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("fallback", "state"),
    [(Fallback("value"), "Success"), (Fallback(function=lambda _error: 1 / 0), "Failed")],
)
def test_an_attempt_that_was_refused_ran_no_body_whatever_stood_in_for_it(fallback, state, mapped):
    @task(name="ask", bulkhead=Bulkhead(1), fallback=fallback)
    async def ask(_number):
        await asyncio.sleep(3.0)

    @flow
    async def body():
        handle = ask.map([1, 2], tolerate=1.0) if mapped else [ask(1), ask(2)]
        await asyncio.sleep(0)
        return handle if mapped else None

    run = play(body)
    history = fold(run.header, run.events)
    refused = (history.elements or history.tasks)[1]
    assert (refused.state.name, refused.attempts[0].outcome, refused.call_count) == (state, "refused", 0)
    assert (history.attempts, history.calls) == (2, 1)
    assert measures_of(history).refused == {"bulkhead": 1}


def test_a_refused_call_whose_hedge_wins_ran_one_body():
    @task(bulkhead=Bulkhead(1, queue=2, queue_timeout=1.0), hedge=0.5)
    async def ask(seconds):
        await asyncio.sleep(seconds)

    @flow
    async def body():
        return [ask.with_options(hedge=None, name="holds")(1.2), ask(0.0)]

    run = play(body)
    history = fold(run.header, run.events)
    asked = history.tasks[1]
    assert (asked.state.how, asked.attempts[0].outcome) == ("by hedge", "refused")
    assert (asked.attempt_count, asked.call_count) == (1, 1)
    assert measures_of(history).refused == {"bulkhead": 1}


@pytest.mark.parametrize("handlers", [[], [lambda _obj, _old, _new: None]])
def test_a_loop_that_a_hedge_raises_is_the_next_iteration_of_the_task(handlers):
    begun = []

    @task(hedge=1.0, state_handlers=handlers)
    async def climb():
        me = current()
        begun.append((me.loop_count, me.hedge))
        await asyncio.sleep(0.5 if me.hedge or me.loop_count == 2 else 30.0)
        if me.loop_count < 3:
            raise signals.LOOP("on", result=me.loop_count)
        return me.loop_result

    run = play(flow(name="f")(lambda: climb()))
    assert run.tasks["climb"].state.result == 2
    assert begun == [(1, 0), (1, 1), (2, 0), (3, 0), (3, 1)]
    assert moves(run, "climb") == [*["Running", "Retrying"] * 2, "Running", "Success"]


def test_what_a_hedge_did_is_undone_also_when_the_call_itself_never_began():
    undone = []

    @task(hedge=Hedge(0), uses={Resource("desk", 1): 1})
    async def charge():
        await asyncio.sleep(1.0)
        return current().hedge

    @charge.on_rollback
    async def refund(result):
        undone.append(result)

    @task
    async def fail(_charged):
        raise ValueError("no")

    play(flow(name="f")(lambda: fail(charge())))
    assert undone == [1]


def test_a_call_that_never_began_is_no_attempt_when_its_hedge_wins():
    async def slowly(_obj, _old, new):
        await asyncio.sleep(1.0 if new.name == "Running" else 0.0)

    @task(hedge=Hedge(0), state_handlers=[slowly])
    async def ask(_number):
        return current().hedge

    run = play(flow(name="f")(lambda: [ask(1), ask.map([1])]))
    history = fold(run.header, run.events)
    assert [(one.attempt_count, one.call_count) for one in history.tasks] == [(0, 1), (0, 1)]
    assert of_kind(run, "run_ended") == [{"tasks": 3, "attempts": 0, "faults": 0}]


def test_a_call_that_waits_for_the_cache_has_no_hedge():
    begun = []

    @task(hedge=0.75, cache_for=60.0)
    async def ask():
        begun.append(current().hedge)
        await asyncio.sleep(2.0)
        return "answer"

    run = play(flow(name="f")(lambda: [ask(), ask()]))
    assert begun == [0, 1]
    assert run.events[-1].kind == "run_ended"


# -- fallback ----------------------------------------------------------------------------------------------


def test_a_task_that_fell_back_is_a_success_that_says_so():
    service = Service(OSError("down"))
    run = one_task(service, fallback=Fallback("unknown"), retry=2)
    state = run.tasks["ask"].state
    assert moves(run, "ask") == ["Running", "Retrying", "Running", "Success"]
    assert (state.how, state.result) == ("by fallback", "unknown")
    assert state.message == "Fell back to the value after OSError: down."
    assert state.detail["error"] == "OSError: down"
    told = next(event for event in run.events if event.kind == "fell_back")
    assert told.detail == {"to": "value", "error": "OSError: down", "age": None, "failed": None}
    assert fold(run.header, run.events).tasks[0].attempts[-1].outcome == "failed"


def test_a_fallback_of_a_task_that_ran_out_of_time():
    run = one_task(Service(60.0), fallback=Fallback("unknown"), deadline=2)
    assert run.tasks["ask"].state.message == (
        "Fell back to the value after DeadlineExceeded: the deadline of 2 s was over during attempt 1."
    )


def test_a_task_whose_fallback_fails_fails_with_that():
    def broken(error):
        raise KeyError("nor here")

    run = one_task(Service(OSError("down")), fallback=Fallback(function=broken))
    state = run.tasks["ask"].state
    assert moves(run, "ask") == ["Running", "Failed"]
    assert isinstance(state.result, KeyError)
    assert str(state.result.__cause__) == "down"
    assert state.detail["reason"] == "the fallback failed with KeyError: 'nor here', after OSError: down"


def test_a_result_that_retries_did_not_accept_is_fallen_back_from():
    service = Service(0.1)
    retry = Retry(2, on_result=lambda value: True)
    assert final(one_task(service, retry=retry)) == {"ask": "Failed"}
    assert final(one_task(service, retry=retry, fallback=Fallback("unknown"))) == {"ask": "Success"}


def test_a_task_remembers_results_from_run_to_run_by_its_arguments():
    is_down = False

    @task(fallback=Fallback(cached=True), validate=True)
    async def price(article: str) -> str:
        if is_down:
            raise OSError("down")
        return article.upper()

    @flow
    async def body():
        return [price(article) for article in ("tea", "coffee")]

    async def story():
        nonlocal is_down
        await (await body.start()).wait()
        is_down = True
        run = await body.start()
        await run.wait()
        return run

    run = run_virtual(story())
    assert [task_run.state.result for task_run in run.tasks] == ["TEA", "COFFEE"]
    assert {task_run.state.how for task_run in run.tasks} == {"by fallback"}


def test_what_stood_in_is_not_kept_in_a_cache():
    service = Service(OSError("down"), 0.1)

    @task(name="ask", cache_for=3600, fallback=Fallback("unknown"))
    async def ask():
        return await service()

    @flow
    async def body():
        return [await ask(), await ask(), await ask()]

    run = play(body)
    assert run.result() == ["unknown", "call 2", "call 2"]
    assert [task_run.state.name for task_run in run.tasks] == ["Success", "Success", "Cached"]


def test_what_stood_in_has_no_effect_to_undo():
    undone = []

    @task(fallback=Fallback("unknown"))
    async def charge(fails):
        if fails:
            raise OSError("down")
        return "charged"

    @charge.on_rollback
    async def refund(result, fails):
        undone.append(result)

    @task
    async def fail():
        raise ValueError("no")

    @flow
    async def body():
        await charge(fails=True)
        await charge(fails=False)
        await fail()

    play(body)
    assert undone == ["charged"]


def test_a_task_may_pause_and_loop_under_all_of_it():
    around = {"deadline": 20, "hedge": 10, "fallback": Fallback("unknown")}

    @task(**around)
    async def ask():
        if not current().resumed:
            raise signals.PAUSE("please say")
        return current().input, current().remaining

    @task(**around)
    async def count():
        await asyncio.sleep(1)
        if current().loop_count < 3:
            raise signals.LOOP("again")
        return current().loop_count, current().attempt

    @flow
    async def body():
        return await count(), await ask()

    async def story():
        run = await body.start()
        await run.wait()
        assert run.is_paused()
        await asyncio.sleep(60)
        return await (await body.start_resumed(run, input="yes")).wait()

    assert run_virtual(story()).result() == ((3, 3), ("yes", 20.0))


def test_handlers_see_the_success_and_may_refuse_it():
    seen = []

    def refuse(obj, old, new):
        seen.append(new.name)
        return states.Failed("no stand-ins here") if new.is_success() and new.how == "by fallback" else new

    run = one_task(Service(OSError("down")), fallback=Fallback("unknown"), state_handlers=[refuse])
    assert final(run) == {"ask": "Failed"}
    assert seen == ["Running", "Success"]


def test_a_skip_of_the_body_is_no_failure():
    run = one_task(Service(signals.SKIP("nothing new")), fallback=Fallback("unknown"))
    assert final(run) == {"ask": "Skipped"}


# -- properties --------------------------------------------------------------------------------------------

_WAYS = st.lists(
    st.sampled_from(
        [0.1, 0.5, 1.5, 60.0, OSError("down"), signals.RETRY("again", delay=0.5), signals.SKIP("no")]
    ),
    min_size=1,
    max_size=6,
)


@given(
    ways=_WAYS,
    parts=st.fixed_dictionaries(
        {},
        optional={
            "deadline": st.sampled_from([1.0, 2.0, 2.5]),
            "hedge": st.sampled_from([Hedge(), Hedge(0, max_hedges=2), Hedge(0.5, max_hedges=3), Hedge(1.0)]),
            "retry": st.sampled_from([2, Retry(3, delay=constant(0.4))]),
            "timeout": st.sampled_from([0.4, 1.0]),
            "fallback": st.sampled_from([Fallback("instead"), Fallback("instead", on=KeyError)]),
            "uses": st.just({Resource("shared", 2): 1}),
        },
    ),
    cancelled=st.sampled_from([None, 0.0, 0.5, 1.0, 1.7]),
    attended=st.booleans(),
)
def test_whatever_stands_around_it_a_task_run_moves_as_the_table_has_it(ways, parts, cancelled, attended):
    service = Service(*ways, 0.1)

    async def handler(obj, old, new):
        await asyncio.sleep(0.2)
        return new

    @task(state_handlers=[handler] if attended else None, **parts)
    async def ask():
        return await service()

    @flow
    async def body():
        ask()
        ask()

    async def story():
        run = await start(body, {})
        if cancelled is not None:
            await asyncio.sleep(cancelled)
            run.cancel("enough")
        try:
            async with asyncio.timeout(1000):
                await run.wait()
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return run

    run = run_virtual(story())
    assert run.is_final()
    for task_run in run.tasks:
        gone = [states.BY_NAME[name] for name in moves(run, task_run.key)]
        assert all(then in now.leads_to for now, then in itertools.pairwise([states.Pending, *gone]))
        assert [state.final for state in gone].count(True) == 1
    started = [event.detail["hedge"] for event in run.events if event.kind == "hedge_started"]
    ended = [event.detail["hedge"] for event in run.events if event.kind == "hedge_ended"]
    assert sorted(started) == sorted(ended)
