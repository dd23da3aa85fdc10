"""A flow run as its users see it: its names, its state, its result, waiting for it and cancelling it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, Self

from asyncflow.engine.record import Record
from asyncflow.engine.stated import Stated
from asyncflow.engine.task_runs import TaskRuns
from asyncflow.errors import TaskFailed, UsageError
from asyncflow.events import Event, RunHeader
from asyncflow.flow import Flow
from asyncflow.signals import Signal
from asyncflow.states import State

CANCELLED = "The flow run was cancelled."


class RunFace(Stated):
    """The part of a flow run that `flow.run()` and `await flow.start()` are used for.

    Attributes:
        flow: what is run.
        record: what is known of the run and what happened in it.
        state: where the run is now.
        tasks: the task runs in the order of their calls.
        cancel_reason: the sentence that cancelled task runs carry.
    """

    __slots__ = (
        "__weakref__",
        "_begun",
        "_ended",
        "_leaving",
        "_main",
        "cancel_reason",
        "flow",
        "record",
        "state",
        "tasks",
    )

    flow: Flow[..., Any]
    record: Record
    state: State
    tasks: TaskRuns
    cancel_reason: str
    _main: asyncio.Task[Any] | None
    _begun: bool  # has taken its first step, so that a cancellation reaches it
    _ended: bool  # is being recorded as final, so that a cancellation comes too late
    _leaving: SystemExit | None

    @property
    def id(self) -> str:
        """Unique, sorts by time."""
        return self.record.header.id

    @property
    def name(self) -> str:
        """The friendly name, such as `quiet-heron`."""
        return self.record.header.name

    @property
    def header(self) -> RunHeader:
        """What was known at the start."""
        return self.record.header

    @property
    def events(self) -> list[Event]:
        """What happened so far, in order."""
        return self.record.events

    @property
    def store(self) -> str:
        """Where the run is kept: `memory` or a file."""
        return self.record.store.label

    def result(self) -> Any:
        """Return the flow's value.

        Raises:
            UsageError: while the run is not final.
            Exception: what made the run fail: one failure as itself, several as an ExceptionGroup, a
                failure without an exception of its own as TaskFailed.
        """
        if self.state.is_paused():
            raise UsageError(
                f"flow run {self.name!r} is paused and has no result yet: {self.state.message}; "
                "go on with flow.resume(run, input=...) or `await flow.start_resumed(run, input=...)`"
            )
        if not self.state.is_final():
            raise UsageError(
                f"flow run {self.name!r} is {self.state.name}; wait for it with `await run.wait()`"
            )
        if self.state.is_success():
            return self.state.result
        error = self.state.result
        if isinstance(error, BaseException) and not isinstance(error, Signal):
            raise error
        signal = error if isinstance(error, Signal) else None
        raise TaskFailed(
            f"flow run {self.name!r} ended {self.state.name}: {self.state.message}", self.state, signal
        )

    async def wait(self) -> Self:
        """Return the run when it is final or paused; cancelling the waiter leaves the run going."""
        if self._main is not None and not self._main.done():
            await asyncio.wait([self._main])
        self._raise_what_left_the_loop()
        return self

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the flow's value; cancelling the waiter cancels the run."""
        return self._value().__await__()

    async def _value(self) -> Any:
        await self.to_its_end("The caller was cancelled.")
        return self.result()

    async def to_its_end(self, reason: str) -> Self:
        """Return the run when it is final or paused; cancelling the waiter cancels the run and waits on.

        Args:
            reason: what the run says of having been cancelled in that way.
        """
        cancelled: asyncio.CancelledError | None = None
        while self._main is not None and not self._main.done():
            try:
                await asyncio.wait([self._main])
            except asyncio.CancelledError as error:
                cancelled = error
                self.cancel(reason)
        if cancelled is not None:
            raise cancelled
        return await self.wait()

    def _raise_what_left_the_loop(self) -> None:
        if self._leaving is not None:
            raise self._leaving
        if self._main is not None and self._main.done() and not self._main.cancelled():
            error = self._main.exception()
            if error is not None:
                raise error

    def cancel(self, reason: str = "") -> None:
        """Cancel the run and all its task runs; it is final when they are."""
        if self._ended:
            return
        self.cancel_reason = self.cancel_reason or reason or CANCELLED
        self._cancel_main()

    def _cancel_main(self) -> None:
        """Cancel the asyncio task of the run, if that has taken its first step."""
        raise AssertionError(f"every kind of flow run can be cancelled, {type(self).__name__} too")

    def __repr__(self) -> str:
        return f"<flow run {self.name} of {self.flow.name!r} {self.state.name}, {len(self.tasks)} tasks>"
