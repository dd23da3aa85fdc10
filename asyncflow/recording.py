"""Recorded flows: calls noted down without running anything, to be replayed by each run or drawn.

`with Flow(...)` records what is called in its block; a sketch records what a flow's function calls, so that
the graph can be drawn before any run.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, NoReturn, cast

from asyncflow.binding import argument_names
from asyncflow.errors import InvalidFlow, UsageError
from asyncflow.graph import Edge, Graph, Node
from asyncflow.handles import Handle, find_handles, scope, source_of, substitute
from asyncflow.mapping import MapPlan, is_iterator
from asyncflow.parameters import Spec
from asyncflow.signals import Signal
from asyncflow.task import Task

if TYPE_CHECKING:
    from asyncflow.flow import Flow


class Call(Handle[Any]):
    """One recorded call of a task or child flow; `plan` says how a mapped task goes about its elements."""

    __slots__ = ("args", "kwargs", "number", "plan", "recording", "target", "upstream")

    def __init__(
        self,
        recording: Recording,
        target: Task[..., Any] | Flow[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        plan: MapPlan | None = None,
    ) -> None:
        self.recording = recording
        self.target = target
        self.args = args
        self.kwargs = kwargs
        self.plan = plan
        self.number = len(recording.calls) + 1
        self.upstream: list[Call] = []

    @property
    def name(self) -> str:
        """The name of the task or child flow."""
        return self.target.name

    @property
    def nout(self) -> int | None:
        """How many values the task declares."""
        return self.target.nout if isinstance(self.target, Task) and self.plan is None else None

    def again(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Handle[Any]:
        """Make the call again, in the scope of a run."""
        if self.plan is None or not isinstance(self.target, Task):
            return cast("Handle[Any]", self.target(*args, **kwargs))
        plan = self.plan
        return self.target.map(*args, max_running=plan.max_running, tolerate=plan.tolerate, **kwargs)

    def set_upstream(self, *others: Handle[Any]) -> None:
        """Start only after `others` are final; no data is passed."""
        for other in others:
            source = source_of(other)
            if not isinstance(source, Call) or source.recording is not self.recording:
                raise InvalidFlow(f"{other.name!r} is not part of flow {self.recording.name!r}")
            self.upstream.append(source)

    def __await__(self) -> Generator[Any, None, Any]:
        if self.recording.is_sketch:
            raise _ValueNeeded
        return super().__await__()

    def __repr__(self) -> str:
        return f"<call {self.number} of {self.name} in flow {self.recording.name!r}>"


class Parameter(Handle[Any]):
    """A value that is given when the flow is run: `size = Parameter("size", default=10)`.

    Args:
        name: the name under which `run` takes it.
        default: its value when `run` does not give it; without a default it is required.
    """

    __slots__ = ("spec",)

    def __init__(self, name: str, default: Any = inspect.Parameter.empty) -> None:
        self.spec = Spec(name, default)
        recording = scope.get()
        if isinstance(recording, Recording):
            recording.add_parameter(self)

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.spec.name

    def set_upstream(self, *others: Handle[Any]) -> NoReturn:
        """Refuse: a parameter has its value before anything starts."""
        del others
        raise UsageError(
            f"parameter {self.name!r} has its value before anything starts; order a task instead"
        )


class _ValueNeeded(BaseException):
    """Ends a sketch where the flow's body needs a value that only a run can give."""


class Recording:
    """The calls of one flow in order: a scope, while it is open.

    Args:
        name: the flow's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[Call] = []
        self.parameters: dict[str, Spec] = {}
        self.references: list[Call] | None = None
        self.complete = True
        self.is_sketch = False

    def call(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Note down a call of a task."""
        return self._add(task, args, kwargs)

    def map(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], plan: MapPlan) -> Call:
        """Note down a task that is mapped."""
        if not self.is_sketch and any(map(is_iterator, (*args, *kwargs.values()))):
            raise UsageError(
                f"{task.name}.map() was given an iterator in flow {self.name!r}, which can be run more than "
                "once, as an iterator can't; pass a list, or let a task make what is mapped over"
            )
        return self._add(task, args, kwargs, plan)

    def call_flow(self, flow: Flow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Note down a call of a child flow."""
        return self._add(flow, args, kwargs)

    def _add(
        self,
        target: Task[..., Any] | Flow[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        plan: MapPlan | None = None,
    ) -> Call:
        call = Call(self, target, args, kwargs, plan)
        for handle in self._sources((args, kwargs)):
            if isinstance(handle, Parameter):
                self.add_parameter(handle)
            elif not isinstance(handle, Call) or handle.recording is not self:
                raise InvalidFlow(f"{handle.name!r} is not part of flow {self.name!r}")
        self.calls.append(call)
        return call

    @staticmethod
    def _sources(arguments: Any) -> list[Handle[Any]]:
        found: list[Handle[Any]] = []
        find_handles(arguments, found)
        return [source_of(handle) for handle in found]

    def add_parameter(self, parameter: Parameter) -> None:
        """Take note of a parameter of the flow."""
        known = self.parameters.setdefault(parameter.name, parameter.spec)
        if known is not parameter.spec and known != parameter.spec:
            raise InvalidFlow(f"flow {self.name!r} has two parameters named {parameter.name!r}")

    def set_references(self, handles: Sequence[Handle[Any]]) -> None:
        """Let these calls decide the flow's final state."""
        calls = [source_of(handle) for handle in handles]
        for call in calls:
            if not isinstance(call, Call) or call.recording is not self:
                raise InvalidFlow(f"reference task {call.name!r} is not part of flow {self.name!r}")
        self.references = [call for call in calls if isinstance(call, Call)]

    def replay(self, **parameters: Any) -> None:
        """Make every recorded call again, in the scope of the run that is going on."""
        run: Any = scope.get()
        handles: list[Handle[Any]] = []

        def value_of(handle: Handle[Any]) -> Any:
            if isinstance(handle, Call):
                return handles[handle.number - 1]
            if handle.name in parameters:
                return parameters[handle.name]
            return self.parameters[handle.name].default

        for call in self.calls:
            args = [substitute(value, value_of) for value in call.args]
            kwargs = {name: substitute(value, value_of) for name, value in call.kwargs.items()}
            handles.append(call.again(args, kwargs))
        for call in self.calls:
            handles[call.number - 1].set_upstream(*(handles[other.number - 1] for other in call.upstream))
        if self.references is not None:
            run.set_reference_tasks([handles[call.number - 1] for call in self.references])

    def graph(self) -> Graph:
        """Return the recorded calls as a graph."""
        nodes = [
            Node(
                str(c.number),
                c.name if c.plan is None else f"{c.name} <map>",
                is_flow=not isinstance(c.target, Task),
            )
            for c in self.calls
        ]
        edges: dict[Edge, None] = {}
        for call in self.calls:
            data, order = self._edges_into(call)
            fed_by = {edge.source for edge in data}
            edges.update(dict.fromkeys(data))
            edges.update(dict.fromkeys(edge for edge in order if edge.source not in fed_by))
        return Graph(self.name, tuple(nodes), tuple(edges))

    def _edges_into(self, call: Call) -> tuple[list[Edge], list[Edge]]:
        """Return the edges that carry data into a call, and those that only order it."""
        fn = call.target.fn
        labels = argument_names(fn, call.args, call.kwargs)
        values = [*call.args, *call.kwargs.values()]
        data = [
            Edge(str(source.number), str(call.number), label)
            for label, value in zip(labels, values, strict=True)
            for source in self._sources(value)
            if isinstance(source, Call)
        ]
        order = [Edge(str(up.number), str(call.number), ordered_only=True) for up in call.upstream]
        return data, order


def sketch(name: str, fn: Callable[..., Any], specs: Mapping[str, Spec]) -> Recording:
    """Call a flow's function without running any task, and return what it called.

    Parameters take their defaults; those without one are stood in for by a handle. Where an `async def` body
    awaits a handle, or anything else, the sketch ends and is marked as incomplete. What it prints is not
    shown, since nothing is being run yet.
    """
    recording = Recording(name)
    recording.is_sketch = True
    arguments = {
        spec.name: Parameter(spec.name) if spec.required else spec.default for spec in specs.values()
    }
    token = scope.set(recording)
    try:
        with redirect_stdout(io.StringIO()):
            value = fn(**arguments)
            if inspect.iscoroutine(value):
                _drive(value)
    except _ValueNeeded:
        recording.complete = False
    except (Exception, Signal, SystemExit):  # noqa: BLE001 - a body may fail on a stand-in; what it wired until then is drawn
        recording.complete = False
    finally:
        scope.reset(token)
    return recording


def _drive(coroutine: Any) -> None:
    """Step a coroutine once; raise _ValueNeeded unless it came to its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise _ValueNeeded
