"""Frames for calls without an observer: one coroutine per call, written for the parts that its policy has.

Most calls are made once and return. What they need of a policy is a few comparisons and stores, so a frame
is put together from the source of those parts alone, as `dataclasses` puts together a method, and compiled
once for all policies that have the same parts. Whatever is not the plain course of things (a part that has
to be asked, a wait, an exception, a circuit that wants to hear of a success) is left to the general frame
and its functions: what policies mean is written there, and only there.
"""

from __future__ import annotations

import asyncio
import functools
import linecache
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, ParamSpec, Protocol, TypeVar

from asyncflow.ambient import current_world
from asyncflow.errors import AsyncflowError
from asyncflow.guard.deadlines import Alarm
from asyncflow.guard.flight import Flight, flight_of, let_in
from asyncflow.guard.found import Found
from asyncflow.guard.pipeline import NOT_RUN, Body, calling, go_on
from asyncflow.guard.plan import Plan
from asyncflow.guard.running import running_on
from asyncflow.guard.scopes import innermost
from asyncflow.outcomes import Again, Outcome, Returned
from asyncflow.policy.circuit import Permit
from asyncflow.policy.matching import failure_of

P = ParamSpec("P")
T = TypeVar("T")


class Caller(Protocol):
    """`call` of a policy: calls a coroutine function under it."""

    def __call__(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """Call `fn` with the arguments that follow it, once per attempt, and return its value."""


def protected(plan: Plan, fn: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a coroutine function that calls `fn` under the policies."""
    made: Callable[P, Coroutine[Any, Any, T]] = _maker(plan.parts, "")(plan, fn)
    return made


def caller(plan: Plan) -> Caller:
    """Return a coroutine function that calls its first argument under the policies."""
    made: Caller = _maker(plan.parts, "fn, /, ")(plan, None)
    return made


# -- what the frames call ----------------------------------------------------------------------------------


def value_of(outcome: Outcome) -> Any:
    """Return the value of an outcome or raise its exception."""
    if isinstance(outcome, Returned):
        return outcome.value
    error = failure_of(outcome)
    try:
        raise error
    finally:
        # The traceback holds this frame, which must not hold the error in turn.
        del error, outcome


def whole(
    plan: Plan, fn: Body, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, Outcome]:
    """Leave a whole call to the general frame, and find what the next one may need."""
    task = asyncio.current_task()
    with suppress(AsyncflowError):  # what can't be found is for the attempt to tell
        plan.find(task)
    return calling(plan, fn, args, kwargs, None, task)


def boarded(
    found: Found, *, permit: Permit | None = None, requests: int = 0, alarm: Alarm | None = None
) -> Flight:
    """Return the flight of an attempt that a compiled frame has made, for the general functions to judge.

    Args:
        found: the states of the policies.
        permit: what the circuit gave, None without a breaker.
        requests: the count of requests to cancel the asyncio task, before the attempt.
        alarm: its deadline; None when there is none, or none any more.
    """
    flight = flight_of(found, requests)
    flight.permit = permit
    flight.is_aboard = True
    if alarm is not None:
        flight.fired = alarm.fired
        flight.task, alarm.task = alarm.task, None
    return flight


# -- the source --------------------------------------------------------------------------------------------

# What stands behind `#:` says for which parts a line is there; a line without it always is.
_FRAME = """\
def make(plan, fn):
    async def guarded({first}*args, **kwargs):
        found = plan.found
        scope = innermost()
        circuit = found.circuit  #: breaker
        places = found.places  #: bulkhead
        if (
            (task := running_on(found.loop)) is None
            or (scope is not None and not scope.cuts(task))
            or found.world is not current_world()  #: breaker, rate limit, bulkhead, budget
            or not circuit.free  #: unwatched
            or places.taken >= places.limit  #: bulkhead
        ):
            return value_of(await whole(plan, fn, args, kwargs))
        limiter = found.limiter  #: rate limit
        now = found.world.monotonic()  #: rate limit
        due = limiter.tat  #: rate limit
        if due < now:  #: rate limit
            due = now  #: rate limit
        elif due - now > limiter.tolerance:  #: rate limit
            return value_of(await whole(plan, fn, args, kwargs))  #: rate limit
        permit = circuit.shortcut(circuit.clock())  #: watched
        if permit is None:  #: watched
            return value_of(await whole(plan, fn, args, kwargs))  #: watched
        limiter.tat = due + limiter.step  #: rate limit
        found.spending.entered()  #: budget
        permit = circuit.generation  #: unwatched
        places.taken += 1  #: bulkhead
        requests = task.cancelling()
        alarm = Alarm()  #: timeout
        alarm.fired = False  #: timeout
        alarm.requests = requests  #: timeout
        if scope is None or scope.fired or found.queue.end() < scope.at:  #: timeout
            alarm.task = task  #: timeout
            found.queue.arm(alarm)  #: timeout
        else:  #: timeout
            alarm.task = None  #: timeout
        try:
            value = await fn(*args, **kwargs)
        except BaseException as error:
            found.spending.left()  #: budget
            places.taken -= 1  #: bulkhead
            if places.waiting:  #: bulkhead
                let_in(places, found.world.monotonic())  #: bulkhead
            flight = boarded(
                found,
                permit=permit,  #: breaker
                requests=requests,
                alarm=alarm,  #: timeout
            )
            outcome = plan.outcome(error, flight, 1, NOT_RUN)
            if outcome is None:
                raise
        else:
            places.taken -= 1  #: bulkhead
            if places.waiting:  #: bulkhead
                let_in(places, found.world.monotonic())  #: bulkhead
            if alarm.fired:  #: timeout
                alarm.disarm()  #: timeout
            alarm.task = None  #: timeout
            found.spending.left()  #: budget
            found.spending.succeeded(found.world.monotonic())  #: budget
            if circuit.quiet:  #: breaker
                return value  #: breaker
            circuit.record(permit, "success", circuit.clock())  #: praise
            return value  #: not critic
            flight = boarded(found, permit=permit)  #: critic
            outcome = Returned(value)  #: critic
        course = None  #: not memory
        course = plan.course()  #: memory
        try:
            outcome, decision = plan.judge(flight, flight.requests, outcome, 1, course, None)
            if isinstance(decision, Again):
                outcome = await go_on(plan, fn, args, kwargs, outcome, decision, course)
            return value_of(outcome)
        finally:
            del outcome  # its error's traceback may hold this frame: no cycle
            course.end()  #: memory
    return guarded
"""

_PLAIN = """\
def make(plan, fn):
    async def guarded({first}*args, **kwargs):
        return value_of(await whole(plan, fn, args, kwargs))
    return guarded
"""

_NAMES = (Alarm, Again, Returned, boarded, go_on, let_in, running_on, value_of, whole)
_SCOPE: dict[str, Any] = {
    **{name.__name__: name for name in _NAMES},
    "NOT_RUN": NOT_RUN,
    "current_world": current_world,
    "innermost": innermost,
}


@functools.cache
def _maker(parts: frozenset[str], first: str) -> Callable[[Plan, Body | None], Any]:
    """Return the function that makes a frame for a plan with these parts.

    Args:
        parts: the parts; none of them for a call that is the general frame's from the beginning.
        first: what stands before the body's own arguments.
    """
    source = source_of(parts).format(first=first)
    file = f"<asyncflow frame: {', '.join(sorted(parts)) or 'general'}{', call' if first else ''}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # for tracebacks
    made: dict[str, Any] = {}
    exec(compile(source, file, "exec"), _SCOPE, made)
    make: Callable[[Plan, Body | None], Any] = made["make"]
    return make


def source_of(parts: frozenset[str]) -> str:
    """Return the source of a frame: the lines that one of the parts needs."""
    lines = (_FRAME if parts else _PLAIN).splitlines()
    return "".join(f"{line.partition('  #: ')[0]}\n" for line in lines if _is_needed(line, parts))


def _is_needed(line: str, parts: frozenset[str]) -> bool:
    _, marked, who = line.partition("  #: ")
    if who.startswith("not "):
        return who.removeprefix("not ") not in parts
    return not marked or not parts.isdisjoint(who.split(", "))
