"""State handlers of tasks and flows."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow import current, flow, signals, states, task
from asyncflow.engine.handlers import consult
from asyncflow.errors import HandlerFailed, NotInFlow
from asyncflow.states import Failed, Pending, Running, Skipped, Success
from tests.engine.kit import moves, of_kind, play
from tests.engine.kit import states as final

SKIP, FAIL, SUCCESS = signals.SKIP, signals.FAIL, signals.SUCCESS


class Witness:
    """A handler that writes down what it sees, and answers some moves."""

    def __init__(self, **answers):
        self.seen = []
        self.answers = answers

    def __call__(self, obj, old, new):
        self.seen.append((old.name, new.name))
        answer = self.answers.get(new.name)
        if isinstance(answer, BaseException) or (
            isinstance(answer, type) and issubclass(answer, BaseException)
        ):
            raise answer
        return answer

    @property
    def sequence(self):
        return " ".join(f"{old}->{new}" for old, new in self.seen)


def flaky(failures, **options):
    left = [ValueError("x")] * failures

    @task(name="flaky", **options)
    async def body(*_):
        if left:
            raise left.pop()
        return "value"

    return body


@task
async def after(value):
    return ("after", value)


@task
async def fail():
    raise ValueError("no")


class TestWhatHandlersSee:
    @pytest.mark.parametrize(
        ("failures", "retries", "sequence"),
        [
            (0, 0, "Pending->Running Running->Success"),
            (1, 0, "Pending->Running Running->Failed"),
            (1, 1, "Pending->Running Running->Retrying Retrying->Running Running->Success"),
            (2, 1, "Pending->Running Running->Retrying Retrying->Running Running->Failed"),
        ],
    )
    def test_sequences_of_attempts(self, failures, retries, sequence):
        witness = Witness()
        play(
            flow(name="f")(
                lambda: flaky(failures, max_retries=retries, retry_delay=1, state_handlers=[witness])()
            )
        )
        assert witness.sequence == sequence

    def test_sequences_without_an_attempt(self):
        refused, skipped = Witness(), Witness()

        @task
        async def skip():
            raise SKIP

        @flow
        async def f():
            after.with_options(state_handlers=[refused])(fail())
            after.with_options(state_handlers=[skipped])(skip())

        play(f)
        assert refused.sequence == "Pending->TriggerFailed"
        assert skipped.sequence == "Pending->Skipped"

    @pytest.mark.parametrize(
        ("failures", "sequence"),
        [(1, "Pending->Running Running->Success"), (2, "Pending->Running Running->Failed")],
    )
    def test_a_flow_sees_running_and_its_end_once(self, failures, sequence):
        witness = Witness()
        play(flow(name="f", state_handlers=[witness])(lambda: flaky(failures, retry=2)()))
        assert witness.sequence == sequence

    def test_the_object_is_the_task_run_or_the_flow_run(self):
        seen = []

        def handler(obj, old, new):
            seen.append((obj.name, obj.state is old, current() is obj))

        run = play(flow(name="f", state_handlers=[handler])(lambda: flaky(0, state_handlers=[handler])(5)))
        assert seen == [
            (run.name, True, True),
            ("flaky", True, True),
            ("flaky", True, True),
            (run.name, True, True),
        ]

    def test_a_handler_can_not_call_tasks(self):
        def handler(obj, old, new):
            after(1)

        run = play(flow(name="f")(lambda: flaky(0, state_handlers=[handler])()))
        with pytest.raises(HandlerFailed) as caught:
            run.result()
        assert isinstance(caught.value.__cause__, NotInFlow)

    @pytest.mark.parametrize(("on", "tasks"), [("Running", []), ("Success", ["flaky"])])
    def test_neither_can_one_of_a_flow_since_nobody_would_wait_for_them(self, on, tasks):
        async def handler(obj, old, new):
            if new.name == on:
                after(1)

        run = play(flow(name="f", state_handlers=[handler])(lambda: flaky(0)()))
        assert run.state.name == "Failed"
        assert "call tasks in the body, not in the flow's state handlers" in run.state.message
        assert list(final(run)) == tasks


class TestReplacing:
    def test_each_handler_sees_what_the_one_before_it_returned(self):
        first, second, third = Witness(Failed=Success(result=99)), Witness(), Witness(Success=Skipped("x"))
        run = play(flow(name="f")(lambda: flaky(1, state_handlers=[first, second, third])()))
        assert first.seen[-1] == ("Running", "Failed")
        assert second.seen[-1] == ("Running", "Success")
        assert final(run) == {"flaky": "Skipped"}

    def test_a_failure_may_become_a_success_whose_value_goes_on(self):
        witness = Witness(Failed=Success("healed", 99))
        run = play(flow(name="f")(lambda: after(flaky(1, state_handlers=[witness])())))
        assert run.result() == ("after", 99)
        assert (run.tasks["flaky"].state.message, run.tasks["flaky"].state.how) == ("healed", "by handler")

    def test_a_refusal_by_the_trigger_may_become_a_success_and_those_downstream_run(self):
        witness = Witness(TriggerFailed=Success(result=5))

        @flow
        async def f():
            healed = after.with_options(state_handlers=[witness], name="healed")(fail())
            return [after(healed)]

        run = play(f)
        assert run.result() == [("after", 5)]
        assert moves(run, "healed") == ["Success"]

    @pytest.mark.parametrize(
        ("on", "answer", "sequence"),
        [
            ("Running", Skipped("not today"), ["Skipped"]),
            ("Running", Success(result=1), ["Success"]),
            ("Success", Failed("not good enough"), ["Running", "Failed"]),
            ("Retrying", Failed("enough"), ["Running", "Failed"]),
            (
                "Failed",
                states.Retrying("once more", None, {"delay": 5}),
                ["Running", "Retrying", "Running", "Success"],
            ),
            ("Success", Success("same"), ["Running", "Success"]),
        ],
    )
    def test_a_state_that_is_returned_is_committed_as_it_is(self, on, answer, sequence):
        witness = Witness(**{on: answer})
        one = flaky(1 if on in ("Failed", "Retrying") else 0, state_handlers=[witness])
        if on == "Retrying":
            one = one.with_options(retry=3)
        run = play(flow(name="f")(lambda: one()))
        assert moves(run, "flaky") == sequence
        assert run.tasks[0].state.is_final()

    def test_returning_the_new_state_or_none_changes_nothing(self):
        run = play(flow(name="f")(lambda: flaky(0, state_handlers=[lambda obj, old, new: new, Witness()])()))
        assert run.result() == "value"

    def test_the_detail_of_a_returned_success_is_kept(self):
        witness = Witness(Failed=Success("x", 1, {"source": "cache"}))
        run = play(flow(name="f")(lambda: flaky(1, state_handlers=[witness])()))
        assert run.tasks[0].state.detail == {"source": "cache"}

    def test_retrying_by_a_handler_knows_no_limit(self):
        left = iter(range(4))

        def handler(obj, old, new):
            again = new.is_failed() and next(left, None) is not None
            return states.Retrying("once more", detail={"delay": 1}) if again else None

        run = play(flow(name="f")(lambda: flaky(4, retry=2, state_handlers=[handler])()))
        assert run.state.is_success()
        assert moves(run, "flaky").count("Retrying") == 4

    def test_a_refused_task_is_asked_about_again_after_a_retry_and_never_run_against_its_trigger(self):
        waits = iter([states.Retrying(detail={"delay": 7}), states.Retrying(detail={"delay": 7})])

        def handler(obj, old, new):
            return next(waits, None) if new.is_trigger_failed() else None

        @flow
        async def f():
            after.with_options(state_handlers=[handler])(fail())

        run = play(f)
        assert moves(run, "after") == ["Retrying", "Retrying", "TriggerFailed"]
        assert run.events[-1].offset == 14.0


class TestRaising:
    """A signal raised in a handler is treated as if the body had raised it, and ends the round."""

    @pytest.mark.parametrize(
        ("on", "signal", "sequence"),
        [
            ("Running", SKIP("x"), ["Skipped"]),
            ("Running", SUCCESS("x", 3), ["Success"]),
            ("Running", FAIL("x"), ["Failed"]),
            ("Running", signals.ENDRUN(Success(result=3)), ["Success"]),
            ("Success", SKIP("x"), ["Running", "Skipped"]),
            ("Success", FAIL("x"), ["Running", "Failed"]),
            ("Success", signals.TRIGGERFAIL("x"), ["Running", "TriggerFailed"]),
            ("Success", signals.VALIDATIONFAIL("x"), ["Running", "ValidationFailed"]),
            ("Success", SUCCESS("x", 3), ["Running", "Success"]),
            ("Success", signals.ENDRUN(Failed("x")), ["Running", "Failed"]),
            ("Success", BaseExceptionGroup("g", [SKIP("x")]), ["Running", "Skipped"]),
        ],
    )
    def test_each_signal_sets_the_state_and_ends_the_round(self, on, signal, sequence):
        second = Witness()
        run = play(flow(name="f")(lambda: flaky(0, state_handlers=[Witness(**{on: signal}), second])()))
        assert moves(run, "flaky") == sequence
        assert on not in [new for _, new in second.seen]

    def test_fail_on_the_way_to_success_is_retried(self):
        answers = iter([FAIL("not good"), None])

        def handler(obj, old, new):
            if new.is_success() and (answer := next(answers)) is not None:
                raise answer

        run = play(flow(name="f")(lambda: flaky(0, retry=2, state_handlers=[handler])()))
        assert moves(run, "flaky") == ["Running", "Retrying", "Running", "Success"]

    def test_endrun_is_not(self):
        witness = Witness(Success=signals.ENDRUN(Failed("stop")))
        run = play(flow(name="f")(lambda: flaky(0, retry=5, state_handlers=[witness])()))
        assert moves(run, "flaky") == ["Running", "Failed"]

    def test_retry_on_the_way_to_running_waits_and_comes_again(self):
        left = iter([10, 20])

        def handler(obj, old, new):
            if new.is_running() and (delay := next(left, None)):
                raise signals.RETRY("not yet", delay=delay)

        run = play(flow(name="f")(lambda: flaky(0, state_handlers=[handler])()))
        assert moves(run, "flaky") == ["Retrying", "Retrying", "Running", "Success"]
        assert run.events[-1].offset == 30.0

    def test_fail_in_the_place_of_a_refusal_is_no_attempt_and_is_not_retried(self):
        @flow
        async def f():
            after.with_options(retry=3, state_handlers=[Witness(TriggerFailed=FAIL("x"))])(fail())

        run = play(f)
        assert moves(run, "after") == ["Failed"]
        assert run.tasks["after"].attempt == 0

    @pytest.mark.parametrize("on", ["Running", "Success", "Failed", "Retrying"])
    @pytest.mark.parametrize("error", [RuntimeError("mine"), BaseException("mine")])
    def test_anything_else_fails_the_run_and_names_the_handler(self, on, error):
        witness = Witness(**{on: error})

        def alert(obj, old, new):
            witness(obj, old, new)

        one = flaky(1 if on in ("Failed", "Retrying") else 0, state_handlers=[alert])
        if on == "Retrying":
            one = one.with_options(retry=3)
        run = play(flow(name="f")(lambda: one()))
        state = run.tasks[0].state
        kind = type(error).__name__
        assert state.name == "Failed"
        assert state.message.endswith(f"alert' raised {kind}: mine")
        assert isinstance(state.result, HandlerFailed)
        assert state.result.__cause__ is error
        assert of_kind(run, "handler_failed") == [{"error": state.message}]

    def test_an_error_in_a_handler_is_never_retried(self):
        run = play(
            flow(name="f")(lambda: flaky(0, retry=5, state_handlers=[Witness(Success=KeyError("k"))])())
        )
        assert moves(run, "flaky") == ["Running", "Failed"]

    def test_a_misspelt_question_is_answered_with_the_right_word(self):
        def handler(obj, old, new):
            new.isfailed()

        run = play(flow(name="f")(lambda: flaky(0, state_handlers=[handler])()))
        assert "a State has no 'isfailed'. Did you mean 'is_failed'?" in run.tasks[0].state.message

    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            (3, "returned 3; return a State, or None to change nothing"),
            ("Failed", "return a State"),
            (Pending(), "a handler may put a final state or Retrying in the place of the new one"),
            (Running("another"), "a final state or Retrying"),
            (states.Crashed(), "a final state or Retrying"),
        ],
    )
    def test_an_answer_that_can_not_stand_fails_the_run(self, answer, sentence):
        run = play(flow(name="f")(lambda: flaky(0, state_handlers=[lambda obj, old, new: answer])()))
        assert final(run) == {"flaky": "Failed"}
        assert sentence in run.tasks[0].state.message

    def test_an_error_that_can_not_be_put_into_words_is_told_by_its_type(self):
        class Mute(Exception):
            def __str__(self):
                raise self

        run = play(flow(name="f")(lambda: flaky(0, state_handlers=[Witness(Success=Mute())])()))
        assert "raised Mute: <no text" in run.tasks[0].state.message


class TestAsyncHandlers:
    def test_they_are_awaited_and_replace_like_others(self):
        async def handler(obj, old, new):
            await asyncio.sleep(1)
            return Success(result=7) if new.is_failed() else None

        run = play(flow(name="f")(lambda: flaky(1, state_handlers=[handler])()))
        assert run.result() == 7
        assert run.events[-1].offset == 2.0

    def test_a_signal_or_error_in_one_counts_like_any(self):
        async def skip(obj, old, new):
            await asyncio.sleep(0)
            raise SKIP("later")

        async def broken(obj, old, new):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
                raise ValueError("x")

        run = play(
            flow(name="f")(lambda: [flaky(0, state_handlers=[skip])(), flaky(0, state_handlers=[broken])()])
        )
        assert final(run) == {"flaky": "Skipped", "flaky#2": "Failed"}

    def test_a_dependent_waits_for_them(self):
        order = []

        async def slow(obj, old, new):
            await asyncio.sleep(1)
            order.append(new.name)

        @task
        async def look(value):
            order.append("after")

        play(flow(name="f")(lambda: look(flaky(0, state_handlers=[slow])())))
        assert order == ["Running", "Success", "after"]


class TestOnFailure:
    @pytest.mark.parametrize(("failures", "calls"), [(0, []), (1, []), (2, ["Failed"])])
    def test_it_is_called_for_a_final_failure_only(self, failures, calls):
        seen = []
        one = flaky(failures, retry=2, on_failure=lambda obj, state: seen.append(state.name))
        play(flow(name="f")(lambda: one()))
        assert seen == calls

    def test_it_sees_refusals_timeouts_and_cancellations_too(self):
        seen = []

        def alert(obj, state):
            seen.append((obj.name, state.name))

        @task(timeout=1, on_failure=alert)
        async def slow():
            await asyncio.sleep(5)

        @flow(on_failure=alert)
        async def f():
            after.with_options(on_failure=alert)(slow())

        run = play(f)
        assert seen == [("slow", "TimedOut"), ("after", "TriggerFailed"), (run.name, "Failed")]

    def test_it_is_asked_after_the_handlers_and_may_replace(self):
        healed = Witness(Failed=Success(result=1))
        seen = []
        one = flaky(1, state_handlers=[healed], on_failure=lambda obj, state: seen.append(state))
        assert play(flow(name="f")(lambda: one())).result() == 1
        assert seen == []
        one = flaky(1, on_failure=lambda obj, state: Success(result=2))
        assert play(flow(name="f")(lambda: one())).result() == 2


class TestFlowHandlers:
    def test_a_failed_flow_may_become_a_success(self):
        witness = Witness(Failed=Success("never mind", 3))
        run = play(flow(name="f", state_handlers=[witness])(lambda: fail()))
        assert (run.state.name, run.result()) == ("Success", 3)
        assert final(run) == {"fail": "Failed"}

    @pytest.mark.parametrize(
        ("on", "error", "tasks"),
        [("Running", KeyError("k"), {}), ("Success", KeyError("k"), {"flaky": "Success"})],
    )
    def test_one_that_raises_fails_the_run_and_the_task_states_are_kept(self, on, error, tasks):
        run = play(flow(name="f", state_handlers=[Witness(**{on: error})])(lambda: flaky(0)()))
        assert run.state.name == "Failed"
        with pytest.raises(HandlerFailed, match="'Witness' raised KeyError: 'k'"):
            run.result()
        assert final(run) == tasks
        assert of_kind(run, "handler_failed") == [{"error": run.state.message}]

    @pytest.mark.parametrize(
        ("on", "signal", "sequence"),
        [
            ("Running", SKIP("x"), ["Skipped"]),
            ("Running", FAIL("x"), ["Failed"]),
            ("Success", FAIL("x"), ["Running", "Failed"]),
            ("Success", signals.ENDRUN(states.Cancelled("x")), ["Running", "Cancelled"]),
        ],
    )
    def test_a_signal_sets_the_state(self, on, signal, sequence):
        run = play(flow(name="f", state_handlers=[Witness(**{on: signal})])(lambda: flaky(0)()))
        assert moves(run) == sequence

    @pytest.mark.parametrize("on", ["Running", "Success"])
    @pytest.mark.parametrize("answer", [signals.RETRY("again"), states.Retrying(), states.Crashed()])
    def test_a_flow_run_is_not_retried(self, on, answer):
        run = play(flow(name="f", state_handlers=[Witness(**{on: answer})])(lambda: flaky(0)()))
        assert run.state.name == "Failed"
        assert len(run.tasks) == (0 if on == "Running" else 1)

    async def test_they_may_be_async(self):
        async def handler(obj, old, new):
            await asyncio.sleep(0)
            return Success(result=1) if new.is_final() else None

        run = await flow(name="f", state_handlers=[handler])(lambda: flaky(0)()).start()
        assert await run == 1


async def test_consult_gives_back_what_the_handlers_left():
    old, new = Pending(), Running()
    assert await consult(None, [], None, old, new) is new
    assert await consult(None, [lambda *_: None], None, old, new) is new
    skipped = Skipped("x", None, {"how": "so"})
    assert await consult(None, [lambda *_: skipped], None, old, new) is skipped
