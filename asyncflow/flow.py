"""`@flow` and `with Flow(...)`: two ways to write a flow, one Flow, one engine."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Token
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from asyncflow import ports
from asyncflow.binding import compile_check
from asyncflow.errors import InvalidFlow, UsageError, did_you_mean
from asyncflow.graph import Graph
from asyncflow.handles import Handle, Scope, scope
from asyncflow.parameters import Spec, check, nameless_parameter, specs_of
from asyncflow.recording import Recording, sketch
from asyncflow.task import FailureHandler, StateHandler, checked_handlers

if TYPE_CHECKING:
    from asyncflow.schedules import Schedule

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS = ("name", "schedule", "state_handlers", "on_failure", "fail_fast", "store")


class Flow(Generic[P, R]):
    """A declared flow: a function that calls tasks, or calls recorded in a `with` block.

    Args:
        name: shown to people; must not be empty.
        schedule: when `run` and `asyncflow serve` run it; one of `asyncflow.schedules`.
        state_handlers: functions `(flow_run, old, new)` called when the flow run's state changes.
        on_failure: a function `(flow_run, state)` called when the flow run fails.
        fail_fast: whether the first failed task cancels all others.
        store: where runs are kept: a path, `":memory:"` or a Store; memory when nothing says otherwise.
    """

    def __init__(
        self: Flow[..., None],
        name: str,
        schedule: Schedule | None = None,
        *,
        state_handlers: Sequence[StateHandler] | None = None,
        on_failure: FailureHandler | None = None,
        fail_fast: bool = False,
        store: Any = None,
    ) -> None:
        self.name = _checked_name(name)
        self.schedule = _checked_schedule(schedule)
        self.state_handlers = checked_handlers(state_handlers, InvalidFlow)
        self.on_failure = _checked_on_failure(on_failure)
        self.fail_fast = fail_fast
        self.store = store
        self._recording: Recording | None = Recording(name)
        self.fn: Callable[..., Any] = self._recording.replay
        self._token: Token[Scope | None] | None = None
        self._check: Callable[..., None] = _takes_nothing_by_position

    @classmethod
    def of(cls, fn: Callable[P, Any], options: Mapping[str, Any]) -> Flow[P, Any]:
        """Return the flow whose body is `fn`; `@flow` is the way to write it."""
        _check_options(options)
        if not callable(fn):
            raise InvalidFlow(f"@flow needs a function, not {fn!r}; options need names: @flow(name='etl')")
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            raise InvalidFlow(f"{fn!r} is a generator; a flow's body calls tasks and returns")
        name = options.get("name") or getattr(fn, "__name__", "").replace("_", " ")
        made = cast("Flow[P, Any]", cls(name, **{k: v for k, v in options.items() if k != "name"}))
        nameless = nameless_parameter(fn)
        if nameless is not None:
            raise InvalidFlow(
                f"flow {name!r} has the parameter {nameless!r}; a flow's parameters have names of their own, "
                "by which run and the command line give them"
            )
        made.fn = fn
        made._recording = None
        made._check = compile_check(fn, getattr(fn, "__name__", name))
        made.__doc__ = fn.__doc__
        return made

    # -------------------------------------------------------------- recording

    def __enter__(self) -> Flow[P, R]:
        if self._recording is None:
            raise InvalidFlow(
                f"flow {self.name!r} has a function as its body; nothing can be recorded into it"
            )
        if self._token is not None or isinstance(scope.get(), Recording):
            raise InvalidFlow(f"flow {self.name!r} can't be recorded inside another recording")
        self._token = scope.set(self._recording)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            scope.reset(self._token)
            self._token = None

    def set_reference_tasks(self, handles: Sequence[Handle[Any]]) -> None:
        """Let these tasks decide the flow's final state, instead of the terminal ones.

        Raises:
            InvalidFlow: when one of them is not part of this flow.
        """
        if self._recording is None:
            raise InvalidFlow(
                "a function's reference tasks are the handles that it returns, or "
                "asyncflow.current().set_reference_tasks([...]) inside its body"
            )
        self._recording.set_references(handles)

    # -------------------------------------------------------------- what it is

    @property
    def is_async(self) -> bool:
        """Whether the body is an `async def` function, which may await handles."""
        return inspect.iscoroutinefunction(self.fn)

    @property
    def parameters(self) -> Mapping[str, Spec]:
        """The flow's parameters by name."""
        return specs_of(self.fn) if self._recording is None else self._recording.parameters

    def graph(self) -> Graph:
        """Return the graph as far as it is known before a run.

        The body is called to see which tasks it calls, and no task is run; what else it does is done. An
        `async def` body that awaits is followed up to its first await.
        """
        return self._sketch().graph()

    def task_names(self) -> tuple[list[str], bool]:
        """Return the names of the tasks known before a run, and whether these are all of them."""
        recording = self._sketch()
        return list(dict.fromkeys(call.name for call in recording.calls)), recording.complete

    def _sketch(self) -> Recording:
        return self._recording or sketch(self.name, self.fn, self.parameters)

    def with_options(self, **options: Any) -> Flow[P, R]:
        """Return a copy with other options; the names are those of `Flow`."""
        _check_options(options)
        changed = copy.copy(self)
        changed.__dict__.update(options)
        changed.name = _checked_name(changed.name)
        changed.schedule = _checked_schedule(changed.schedule)
        changed.state_handlers = checked_handlers(changed.state_handlers, InvalidFlow)
        changed.on_failure = _checked_on_failure(changed.on_failure)
        return changed

    def __repr__(self) -> str:
        return f"<Flow {self.name!r}>"

    # -------------------------------------------------------------- running

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a run's parameters after checking their names.

        Raises:
            ParameterError: naming all that are missing or unexpected.
        """
        given = dict(given)
        if isinstance(given.get("parameters"), Mapping) and "parameters" not in self.parameters:
            given.update(given.pop("parameters"))
        check(self.name, self.parameters, given)
        return given

    def run(self, *, run_on_schedule: bool = True, **parameters: Any) -> ports.Run[R]:
        """Run the flow to its end and return the run; a failed flow raises nothing.

        A flow with a schedule is run at each of its fires, until it has no more; the last run is returned.

        Args:
            run_on_schedule: whether to follow the flow's schedule, if it has one, rather than to run it once
                and now.
            **parameters: the flow's parameters; those given here win over those of the schedule's clocks. The
                record keeps each as a short text, so give no secrets.

        Raises:
            ParameterError: when parameters are missing or unexpected.
            InvalidSchedule: when the schedule has no fire any more.
            UsageError: on a running event loop, where `await flow.start(...)` belongs.
        """
        self._refuse_running_loop()
        if self.schedule is not None and run_on_schedule:
            last: ports.Run[R] = ports.serving().run(self, parameters)
            return last
        run: ports.Run[R] = ports.engine().run(self, self.arguments(parameters))
        return run

    def _refuse_running_loop(self) -> None:
        if _loop_is_running():
            raise UsageError(
                f"flow {self.name!r}.run() would block the running event loop; "
                "use `run = await flow.start(...)` and `await run.wait()`"
            )

    async def follow(self, **parameters: Any) -> ports.Run[R]:
        """Run the flow at each fire of its schedule, on the running event loop, and return the last run.

        Cancelling the caller cancels the runs that are going on.

        Args:
            **parameters: the flow's parameters; those given here win over those of the schedule's clocks.

        Raises:
            ParameterError: when parameters are missing or unexpected.
            InvalidSchedule: when the flow has no schedule, or one that has no fire any more.
        """
        last: ports.Run[R] = await ports.serving().follow(self, parameters)
        return last

    async def start(self, **parameters: Any) -> ports.Run[R]:
        """Start the flow once and now, schedule or not, on the running event loop and return the run.

        Args:
            **parameters: the flow's parameters; the record keeps each as a short text, so give no secrets.

        Raises:
            ParameterError: when parameters are missing or unexpected.
        """
        run: ports.Run[R] = await ports.engine().start(self, self.arguments(parameters))
        return run

    def resume(
        self,
        run: Any,
        *,
        input: Any = None,
        tasks: Sequence[str] = (),
        store: Any = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> ports.Run[R]:
        """Go on with a paused run to its end, or to its next pause, and return the run.

        The body runs again from its beginning. Calls that were final have their recorded outcomes; what was
        paused runs, with `current().resumed` true and `current().input` as given here.

        Args:
            run: the run that paused, or its id or name.
            input: what the paused task runs are given.
            tasks: the keys of those that go on, such as `"approve"`; all that are paused when not given.
            store: what keeps the run, a store or a path; the run's own or the flow's when not given.
            parameters: what replaces the parameters that the run was started with.

        Raises:
            NotFound: when there is no such run.
            UsageError: when it is no run of this flow, or on a running event loop.
            StoreError: when it is not paused.
            Diverged: when the body makes other calls than the journal has; the run stays paused.
        """
        self._refuse_running_loop()
        told: dict[str, Any] = {"tasks": tasks, "store": store, "parameters": parameters}
        resumed: ports.Run[R] = ports.engine().resume(self, run, given=input, **told)
        return resumed

    async def start_resumed(
        self,
        run: Any,
        *,
        input: Any = None,
        tasks: Sequence[str] = (),
        store: Any = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> ports.Run[R]:
        """Go on with a paused run on the running event loop and return the run; see `resume`."""
        told: dict[str, Any] = {"tasks": tasks, "store": store, "parameters": parameters}
        resumed: ports.Run[R] = await ports.engine().start_resumed(self, run, given=input, **told)
        return resumed

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call the flow: a child run inside a run, else a coroutine (`async def`) or the value (`def`).

        Raises:
            UsageError: for a `def` body on a running event loop.
        """
        self._check(*args, **kwargs)
        if self._recording is not None:
            check(self.name, self.parameters, kwargs)
        found = scope.get()
        if found is not None:
            return found.call_flow(self, args, kwargs)
        parameters = self.bind(args, kwargs)
        if self.is_async:
            return ports.engine().call(self, parameters)
        self._refuse_running_loop()
        return ports.engine().run(self, self.arguments(parameters), quiet=True).result()

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name."""
        names = [name for name in self.parameters if name not in kwargs]
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def visualize(self, path: str | Path | None = None) -> Path:
        """Draw the flow's graph into a file and return its path.

        Args:
            path: where to; the suffix says how (`.svg`, `.pdf`, `.dot`, `.mmd`). Without it
                `<flow name>.pdf` in the current folder.
        """
        saved: Path = ports.drawer().save(self.graph(), path)
        return saved


def _check_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise InvalidFlow(f"unknown flow option {name!r}.{did_you_mean(name, _OPTIONS)}")


def _checked_name(name: Any) -> str:
    if not name or not isinstance(name, str):
        raise InvalidFlow(f"a flow needs a name, not {name!r}: Flow('my flow')")
    return name


def _checked_schedule(schedule: Schedule | None) -> Schedule | None:
    # By what it can do: the module of schedules is not imported for flows that have none.
    if schedule is not None and not callable(getattr(schedule, "next_fires", None)):
        raise InvalidFlow(
            f"schedule={schedule!r} is not a schedule; use IntervalSchedule(timedelta(minutes=1)) or another "
            "one of asyncflow.schedules"
        )
    return schedule


def _checked_on_failure(handler: FailureHandler | None) -> FailureHandler | None:
    if handler is not None and not callable(handler):
        raise InvalidFlow(f"on_failure={handler!r} is not callable; pass the function itself")
    return handler


def _takes_nothing_by_position(**_parameters: Any) -> None:
    """Check a call of a recorded flow: its parameters have names only."""


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Declare(Protocol):
    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Flow[P, R]: ...

    @overload
    def __call__(self, fn: Callable[P, R], /) -> Flow[P, R]: ...


@overload
def flow(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Flow[P, R]: ...


@overload
def flow(fn: Callable[P, R], /) -> Flow[P, R]: ...


@overload
def flow(
    *,
    name: str = "",
    schedule: Schedule | None = None,
    state_handlers: Sequence[StateHandler] | None = None,
    on_failure: FailureHandler | None = None,
    fail_fast: bool = False,
    store: Any = None,
) -> _Declare: ...


def flow(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a function that calls tasks as a flow; bare (`@flow`) or with the options of `Flow`.

    An `async def` body may await handles. A `def` body only wires them: it is wired whole before anything
    starts.

    Args:
        fn: the function.
        **options: the options of Flow; `name` is the function's name, with blanks, when not given.

    Returns:
        The Flow, or for `@flow(...)` what turns a function into one.
    """
    if fn is not None:
        return Flow.of(fn, options)
    return lambda body: Flow.of(body, options)
