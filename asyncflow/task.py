"""`@task`: declares a function as a task. A declaration is an immutable value; nothing runs here."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar, get_args, get_origin, get_type_hints, overload

from asyncflow.binding import compile_check
from asyncflow.errors import AsyncflowError, InvalidTask, NotInFlow, did_you_mean
from asyncflow.guard.policy import Policy
from asyncflow.handles import Handle, scope
from asyncflow.policy.backoff import constant
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.retry import Retry
from asyncflow.triggers import Trigger, all_successful, manual_only

P = ParamSpec("P")
R = TypeVar("R")

StateHandler = Callable[[Any, Any, Any], Any]
"""`handler(obj, old, new)`, sync or async; a State that it returns replaces the new one."""

FailureHandler = Callable[[Any, Any], Any]
"""`on_failure(obj, state)`, called once for a final failure."""


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
    is_async: bool = field(init=False, repr=False)
    has_handlers: bool = field(init=False, repr=False)

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
        handled = bool(self.state_handlers) or self.on_failure is not None
        # Somebody has a say in its moves: a handler, or whoever resumes it.
        object.__setattr__(self, "has_handlers", handled or self.trigger is manual_only)
        object.__setattr__(self, "check", compile_check(self.fn, self.name))
        object.__setattr__(self, "__doc__", self.fn.__doc__)
        object.__setattr__(self, "__wrapped__", self.fn)
        object.__setattr__(self, "__name__", self.name)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Take note of a call inside a flow and return its handle at once.

        Raises:
            NotInFlow: outside flows and inside the bodies of tasks.
            TypeError: when names or number of the arguments are wrong.
        """
        found = scope.get()
        if found is None:
            raise NotInFlow(
                f"task {self.name!r} was called outside a flow; call it inside a flow's body, "
                f"or call the plain function with {self.name}.fn(...)"
            )
        self.check(*args, **kwargs)  # type: ignore[attr-defined]  # set in __post_init__
        return found.call(self, args, kwargs)

    def after(self, *upstream: Handle[Any]) -> Callable[P, Handle[R]]:
        """Return the task so that its next call starts only after `upstream` are final."""

        def call(*args: P.args, **kwargs: P.kwargs) -> Handle[R]:
            handle = self(*args, **kwargs)
            handle.set_upstream(*upstream)
            return handle

        return call

    def with_options(self, **options: Any) -> Task[P, R]:
        """Return a copy with other options; the names are those of `@task`.

        Raises:
            InvalidTask: for an unknown option.
        """
        return dataclasses.replace(self, **_fields_from(options, self.policy))

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


_POLICY_OPTIONS = frozenset(("retry", "timeout", "breaker", "when_rejected"))
_OWN_OPTIONS = (
    "name",
    "policy",
    "trigger",
    "skip_on_upstream_skip",
    "state_handlers",
    "on_failure",
    "nout",
    "key",
    "validate",
)


def _fields_from(options: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """Turn the options of `@task` into fields of Task: policy keywords are folded into the policy."""
    known = (*_OWN_OPTIONS, *sorted(_POLICY_OPTIONS), "max_retries", "retry_delay")
    for name in options:
        if name not in known:
            raise InvalidTask(f"unknown task option {name!r}.{did_you_mean(name, known)}")
    options = _with_retry_shorthand(options)
    if options.get("policy", policy) is None:
        options["policy"] = Policy()
    changes = {name: value for name, value in options.items() if name in _POLICY_OPTIONS}
    fields = {name: value for name, value in options.items() if name in _OWN_OPTIONS}
    if changes and "policy" in fields:
        raise InvalidTask(f"policy= already says all of it; leave out {', '.join(changes)}")
    if changes:
        fields["policy"] = policy.replace(**changes)
    if "state_handlers" in fields:
        fields["state_handlers"] = checked_handlers(fields["state_handlers"], InvalidTask)
    return fields


def _with_retry_shorthand(options: dict[str, Any]) -> dict[str, Any]:
    """Understand `max_retries=2, retry_delay=timedelta(seconds=1)` as `retry=Retry(3, delay=constant(1))`."""
    given = {name for name in ("max_retries", "retry_delay") if options.get(name) is not None}
    if not given:
        return {name: value for name, value in options.items() if name not in ("max_retries", "retry_delay")}
    if len(given) == 1:
        raise InvalidTask("max_retries and retry_delay belong together; or write retry=Retry(3, delay=...)")
    if options.get("retry") is not None:
        raise InvalidTask("retry= already says all of it; leave out max_retries and retry_delay")
    rest = {name: value for name, value in options.items() if name not in given}
    return {**rest, "retry": Retry(options["max_retries"] + 1, delay=constant(options["retry_delay"]))}


def checked_handlers(
    handlers: Sequence[StateHandler] | None, refusal: type[AsyncflowError]
) -> tuple[StateHandler, ...]:
    """Return state handlers as a tuple.

    Args:
        handlers: what was given.
        refusal: what is raised when one of them can't be called.
    """
    for handler in handlers or ():
        if not callable(handler):
            raise refusal(f"state handler {handler!r} is not callable; pass the function itself")
    return tuple(handlers or ())


class _Declare:
    """What `@task(...)` with options gives: it turns a function into a task with them."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...

    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...

    def __call__(self, fn: Callable[..., Any], /) -> Task[..., Any]:
        return Task(fn, **_fields_from(self._options, Policy()))


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
    when_rejected: str = "fail",
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
) -> _Declare: ...


def task(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a function as a task.

    `async def` bodies run on the event loop, `def` bodies in a thread of their own. Use it bare (`@task`) or
    with options.

    Args:
        fn: the function.
        **options: the task's options, by name:
            name: shown to people; the function's name when not given.
            retry: a Retry, or how many attempts in all.
            timeout: seconds that one attempt may take.
            breaker: the circuit breaker that its attempts pass.
            when_rejected: `fail` at once or `wait` when the breaker refuses.
            policy: a whole Policy instead of the four above.
            max_retries, retry_delay: a short form of retry with a constant delay in seconds.
            trigger: asked with the upstream states; `triggers.all_successful` when not given.
            skip_on_upstream_skip: whether a skip upstream skips this task too; True when not given.
            state_handlers: functions `(task_run, old, new)` called at every change of state.
            on_failure: a function `(task_run, state)` called for a final failure.
            nout: how many values the result has, so that its handle can be unpacked.
            key: names the call where call order can't.
            validate: whether arguments and result are checked against their annotations.

    Returns:
        The Task, or for `@task(...)` what turns a function into one.

    Raises:
        InvalidTask: when options contradict each other.
        InvalidPolicy: when a policy's setting is out of range.
    """
    declare = _Declare(options)
    return declare if fn is None else declare(fn)
