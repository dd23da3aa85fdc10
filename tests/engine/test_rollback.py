"""Rollback hooks: what is undone when a flow run fails, in which order, and what nothing can stop."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow import Retry, constant, current, flow, signals, task
from asyncflow.errors import InvalidTask
from asyncflow.states import Cancelled, Failed, Success, TimedOut
from tests.clock import run_virtual
from tests.engine.kit import of_kind, play


class Desk:
    """Three steps that leave a line when they are done and another when they are undone."""

    def __init__(self, **options) -> None:
        self.lines: list[str] = []
        lines = self.lines

        @task
        async def book(trip: str, *, nights: int = 1) -> str:
            lines.append(f"book {trip}")
            return f"booking of {trip}"

        @book.on_rollback(**options)
        async def cancel(booking: str, trip: str, *, nights: int = 1) -> None:
            await asyncio.sleep(1)
            lines.append(f"cancel {booking} ({trip}, {nights})")

        @task
        def charge(booking: str) -> int:
            lines.append(f"charge for {booking}")
            return 42

        @charge.on_rollback(**options)
        def refund(amount: int, booking: str) -> None:
            lines.append(f"refund {amount} for {booking}")

        @task
        async def ship(amount: int) -> None:
            raise ValueError("no lorry")

        self.book, self.charge, self.ship, self.cancel, self.refund = book, charge, ship, cancel, refund


UNDONE = ["refund 42 for booking of Rome", "cancel booking of Rome (Rome, 3)"]


def test_what_succeeded_is_undone_in_reverse_order_with_results_and_arguments():
    desk = Desk()

    @flow
    async def order():
        return desk.ship(desk.charge(desk.book("Rome", nights=3)))

    run = play(order)
    assert desk.lines == ["book Rome", "charge for booking of Rome", *UNDONE]
    assert run.state.is_failed()
    assert run.state.message == "Some reference tasks failed. Rolled back: charge, book."
    assert run.state.detail == {"rolled_back": ["charge", "book"]}
    assert isinstance(run.state.result, ValueError)
    assert [run.tasks[key].rolled_back for key in ("book", "charge")] == [True, True]
    assert [run.tasks[key].state.name for key in ("book", "charge")] == ["Success", "Success"]
    assert of_kind(run, "rolled_back") == [
        {"key": "charge", "hook": "refund", "attempts": 1},
        {"key": "book", "hook": "cancel", "attempts": 1},
    ]
    assert [event.task for event in run.events if event.kind == "rolled_back"] == [2, 1]
    assert [event.kind for event in run.events][-2:] == ["state_changed", "run_ended"]


ENDS = {
    "success": (lambda: None, False),
    "skipped": (lambda: signals.SKIP("nothing to do"), False),
    "a returned state": (lambda: Success(), False),
    "an error of the body": (lambda: ValueError("no"), True),
    "a signal of the body": (lambda: signals.FAIL("no"), True),
    "a returned failure": (lambda: Failed("so be it"), True),
    "a returned timeout": (lambda: TimedOut("too late"), True),
    "a returned cancellation": (lambda: Cancelled("never mind"), True),
}


@pytest.mark.parametrize(("end", "undone"), ENDS.values(), ids=ENDS.keys())
def test_only_a_flow_run_that_failed_is_rolled_back(end, undone):
    desk = Desk()

    @flow
    async def order():
        await desk.book("Rome", nights=3)
        last = end()
        if isinstance(last, BaseException):
            raise last
        return last

    run = play(order)
    assert ("cancel booking of Rome (Rome, 3)" in desk.lines) is undone
    assert run.tasks["book"].rolled_back is undone


def test_a_failure_that_the_body_dealt_with_rolls_nothing_back():
    desk = Desk()

    @flow
    async def order():
        amount = await desk.charge(desk.book("Rome"))
        try:
            await desk.ship(amount)
        except ValueError:
            return "by hand"

    run = play(order)
    assert run.is_success()
    assert not of_kind(run, "rolled_back")


def test_a_handler_that_turns_a_failure_into_success_comes_before_the_rollback():
    desk = Desk()

    @flow(state_handlers=[lambda _run, _old, new: Success("all the same") if new.is_failed() else None])
    async def order():
        return desk.ship(desk.charge(desk.book("Rome")))

    assert play(order).is_success()
    assert len(desk.lines) == 2


def test_what_did_not_run_has_nothing_to_undo():
    undone = []

    def undo(result, *_args):
        undone.append(result)

    @task(rollback=undo)
    async def skipped():
        raise signals.SKIP("nothing new")

    @task(rollback=undo)
    async def failed():
        raise ValueError("no")

    @task(rollback=undo, state_handlers=[lambda _run, _old, new: Success("", 1) if new.is_failed() else None])
    async def refused(_value):
        return 1

    @task(rollback=undo)
    async def by_signal():
        raise signals.SUCCESS("done", result=7)

    @flow
    async def mixed():
        skipped()
        by_signal()
        return refused(failed()), failed()

    run = play(mixed)
    assert run.is_failed()
    assert undone == [7]


@pytest.mark.parametrize("at", [0.0, 0.5, 1.5, 2.5])
def test_a_cancelled_run_is_rolled_back_and_further_cancellations_come_too_late(at):
    desk = Desk()

    @task
    async def wait():
        await asyncio.sleep(2)

    @flow
    async def order():
        return wait.after(desk.book("Rome", nights=3))()

    async def story():
        run = await order.start()
        await asyncio.sleep(1)
        run.cancel("never mind")
        await asyncio.sleep(at)
        run.cancel("really")
        await run.wait()
        return run

    run = run_virtual(story())
    assert run.is_cancelled()
    assert run.state.message == "never mind Rolled back: book."
    assert desk.lines == ["book Rome", "cancel booking of Rome (Rome, 3)"]


def test_a_hook_has_retries_of_its_own():
    tries = []

    @task
    async def charge():
        return 42

    @charge.on_rollback(retry=Retry(3, delay=constant(5)))
    async def refund(amount):
        tries.append(asyncio.get_running_loop().time())
        if len(tries) < 3:
            raise ConnectionError("the bank sleeps")

    @flow
    async def order():
        await charge()
        raise ValueError("no")

    run = play(order)
    assert tries == [0, 5, 10]
    assert of_kind(run, "rolled_back") == [{"key": "charge", "hook": "refund", "attempts": 3}]


def test_a_hook_that_fails_at_last_stops_no_other_and_is_told():
    desk = Desk()

    @task
    async def pay():
        return 1

    @pay.on_rollback(retry=2)
    async def repay(_amount):
        raise ConnectionError("the bank is gone")

    @flow
    async def order():
        booking = await desk.book("Rome", nights=3)
        await pay()
        return desk.ship(await desk.charge(booking))

    run = play(order)
    assert desk.lines[2:] == UNDONE
    assert run.state.message == (
        "Some reference tasks failed. Rolled back: charge, book. "
        "The rollback of 'pay' failed: ConnectionError: the bank is gone (2 attempts)."
    )
    assert run.state.detail == {"rolled_back": ["charge", "book"], "rollback_failed": ["pay"]}
    assert of_kind(run, "rollback_failed") == [
        {"key": "pay", "hook": "repay", "attempts": 2, "error": "ConnectionError: the bank is gone"}
    ]
    assert not run.tasks["pay"].rolled_back


def test_what_a_hook_in_a_thread_raises_is_told():
    @task(rollback=lambda _result: 1 / 0)
    async def step():
        return 1

    @flow
    async def order():
        await step()
        raise ValueError("no")

    assert of_kind(play(order), "rollback_failed")[0]["error"] == "ZeroDivisionError: division by zero"


def test_a_hook_that_hangs_is_given_up_after_its_timeout():
    @task
    async def step():
        return 1

    @step.on_rollback
    async def undo(_result):
        await asyncio.sleep(1_000_000)

    @flow
    async def order():
        await step()
        raise ValueError("no")

    run = play(order)
    assert run.events[-1].offset == 60.0
    assert "ran longer than its timeout" in run.state.message


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (signals.SUCCESS, "Rolled back: step."),
        (signals.SKIP, "Rolled back: step."),
        (signals.FAIL("not today"), "failed: FAIL: not today"),
        (asyncio.CancelledError(), "failed: it was cancelled"),
        (SystemExit(3), "failed: it called sys.exit"),
    ],
)
def test_signals_and_other_ways_to_leave_a_hook(error, told):
    @task
    async def step():
        return 1

    @step.on_rollback
    async def undo(_result):
        raise error

    @flow
    async def order():
        await step()
        raise ValueError("no")

    async def story():
        run = await order.start()
        try:
            await run.wait()
        except SystemExit:
            assert isinstance(error, SystemExit)
        return run

    assert told in run_virtual(story()).state.message


def test_undoing_has_an_idempotency_key_of_its_own_and_calls_no_tasks():
    keys = []

    @task
    async def step():
        keys.append(current().idempotency_key)
        return 1

    @step.on_rollback
    async def undo(_result):
        keys.append(current().idempotency_key)
        step()

    @flow
    async def order():
        await step()
        raise ValueError("no")

    run = play(order)
    assert keys == [f"{run.id}/step", f"{run.id}/step/rollback"]
    assert "NotInFlow" in run.state.message


def test_hooks_of_elements_run_in_reverse_order_of_their_ends():
    undone = []

    @task
    async def store(number):
        await asyncio.sleep(10 - number)
        if number == 0:
            raise ValueError("no")
        return -number

    @store.on_rollback
    async def remove(result, number):
        undone.append((result, number))

    @flow
    async def every():
        return store.map(range(4))

    run = play(every)
    assert undone == [(-1, 1), (-2, 2), (-3, 3)]
    assert run.state.detail["rolled_back"] == ["store[1]", "store[2]", "store[3]"]


def test_elements_without_events_of_their_own_are_told_with_their_index():
    @task
    async def store(number):
        return number

    @store.on_rollback
    async def remove(result, number):
        pass

    @flow
    async def every():
        await store.map(range(1_200))
        raise ValueError("no")

    run = play(every)
    told = of_kind(run, "rolled_back")
    assert len(told) == 1_200
    assert [detail.get("index") for detail in told[:200]] == list(range(1_199, 999, -1))
    assert "and 1,190 more" in run.state.message
    assert len(run.state.detail["rolled_back"]) == 100


def test_a_child_run_that_fails_undoes_its_own_and_the_parent_undoes_it_no_more():
    desk = Desk()

    @flow
    async def child():
        return desk.ship(desk.charge(desk.book("Rome", nights=3)))

    @flow
    async def parent():
        try:
            await child()
        except ValueError:
            await desk.book("Oslo", nights=3)
        raise ValueError("and now this")

    play(parent)
    assert desk.lines[2:] == [*UNDONE, "book Oslo", "cancel booking of Oslo (Oslo, 3)"]


def test_a_child_run_that_succeeded_is_undone_as_a_whole_when_the_parent_fails():
    desk = Desk()

    @flow(name="inner")
    async def child():
        return await desk.charge(desk.book("Rome", nights=3))

    @flow
    async def parent():
        await desk.book("Oslo", nights=3)
        amount = await child()
        await desk.book("Bonn", nights=3)
        return desk.ship(amount)

    run = play(parent)
    assert desk.lines[4:] == [
        "cancel booking of Bonn (Bonn, 3)",
        *UNDONE,
        "cancel booking of Oslo (Oslo, 3)",
    ]
    own, inner = run.tasks["book"].number, run.tasks["inner"].number
    told = [(event.task, event.detail.get("key")) for event in run.events if event.kind == "rolled_back"]
    assert [number for number, _ in told] == [own + 2, inner, inner, own]
    assert [key for _, key in told] == ["book#2", "charge", "book", "book"]


def test_a_loop_that_ends_cuts_the_hook_at_work_and_the_others_still_run():
    desk = Desk()

    @flow
    async def order():
        await desk.book("Oslo")
        await desk.book("Rome")
        await desk.charge("x")
        raise ValueError("no")

    async def leave_early():
        run = await order.start()
        await asyncio.sleep(0.5)
        return run

    run = run_virtual(leave_early())
    assert run.is_final()
    assert run.state.detail == {"rolled_back": ["charge", "book"], "rollback_failed": ["book#2"]}


def test_a_hook_that_can_not_take_what_it_will_be_given_is_refused():
    @task
    async def charge(order, amount):
        return 1

    with pytest.raises(InvalidTask, match=r"called as refund\(result, order, amount\)"):

        @charge.on_rollback
        async def refund(result):
            pass

    charge.on_rollback(lambda result, *args: None)
    with pytest.raises(InvalidTask, match="has a rollback hook already"):
        charge.on_rollback(lambda result, *args: None)
    with pytest.raises(InvalidTask, match="not callable"):
        task(rollback=3)(print)


def test_a_copy_keeps_the_hook_and_may_do_without():
    desk = Desk()
    assert desk.book.with_options(name="other").rollback is desk.book.rollback
    assert desk.book.with_options(rollback=None).rollback is None
    assert desk.cancel.__name__ == "cancel"
