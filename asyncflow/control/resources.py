"""Resource managers: what is set up before the tasks that use it, and cleaned up whatever became of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, overload

from asyncflow.control.blocks import behind, scope_for
from asyncflow.errors import InvalidTask
from asyncflow.handles import Block, Handle, Scope, innermost
from asyncflow.signals import SKIP
from asyncflow.states import State
from asyncflow.task import Task

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

CLEANUP_TIMEOUT = 60.0
"""Seconds that an attempt of a cleanup may take unless its manager says otherwise."""


@dataclass(frozen=True, eq=False)
class Setup(Task[P, R]):
    """The task that sets a resource up; one that is running is not cancelled with its flow at once."""

    grace: ClassVar[float] = 60.0
    """Seconds that it may still take to come to its end when its flow is cancelled."""


@dataclass(frozen=True, eq=False)
class Cleanup(Task[P, R]):
    """The task that cleans a resource up: not cancelled with its flow, and no reference task."""


class _AsyncManager(Protocol[R_co]):
    def setup(self) -> Coroutine[Any, Any, R_co]: ...

    def cleanup(self, resource: Any, /) -> Any: ...


class _Manager(Protocol[R_co]):
    def setup(self) -> R_co: ...

    def cleanup(self, resource: Any, /) -> Any: ...


class ResourceManager(Generic[P, R]):
    """What `@resource_manager` makes of a class: call it in a flow, in a `with` statement.

    Args:
        cls: the class, with the methods `setup()` and `cleanup(resource)`.
        name: of the task that makes an instance; the other two are `<name>.setup` and `<name>.cleanup`.
        setup: options of `@task` for the setup.
        cleanup: options of `@task` for the cleanup.
    """

    def __init__(
        self,
        cls: Callable[P, Any],
        name: str = "",
        setup: Mapping[str, Any] | None = None,
        cleanup: Mapping[str, Any] | None = None,
    ) -> None:
        self.cls = cls
        self.name = name or getattr(cls, "__name__", "resource")
        self.__doc__ = cls.__doc__
        self._init: Task[P, Any] = Task(cls, name=self.name)
        self._setup = self._declare(Setup, "setup", setup or {})
        self._cleanup = self._declare(Cleanup, "cleanup", _with_rules_of_cleanups(cleanup or {}))

    def _declare(
        self,
        kind: type[Task[..., Any]],
        method: str,
        options: Mapping[str, Any],
    ) -> Task[..., Any]:
        fn = getattr(self.cls, method, None)
        if not callable(fn):
            raise InvalidTask(
                f"@resource_manager needs a class with the methods setup(self) and cleanup(self, resource); "
                f"{self.cls!r} has no {method}"
            )
        return kind(fn, name=f"{self.name}.{method}").with_options(**options)

    @contextmanager
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Handle[R]]:
        """Set a resource up for the tasks called in the block, and clean it up after all of them.

        Args:
            *args: for the class; handles among them are replaced by their values.
            **kwargs: the same.

        Returns:
            A context manager that gives the handle of the resource, as `setup` returned it.

        Raises:
            NotInFlow: outside flows.
            TypeError: when names or number of the arguments are wrong.
        """
        outer = scope_for(f"resource manager {self.name!r}")
        manager = self._init(*args, **kwargs)
        resource: Handle[R] = self._setup(manager)

        def clean_up(block: Block) -> None:
            self._clean_up(manager, resource, block.calls, outer)

        with behind(resource, outer, clean_up):
            yield resource

    def _clean_up(
        self, manager: Handle[Any], resource: Handle[R], calls: Sequence[Handle[Any]], outer: Scope
    ) -> None:
        """Call the cleanup outside all blocks: what closes their gates must not keep a resource open."""
        flow = innermost()
        assert flow is not None
        cleanup = flow.call(self._cleanup, (manager, resource), {})
        # All of them, not just the last ones: cancelled with their flow, they end in no particular order.
        cleanup.set_upstream(*calls)
        while isinstance(outer, Block):
            outer.calls.append(cleanup)  # a resource around this one is cleaned up after it
            outer = outer.outer

    def __repr__(self) -> str:
        return f"<ResourceManager {self.name}>"


def _with_rules_of_cleanups(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a cleanup: when it runs is fixed, how long it may take is bounded."""
    for fixed in ("trigger", "skip_on_upstream_skip"):
        if fixed in given:
            raise InvalidTask(f"{fixed}= of a cleanup is fixed: it runs if and only if the setup succeeded")
    bounded = {} if "policy" in given else {"timeout": CLEANUP_TIMEOUT}
    return {**bounded, **given, "trigger": _was_set_up, "skip_on_upstream_skip": False}


def _was_set_up(upstream: Sequence[State]) -> bool:
    """Say yes when making the manager and setting up succeeded: they feed the cleanup, so they come first."""
    if any(state.is_failed() or state.is_skipped() for state in upstream[:2]):
        raise SKIP("Resource manager setup failed.")
    return True


class _Declare(Protocol):
    @overload
    def __call__(self, cls: _AsyncClass[P, R], /) -> ResourceManager[P, R]: ...

    @overload
    def __call__(self, cls: _Class[P, R], /) -> ResourceManager[P, R]: ...


_AsyncClass = Callable[P, _AsyncManager[R]]
_Class = Callable[P, _Manager[R]]


@overload
def resource_manager(cls: _AsyncClass[P, R], /) -> ResourceManager[P, R]: ...


@overload
def resource_manager(cls: _Class[P, R], /) -> ResourceManager[P, R]: ...


@overload
def resource_manager(
    *, name: str = "", setup: Mapping[str, Any] | None = None, cleanup: Mapping[str, Any] | None = None
) -> _Declare: ...


def resource_manager(cls: Any = None, /, **options: Any) -> Any:
    """Declare a class as the manager of a resource, to be used as `with Manager(...) as resource:` in a flow.

    `__init__` takes note of its arguments, `setup(self)` returns the resource, and `cleanup(self, resource)`
    gives it back; the two may be `async def`. Each of the three is a task. The tasks called in the block run
    after the setup, and end TriggerFailed when it failed. The cleanup runs after all of them, if and only if
    the setup succeeded: also when tasks failed, an exception left the block, or the flow was cancelled.

    A cancellation of the flow lets a setup that is running come to its end, for 60 seconds at most, and does
    not reach the cleanup, which has a timeout of 60 seconds an attempt unless `cleanup=` gives another.

    Args:
        cls: the class.
        **options: by name:
            name: of its tasks; the class's name when not given.
            setup: options of `@task` for the setup, such as `{"retry": 3}`.
            cleanup: the same for the cleanup; its trigger is fixed.

    Returns:
        The ResourceManager, or for `@resource_manager(...)` what turns a class into one.

    Raises:
        InvalidTask: when a method is missing or an option is wrong.
    """
    if cls is not None:
        return ResourceManager(cls, **options)
    return lambda declared: ResourceManager(declared, **options)
