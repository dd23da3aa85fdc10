"""Handles: what a call of a task gives back, and the scope in which calls are legal.

A handle stands for a value that does not exist yet. It may be awaited, passed on as an argument, or put
inside lists, tuples, dict values and dataclass fields; it can't be looked into.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Generator, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, cast

from asyncflow.errors import HandleMisuse, NotInFlow

if TYPE_CHECKING:
    from asyncflow.flow import Flow
    from asyncflow.mapping import MapPlan
    from asyncflow.task import Task

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Scope(Protocol):
    """Where tasks and flows may be called: a flow run, or a flow that is being recorded."""

    def call(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle[Any]:
        """Take note of a call of a task and return its handle."""

    def map(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], plan: MapPlan
    ) -> Handle[Any]:
        """Take note of a task that is mapped over its arguments and return the handle of all of it."""

    def call_flow(self, flow: Flow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle[Any]:
        """Take note of a call of a child flow and return its handle."""


scope: ContextVar[Scope | None] = ContextVar("asyncflow_scope", default=None)
"""Who takes calls in this context; None outside flows."""


def current() -> Any:
    """Return the task run (inside a task's body) or the flow run (inside a flow's body) that is executing.

    Raises:
        NotInFlow: outside both.
    """
    found = scope.get()
    if found is None:
        raise NotInFlow("current() has an answer only inside the body of a task or flow that is being run")
    return found


def log_context() -> dict[str, Any]:
    """Return where a log line belongs: flow, run, task and attempt inside a run, nothing outside."""
    describe = getattr(scope.get(), "log_context", None)
    return {} if describe is None else describe()


class Handle(Generic[T_co]):
    """A value to come; made by calling a task or a child flow inside a flow."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name of what was called."""
        raise AssertionError("every kind of handle has a name")

    @property
    def nout(self) -> int | None:
        """How many handles iterating over this one gives; None when that is not known."""
        return None

    @property
    def later(self) -> T_co:
        """The same handle, typed as its value, so that typed code may pass it on: `parse(raw.later)`."""
        return cast("T_co", self)

    def set_upstream(self, *others: Handle[Any]) -> None:
        """Start only after `others` are final; no data is passed.

        Raises:
            LateEdge: when this one has already started.
        """
        raise AssertionError(f"every kind of handle can be ordered after {others}")

    def set_downstream(self, *others: Handle[Any]) -> None:
        """Let `others` start only after this one is final; no data is passed."""
        for other in others:
            other.set_upstream(self)

    def __await__(self) -> Generator[Any, None, T_co]:
        raise HandleMisuse(f"{self.name!r} can't be awaited while its flow is only being wired")

    def __getitem__(self, key: Any) -> Handle[Any]:
        return Item(self, key)

    def __iter__(self) -> Iterator[Handle[Any]]:
        if self.nout is None:
            raise HandleMisuse(
                f"the number of values of {self.name!r} is not known before it ran; declare it with "
                "@task(nout=2) or a tuple return annotation, or write `async def` and await the handle"
            )
        return iter([Item(self, index) for index in range(self.nout)])

    def __bool__(self) -> NoReturn:
        self._refuse("asked for its truth")

    def __len__(self) -> NoReturn:
        self._refuse("asked for its length")

    def __contains__(self, _item: object) -> NoReturn:
        self._refuse("searched")

    def __eq__(self, other: object) -> bool:
        """Handles are told apart by identity; the value of one can't be compared before it is there."""
        return self is other if isinstance(other, Handle) else self._refuse("compared with a value")

    __hash__ = object.__hash__

    def _no_operator(self, *_others: object) -> NoReturn:
        self._refuse("used with an operator")

    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __matmul__ = _no_operator
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _no_operator
    __or__ = __and__ = __xor__ = __lt__ = __le__ = __gt__ = __ge__ = __neg__ = _no_operator

    def _refuse(self, what: str) -> NoReturn:
        raise HandleMisuse(
            f"the handle of {self.name!r} can't be {what}, since it stands for a value to come; "
            "write the flow as `async def` and await the handle"
        )


class Item(Handle[Any]):
    """One element of a handle's value: `handle["key"]`."""

    __slots__ = ("base", "key")

    def __init__(self, base: Handle[Any], key: Any) -> None:
        self.base = base
        self.key = key

    @property
    def name(self) -> str:
        """The name of the base with the key in brackets."""
        return f"{self.base.name}[{self.key!r}]"

    def set_upstream(self, *others: Handle[Any]) -> None:
        """Order the call that this element comes from."""
        self.base.set_upstream(*others)

    def pick(self, value: Any) -> Any:
        """Return the element of the base's value."""
        return value[self.key]

    def __await__(self) -> Generator[Any, None, Any]:
        return self.pick((yield from self.base.__await__()))


def source_of(handle: Handle[Any]) -> Handle[Any]:
    """Return the handle that has to be final before `handle` has a value."""
    while isinstance(handle, Item):
        handle = handle.base
    return handle


# ------------------------------------------------------------------ handles inside arguments

PLAIN = frozenset((str, int, float, bool, bytes, type(None)))
"""Types of values that can't hold a handle, for a quick look before `find_handles`."""


def find_handles(value: Any, found: list[Handle[Any]], seen: set[int] | None = None) -> None:
    """Append to `found` the handles in `value`: itself, or in containers, in order.

    Args:
        value: an argument.
        found: where they go.
        seen: ids of the containers on the way, since a container may hold itself.
    """
    if type(value) in PLAIN:
        return
    if isinstance(value, Handle):
        found.append(value)
        return
    parts = _parts(value)
    if parts is None:
        return
    seen = seen or set()
    if id(value) in seen:
        return
    seen.add(id(value))
    for part in parts:
        if type(part) not in PLAIN:
            find_handles(part, found, seen)


def _parts(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, dict):
        return value.values()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, name, None) for name in value.__dataclass_fields__]
    return None


def substitute(value: Any, value_of: Callable[[Handle[Any]], Any]) -> Any:
    """Return `value` with each handle in it replaced; what holds no handle is returned as the same object.

    Dataclasses are copied without running `__init__` or `__post_init__` again.
    """
    if isinstance(value, Handle):
        return value.pick(substitute(value.base, value_of)) if isinstance(value, Item) else value_of(value)
    found: list[Handle[Any]] = []
    find_handles(value, found)
    return _rebuild(value, value_of) if found else value


def _rebuild(value: Any, value_of: Callable[[Handle[Any]], Any]) -> Any:
    if isinstance(value, dict):
        changed = copy.copy(value)
        for key, part in value.items():
            changed[key] = substitute(part, value_of)
        return changed
    if isinstance(value, (list, tuple)):
        parts = [substitute(part, value_of) for part in value]
        if hasattr(value, "_make"):
            return value._make(parts)
        return type(value)(parts)
    changed = copy.copy(value)
    for name in value.__dataclass_fields__:
        if hasattr(value, name):
            object.__setattr__(changed, name, substitute(getattr(value, name), value_of))
    return changed
