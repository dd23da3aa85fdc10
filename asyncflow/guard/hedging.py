"""A race: a call, and its hedges beside it, until one of them has an answer.

The call itself runs in the caller's own asyncio task, so that one that is fast enough pays for a timer and
nothing else. Each hedge has an asyncio task of its own. When a hedge has the answer, the call is cancelled as
by a timeout: with a request that is counted, and taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from asyncflow.ambient import world
from asyncflow.errors import full_text_of
from asyncflow.guard.deadlines import Alarm, AsyncioTask
from asyncflow.guard.ends import Ends
from asyncflow.outcomes import ENOUGH, Decision, Enough, Outcome, Raised, Returned, StoodIn, error_of
from asyncflow.policy.hedge import Hedge, Latencies, Standing
from asyncflow.policy.seconds import spoken
from asyncflow.ports import AttemptObserver, HedgeObserver

Inner = Callable[[AttemptObserver | None, AsyncioTask | None, tuple[int, int]], Awaitable[Outcome]]
"""What stands further in, ready to run: retries, and what is inside them.

It gets who follows the attempts, the asyncio task that awaits it, and how many attempts there were before.
"""


class Lane(Alarm):
    """One hedge on its way; as an alarm it rings when somebody else has the answer.

    Args:
        number: which hedge of the call it is, from 1.
        follower: who follows its attempts.
        began: when it was started, on the loop's clock.
    """

    __slots__ = ("began", "ends", "follower", "number")

    def __init__(self, number: int, follower: HedgeObserver, began: float) -> None:
        self.number = number
        self.follower = follower
        self.began = began
        self.ends = Ends(follower, is_raced=True)
        self.task = None
        self.fired = False
        self.requests = 0


class Race(Alarm):
    """One call and its hedges.

    Args:
        hedge: the policy.
        inner: makes the call.
        ends: follows the call's own attempts; in the end it has the decision that belongs to the outcome.
        task: the asyncio task that makes the call.
        pays: whether the race tells the budget of the call; the call's own retries do when they are paid from
            the same one.
    """

    __slots__ = (
        "_answer", "_began", "_delay", "_ends", "_escaped", "_hedge", "_inner", "_is_over", "_latencies",
        "_live", "_loop", "_spender", "_spending", "_started", "_task", "_timer", "_woken",
    )  # fmt: skip

    def __init__(self, hedge: Hedge, inner: Inner, ends: Ends, task: AsyncioTask, *, pays: bool) -> None:
        self.task = task
        self.fired = False
        self.requests = task.cancelling()
        self._task = task
        self._hedge = hedge
        self._inner = inner
        self._ends = ends
        self._loop = task.get_loop()
        self._began = self._loop.time()
        self._latencies: Latencies = hedge.latencies()
        self._delay = self._latencies.delay()
        self._spending = None if hedge.budget is None else hedge.budget.spending()
        self._spender = self._spending.began() if self._spending is not None and pays else None
        self._timer: asyncio.TimerHandle | None = None
        self._started = 0
        self._live: dict[AsyncioTask, Lane] = {}
        self._answer: tuple[Outcome, Decision] | None = None
        self._escaped: BaseException | None = None
        self._woken: asyncio.Future[None] | None = None
        self._is_over = False

    async def run(self) -> Outcome:
        """Make the call, hedged, and return what it came to; all that was started has ended by then.

        Raises:
            CancelledError, KeyboardInterrupt, SystemExit: as the call does.
        """
        is_answered = False
        try:
            if self._delay == 0.0:
                for _ in range(self._hedge.max_hedges):
                    self._start("at once")
            self._wait_for_answer()
            outcome = await self._first()
            is_answered = isinstance(outcome, Returned) and not self._ends.decision.reason
            return outcome
        except GeneratorExit:
            self._leave_alone()
            raise
        finally:
            self._is_over = True
            if self._timer is not None:
                self._timer.cancel()
            try:
                if self._live:
                    await self._lose()
            finally:
                if self._spender is not None:
                    self._spender.ended(world().monotonic(), succeeded=is_answered)
                self._answer = self._escaped = None  # their tracebacks may hold this frame

    async def _first(self) -> Outcome:
        """Return the first good outcome, or that of the call itself."""
        try:
            outcome = await self._inner(self._ends, self._task, self._ends.made)
        except BaseException as error:
            if not (self.disarm() and isinstance(error, asyncio.CancelledError)):
                raise
            return self._answered(self._elapsed())
        self.disarm()
        if self._answer is None and self._escaped is None and not self._ends.is_told:
            standing = self._standing(outcome, self._ends.decision)
            if standing == "accepted":
                self._latencies.record(self._elapsed())
                return outcome
            if standing == "failed":
                if self._spender is not None:
                    self._spender.failed(world().monotonic())
                self._start("failed")
            while self._live and self._answer is None and self._escaped is None:
                self._woken = self._loop.create_future()
                await self._woken
        if self._answer is None and self._escaped is None:
            return outcome
        return self._answered(None)

    def _answered(self, given_up_after: float | None) -> Outcome:
        """Return what a hedge came to, or raise what left it.

        Args:
            given_up_after: seconds after which the call itself was given up; None when it had failed.
        """
        if self._escaped is not None:
            raise self._escaped
        assert self._answer is not None
        if given_up_after is not None:
            self._latencies.record(given_up_after)
        outcome, self._ends.decision = self._answer
        return outcome

    # ------------------------------------------------------------------ hedges

    def _wait_for_answer(self) -> None:
        """Start the next hedge when no answer comes for so long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._delay and self._started < self._hedge.max_hedges:
            self._timer = self._loop.call_later(self._delay, self._start, "slow")

    def _start(self, cause: str) -> None:
        """Start a hedge, if there may be one more."""
        if self._is_over or self._answer is not None or self._started == self._hedge.max_hedges:
            return
        follower = self._ends.hedged(self._started + 1)
        if follower is None:
            self._wait_for_answer()  # there is no room for one now; there may be later
            return
        lane = Lane(self._started + 1, follower, self._loop.time())
        if self._spending is not None and not self._spending.take(world().monotonic()):
            self._started = self._hedge.max_hedges  # those on their way go on
            follower.left()
            return
        self._started += 1
        task = self._loop.create_task(self._run(lane), name=f"hedge {lane.number} of {self._task.get_name()}")
        self._live[task] = lane
        lane.task = task
        task.add_done_callback(partial(self._ended, lane))
        after = lane.began - self._began
        told = {"hedge": lane.number, "after": after, "cause": cause, "delay": self._delay}
        self._ends.note("hedge_started", told)
        self._wait_for_answer()

    async def _run(self, lane: Lane) -> Outcome | BaseException:
        """Make the call once more; what would stop the loop is handed to the caller."""
        try:
            return await self._inner(lane.ends, asyncio.current_task(), (0, 0))
        except (KeyboardInterrupt, SystemExit) as error:
            return error

    def _ended(self, lane: Lane, task: asyncio.Task[Outcome | BaseException]) -> None:
        """Take what a hedge came to; it is told also of one that was cancelled before its first step."""
        self._live.pop(task, None)
        lane.task = None
        self._give_back(lane)
        outcome = None if task.cancelled() else task.exception() or task.result()
        end, text = "cancelled", None
        if isinstance(outcome, BaseException):
            self._escaped = outcome
            text = full_text_of(outcome)
        elif outcome is not None:
            end = self._take(lane, outcome)
            error = error_of(outcome)
            text = None if error is None else full_text_of(error)
        told = {"hedge": lane.number, "seconds": self._loop.time() - lane.began, "end": end}
        self._ends.note(
            "hedge_ended", {**told, "attempts": lane.ends.attempts, "calls": lane.ends.calls, "error": text}
        )
        if end == "failed":
            self._start("failed")
        if self._answer is not None or self._escaped is not None:
            self._cancel_losers()
            self._wake()
        elif not self._live:
            self._wake()

    def _take(self, lane: Lane, outcome: Outcome) -> str:
        """Return how a hedge ended; the first good outcome is the answer."""
        standing = self._standing(outcome, lane.ends.decision)
        if standing != "accepted":
            return standing
        if self._is_over or self._answer is not None:
            return "late"
        if isinstance(outcome, Returned):
            seconds = self._elapsed()
            detail = {"hedge": lane.number, "seconds": seconds}
            reason = f"Hedge {lane.number} had the answer first, {spoken(seconds)} after the call began"
            outcome = StoodIn(outcome.value, "by hedge", reason, detail)
            self._answer = outcome, ENOUGH
        else:
            self._answer = outcome, lane.ends.decision
        return "won"

    def _standing(self, outcome: Outcome, decision: Decision) -> Standing:
        """Return what an outcome means; a predicate that fails leaves it to the caller to see that."""
        try:
            return self._hedge.standing(outcome, decision)
        except Exception as problem:  # noqa: BLE001 - a user's function may raise anything
            problem.add_note(f"asyncflow: raised by a function of the hedge that judged {outcome!r}")
            self._answer = Raised(problem), Enough(f"a function of the hedge raised {type(problem).__name__}")
            return "refused"

    def _wake(self) -> None:
        """Let the caller see what there is: by cancelling the call itself, or by ending its wait."""
        if self.task is not None:
            if not self.fired and (self._answer is not None or self._escaped is not None):
                self.ring()
        elif self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _cancel_losers(self) -> None:
        for lane in self._live.values():
            if not lane.fired:  # one that is cleaning up is not disturbed in it
                lane.ring()

    def _give_back(self, lane: Lane) -> None:
        if self._spending is not None:
            self._spending.give_back()
        lane.follower.left()

    def _leave_alone(self) -> None:
        """Part with what is still on its way when the call is closed, since then nobody can wait for it."""
        live, self._live = self._live, {}
        for lane in live.values():
            if self._loop.is_closed():  # which takes no more calls, that of `_ended` included
                self._give_back(lane)
            elif not lane.fired:
                lane.ring()

    async def _lose(self) -> None:
        """Cancel what is still on its way, and return when all of it has ended.

        Raises:
            CancelledError: when the caller was cancelled meanwhile.
        """
        cancelled: asyncio.CancelledError | None = None
        self._cancel_losers()
        while self._live:
            try:
                await asyncio.wait(self._live)
            except asyncio.CancelledError as again:
                cancelled = again
                for task in self._live:
                    task.cancel()
        if cancelled is not None:
            raise cancelled

    def _elapsed(self) -> float:
        return self._loop.time() - self._began
