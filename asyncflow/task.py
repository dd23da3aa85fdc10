"""`@task`: declares a function as a task. A declaration is an immutable value; nothing runs here."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from asyncflow.binding import accepted_names, compile_check, compile_inputs
from asyncflow.errors import InvalidTask, NotInFlow
from asyncflow.guard.policy import Policy
from asyncflow.handles import Handle, scope
from asyncflow.mapping import WINDOW, MapPlan, check_inputs
from asyncflow.options import FailureHandler, StateHandler, fields_from
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.bulkhead import Bulkhead
from asyncflow.policy.fallback import Fallback
from asyncflow.policy.hedge import Hedge
from asyncflow.policy.rate_limit import RateLimit
from asyncflow.policy.retry import Retry
from asyncflow.policy.seconds import Seconds
from asyncflow.policy.slots import Resource, Uses
from asyncflow.policy.throttle import Throttle
from asyncflow.rollback import PATIENCE, Rollback
from asyncflow.travel import address_of
from asyncflow.triggers import Trigger, all_successful, manual_only

if TYPE_CHECKING:
    from asyncflow.caching.options import CacheKeyOption, Caching
    from asyncflow.caching.recipe import Recipe
    from asyncflow.caching.validators import Validator

P = ParamSpec("P")
R = TypeVar("R")
H = TypeVar("H")


@dataclass(frozen=True, eq=False)
class Task(Generic[P, R]):
    """A declared function with its policies; call it inside a flow.

    Attributes:
        fn: the function itself; `task.fn(...)` calls it as plain Python.
        name: shown to people, part of the task run's key.
        policy: what stands between a task run and its body.
        trigger: asked with the upstream states before the body may run.
        skip_on_upstream_skip: whether a skip upstream skips this task too.
        state_handlers: called at every change of state, each with what the one before it returned.
        on_failure: called for a final failure.
        nout: how many values the result has, so that a handle can be unpacked.
        key: names this call inside its flow run, for calls made from other asyncio tasks.
        validate: whether arguments and result are checked against their annotations.
        cache: how its results are kept; None when they are not.
        recipe: makes the keys by which its results are found again; None without `cache`.
        tags: words by which a flow's limits find the task.
        uses: the resources that an attempt takes slots of, each with how many.
        rollback: what undoes the task's effect when the flow run fails.
        heartbeat: seconds within which an attempt has to beat; None when it need not.
        process: whether each attempt runs in a process of its own.
    """

    fn: Callable[..., Any]
    name: str = ""
    policy: Policy = field(default_factory=Policy)
    trigger: Trigger = all_successful
    skip_on_upstream_skip: bool = True
    state_handlers: tuple[StateHandler, ...] = ()
    on_failure: FailureHandler | None = None
    nout: int | None = None
    key: str | None = None
    validate: bool = False
    cache: Caching | None = None
    tags: tuple[str, ...] = ()
    uses: tuple[tuple[Resource, int], ...] = ()
    rollback: Rollback | None = None
    heartbeat: float | None = None
    process: bool = False
    is_async: bool = field(init=False, repr=False)
    is_plain: bool = field(init=False, repr=False)
    has_handlers: bool = field(init=False, repr=False)
    is_attended: bool = field(init=False, repr=False)
    recipe: Recipe | None = field(init=False, repr=False)
    is_particular: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise InvalidTask(
                f"@task needs a function, not {self.fn!r}; options need names: @task(timeout=3)"
            )
        if inspect.isgeneratorfunction(self.fn) or inspect.isasyncgenfunction(self.fn):
            raise InvalidTask(
                f"{self.fn.__name__!r} is a generator; a task returns one value, such as a list"
            )
        for option, value in (("trigger", self.trigger), ("on_failure", self.on_failure)):
            if value is not None and not callable(value):
                raise InvalidTask(f"{option}={value!r} is not callable; pass the function itself")
        if not self.name:
            object.__setattr__(self, "name", getattr(self.fn, "__name__", type(self.fn).__name__))
        if self.nout is None:
            object.__setattr__(self, "nout", _nout_of(self.fn))
        elif self.nout < 0:
            raise InvalidTask(f"nout={self.nout!r} must be 0 or more")
        # Instance attributes rather than methods: read once per call.
        object.__setattr__(self, "is_async", _is_async(self.fn))
        if self.process:
            address_of(self.fn)  # which says now what a child process would not find
        is_plain = self.is_async and not self.process and not self.validate and self.heartbeat is None
        object.__setattr__(self, "is_plain", is_plain)
        object.__setattr__(self, "has_handlers", bool(self.state_handlers) or self.on_failure is not None)
        object.__setattr__(
            self, "is_attended", self.has_handlers or self.cache is not None or self.trigger is manual_only
        )
        object.__setattr__(self, "recipe", self._recipe())
        self._set_rollback(self.rollback)
        object.__setattr__(self, "check", compile_check(self.fn, self.name))
        object.__setattr__(self, "__doc__", self.fn.__doc__)
        object.__setattr__(self, "__wrapped__", self.fn)
        object.__setattr__(self, "__name__", self.name)

    def _recipe(self) -> Recipe | None:
        if self.cache is None:
            return None
        from asyncflow.caching.recipe import Recipe  # here, since most programs cache nothing

        return Recipe(self.fn, self.name, self.cache, compile_inputs(self.fn), accepted_names(self.fn))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Take note of a call inside a flow and return its handle at once.

        Raises:
            NotInFlow: outside flows and inside the bodies of tasks.
            TypeError: when names or number of the arguments are wrong.
        """
        found = scope.get()
        if found is None:
            raise self._outside()
        self.check(*args, **kwargs)  # type: ignore[attr-defined]  # set in __post_init__
        return found.call(self, args, kwargs)

    def map(
        self, *args: Any, max_running: int = WINDOW, tolerate: float = 0, **kwargs: Any
    ) -> Handle[list[R]]:
        """Run the task for each element of its arguments, and return one handle for all of it.

        An argument is a list or another iterable, an iterator or an async iterator, which is consumed as the
        window moves, or a handle; the handle of another map is followed element by element, without waiting
        for its end. `unmapped(value)` gives every element the same value.

        Awaiting the handle gives the values of the elements that succeeded, in order; `.children` tells of
        all of them.

        Args:
            *args: what the positional parameters are mapped over.
            max_running: how many elements are in flight at once, those that wait for a retry included.
            tolerate: how many elements may fail before the whole counts as failed: a count, or a share such
                as 0.05.
            **kwargs: what the named parameters are mapped over.

        Raises:
            NotInFlow: outside flows and inside the bodies of tasks.
            TypeError: when names or number of the arguments are wrong.
            UsageError: when an argument can't be mapped over, when lengths differ, or for an option that is
                out of range.
        """
        found = scope.get()
        if found is None:
            raise self._outside()
        self.check(*args, **kwargs)  # type: ignore[attr-defined]  # set in __post_init__
        check_inputs(self.name, args, kwargs)
        return found.map(self, args, kwargs, MapPlan(max_running, tolerate))

    def _outside(self) -> NotInFlow:
        return NotInFlow(
            f"task {self.name!r} was called outside a flow; call it inside a flow's body, "
            f"or call the plain function with {self.name}.fn(...)"
        )

    def after(self, *upstream: Handle[Any]) -> Callable[P, Handle[R]]:
        """Return the task so that its next call starts only after `upstream` are final."""

        def call(*args: P.args, **kwargs: P.kwargs) -> Handle[R]:
            handle = self(*args, **kwargs)
            handle.set_upstream(*upstream)
            return handle

        return call

    @overload
    def on_rollback(self, hook: Callable[Concatenate[R, P], H], /) -> Callable[Concatenate[R, P], H]: ...

    @overload
    def on_rollback(
        self, *, retry: Retry | int | None = None, timeout: Seconds | None = PATIENCE
    ) -> Callable[[Callable[Concatenate[R, P], H]], Callable[Concatenate[R, P], H]]: ...

    def on_rollback(
        self, hook: Any = None, *, retry: Retry | int | None = None, timeout: Seconds | None = PATIENCE
    ) -> Any:
        """Declare a function as what undoes this task's effect when the flow run fails or is cancelled.

        It is called as `hook(result, *args, **kwargs)` for each run of the task that succeeded, after all
        tasks have ended, the newest first, one after the other, and can't be cancelled. Use it right after
        the task, bare or with options: a copy that `with_options` made before has no hook.

        Args:
            hook: the function, sync or async; it is returned as it is.
            retry: when the hook is tried again; a whole number is short for `Retry(number)`.
            timeout: seconds that one attempt of the hook may take; None for as long as it likes.

        Raises:
            InvalidTask: when the task has a hook already, or the function can't take what it is given.
        """

        def declare(hook: Any) -> Any:
            if self.rollback is not None:
                raise InvalidTask(f"task {self.name!r} has a rollback hook already: {self.rollback.name!r}")
            self._set_rollback(Rollback(hook, retry, timeout))
            return hook

        return declare if hook is None else declare(hook)

    def _set_rollback(self, rollback: Rollback | None) -> None:
        """Take a hook; the one thing of a declaration that may follow it, as a decorator under the task."""
        if rollback is not None:
            rollback.check(self.fn, self.name)
        object.__setattr__(self, "rollback", rollback)
        particular = self.key is not None or bool(self.tags or self.uses) or rollback is not None
        object.__setattr__(self, "is_particular", particular)

    def with_options(self, **options: Any) -> Task[P, R]:
        """Return a copy with other options; the names are those of `@task`.

        Raises:
            InvalidTask: for an unknown option.
        """
        return dataclasses.replace(self, **fields_from(options, self.policy, self.cache))

    def __repr__(self) -> str:
        return f"<Task {self.name}>"


def _is_async(fn: Callable[..., Any]) -> bool:
    called = getattr(fn, "__call__", None)  # noqa: B004 - an object with an async __call__
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(called)


def _nout_of(fn: Callable[..., Any]) -> int | None:
    """Return the length of a fixed-length tuple annotation, or None."""
    if "return" not in getattr(fn, "__annotations__", {}):
        return None
    try:
        hint = get_type_hints(fn).get("return")
    except Exception:  # noqa: BLE001 - annotations may name what exists only for type checkers
        return None
    args = get_args(hint)
    if get_origin(hint) is not tuple or Ellipsis in args:
        return None
    return len(args)


class _Declare:
    """What `@task(...)` with options gives: it turns a function into a task with them."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...

    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...

    def __call__(self, fn: Callable[..., Any], /) -> Task[..., Any]:
        return Task(fn, **fields_from(self._options, Policy()))


@overload
def task(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    name: str = "",
    retry: Retry | int | None = None,
    timeout: float | timedelta | None = None,
    breaker: Breaker | None = None,
    rate_limit: RateLimit | None = None,
    bulkhead: Bulkhead | None = None,
    throttle: Throttle | None = None,
    deadline: float | timedelta | None = None,
    hedge: Hedge | float | timedelta | None = None,
    fallback: Fallback | None = None,
    when_rejected: Literal["fail", "wait"] | None = None,
    policy: Policy | None = None,
    max_retries: int | None = None,
    retry_delay: float | timedelta | None = None,
    trigger: Trigger = all_successful,
    skip_on_upstream_skip: bool = True,
    state_handlers: Sequence[StateHandler] | None = None,
    on_failure: FailureHandler | None = None,
    nout: int | None = None,
    key: str | None = None,
    validate: bool = False,
    cache_for: float | timedelta | None = None,
    cache_key: CacheKeyOption | None = None,
    cache_validator: Validator | None = None,
    stale_if_error: float | timedelta = 0.0,
    tags: Sequence[str] | None = None,
    uses: Uses | None = None,
    rollback: Rollback | Callable[..., Any] | None = None,
    heartbeat: float | timedelta | None = None,
    process: bool = False,
) -> _Declare: ...


def task(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a function as a task.

    `async def` bodies run on the event loop, `def` bodies in a thread of their own, and with `process=True`
    both in a process. Use it bare (`@task`) or with options.

    Args:
        fn: the function.
        **options: the task's options, by name:
            name: shown to people; the function's name when not given.
            retry: a Retry, or how many attempts in all.
            timeout: seconds that one attempt may take.
            breaker, rate_limit, bulkhead, throttle: what its attempts have to pass.
            deadline: seconds that all attempts and waits of a call may take together.
            hedge: when the call is made once more beside itself; a Hedge, or after how many seconds.
            fallback: what stands in for a failure.
            when_rejected: `fail` at once or `wait` when an attempt is refused; by default it waits when there
                is a deadline and the wait fits.
            policy: a whole Policy instead of the options above.
            max_retries, retry_delay: a short form of retry with a constant delay in seconds.
            trigger: asked with the upstream states; `triggers.all_successful` when not given.
            skip_on_upstream_skip: whether a skip upstream skips this task too; True when not given.
            state_handlers: functions `(task_run, old, new)` called at every change of state.
            on_failure: a function `(task_run, state)` called for a final failure.
            nout: how many values the result has, so that its handle can be unpacked.
            key: names the call where call order can't.
            validate: whether arguments and result are checked against their annotations.
            cache_for: for how many seconds a result is kept and stands in for the body.
            cache_key: a name under which tasks share their entries, or a function of the task's arguments
                whose value has to be the same; without it an entry belongs to the task and its code.
            cache_validator: which arguments or flow parameters have to be the same, a rule of
                `asyncflow.caching`; `all_inputs` when not given.
            stale_if_error: for how many more seconds an expired entry stands in when computing fails.
            tags: words by which a flow's limits find the task.
            uses: a Resource that an attempt takes a slot of, several of them, or `{resource: slots}`.
            rollback: the function that undoes the task's effect when the flow run fails, or a Rollback; the
                same as `on_rollback`.
            heartbeat: seconds within which an attempt has to call `current().heartbeat()` again.
            process: whether each attempt runs in a process of its own, which is ended with it.

    Returns:
        The Task, or for `@task(...)` what turns a function into one.

    Raises:
        InvalidTask: when options contradict each other.
        InvalidPolicy: when a policy's setting is out of range.
    """
    declare = _Declare(options)
    return declare if fn is None else declare(fn)
