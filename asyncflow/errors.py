"""Every exception that asyncflow raises: one tree, each naming the value, the rule and the way out.

Failures of user code keep their own exceptions; nothing here wraps them. `exit_code` is what the command
line returns when the error reaches it: 2 for usage and invalid files, 4 for what was not found, 1 otherwise.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from asyncflow.signals import Signal
    from asyncflow.states import State


class AsyncflowError(Exception):
    """The root of the tree; catch it to catch whatever asyncflow itself complains about."""

    exit_code: ClassVar[int] = 1


class UsageError(AsyncflowError):
    """The library was asked for something that it does not do; the text says what to write instead."""

    exit_code: ClassVar[int] = 2


class NotInFlow(UsageError):
    """A task was called where no flow is being run or recorded; `task.fn(...)` calls the plain function."""


class InvalidTask(UsageError, ValueError):
    """A task was declared with settings that contradict each other or can't work."""


class InvalidFlow(UsageError, ValueError):
    """A flow was declared or wired in a way that can't run: no name, a cycle, a task of another flow."""


class InvalidPolicy(UsageError, ValueError):
    """A policy's setting is out of range or contradicts another one."""


class InvalidSchedule(UsageError, ValueError):
    """A schedule can't be read, contradicts itself, or never comes to a time that its filters let through."""


class ParameterError(UsageError, ValueError):
    """A flow's parameters are missing, unexpected or of the wrong type; one message names them all."""


class HandleMisuse(UsageError, TypeError):
    """A handle was looked into before its task ran; `await` it inside an `async def` body."""


class LateEdge(UsageError):
    """An edge was added to a task run that has already started or whose flow has ended."""


class HandlerFailed(AsyncflowError):
    """A state handler raised something that is not a signal; the message names the handler."""


class IllegalMove(AsyncflowError):
    """A run was moved between two states that the table of legal moves does not join: a bug in asyncflow."""


class TaskFailed(AsyncflowError):
    """What `await handle` raises when a task run failed without an exception of its body's own.

    Attributes:
        state: the final state of the task run.
        signal: the signal that set it, or None when it was not set by one.
    """

    def __init__(self, message: str, state: State, signal: Signal | None = None) -> None:
        super().__init__(message)
        self.state = state
        self.signal = signal


class Rejected(AsyncflowError):
    """A policy refused an attempt before the body ran.

    Attributes:
        retry_after: seconds until the policy may admit again, or None when it can't be told.
        name: the policy's name, None when it has none.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, name: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.name = name


class BreakerOpen(Rejected):
    """A circuit breaker is open; the body was not called."""


class BulkheadFull(Rejected):
    """All places of a bulkhead are taken and so is its queue, or the wait in it was too long."""


class RateLimited(Rejected):
    """A rate limit has no permit left for now; `retry_after` tells when it has."""


class Throttled(Rejected):
    """Adaptive throttling kept a call back, since too many before it were not accepted."""


class AttemptTimedOut(AsyncflowError, TimeoutError):
    """An attempt ran longer than its timeout: a coroutine was cancelled, a thread left, a process ended."""


class DeadlineExceeded(AsyncflowError, TimeoutError):
    """A call ran longer than its total deadline, all attempts and waits included.

    Attributes:
        attempts: how many attempts were made until then; None for a block with a deadline of its own.
    """

    attempts: int | None = None


class NotAcceptable(AsyncflowError):
    """A returned value that `on_result` refuses, told to a fallback as the error that it stands in for.

    Attributes:
        value: the value.
    """

    def __init__(self, message: str, value: object = None) -> None:
        super().__init__(message)
        self.value = value


class HeartbeatMissed(AttemptTimedOut):
    """An attempt has not called `current().heartbeat()` for longer than its task allows."""


class ProcessDied(AsyncflowError):
    """The process of a `process=True` body ended without a result; the text has its exit code or signal."""


class NotPicklable(AsyncflowError):
    """An argument, a result or an exception can't travel between a flow and the process of a body."""


class StoredFailure(AsyncflowError):
    """A failure that was read back from a store.

    It is raised as a class made of the original one and this, so that `except OriginalType` works; the
    original's other attributes are not there. Where that class can't be imported it is a plain StoredFailure.

    Attributes:
        type_name: the original's class.
        text: the original's text.
        traceback_text: where it was raised, a line for each frame.
    """

    type_name: str
    text: str
    traceback_text: str

    def __str__(self) -> str:
        return self.text


class Diverged(AsyncflowError):
    """A resumed flow did something else than its journal has; the text shows both."""


class StoreError(AsyncflowError):
    """The store can't be opened, read or written; the text names the file and the way out."""


class NotStorable(AsyncflowError):
    """A value can't be kept as data, or would not come back as what it is, or can't be read any more."""


class Stuck(AsyncflowError):
    """A simulated world can't go on: nothing can run, time stands still, or it went on for too long.

    Attributes:
        kind: `deadlock`, `livelock` or `overtime`.
        tasks: the unfinished tasks in the order in which they were made, each with its name and where it
            waits; in a livelock those that ran last, the latest first.
    """

    def __init__(self, message: str, kind: str = "deadlock", tasks: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.tasks = tuple(tasks)


class Crashed(AsyncflowError):
    """A simulated process died between two steps: nothing was cancelled and no `finally` block ran.

    Attributes:
        why: what killed it.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"the simulated process crashed: {why}")
        self.why = why


class Escaped(AsyncflowError):
    """Something real was touched in a simulated world; the text says what, where, and the way out."""


class ScenarioInvalid(UsageError):
    """A scenario file does not say something that can be run: `file:line: path: reason`."""


class NotInThisVersion(UsageError):
    """Valid, and planned, but not built yet."""


class NotFound(AsyncflowError):
    """Nothing has that name; the text offers the nearest ones."""

    exit_code: ClassVar[int] = 4


def text_of(error: BaseException) -> str:
    """Return an exception's own text; one whose `__str__` raises must not take its reporter down with it."""
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001 - user code, whatever it raises
        return f"<no text: str() raised {type(problem).__name__}>"


def full_text_of(error: BaseException) -> str:
    """Return an exception as the last line of its traceback has it: `ValueError: no`."""
    return f"{type(error).__name__}: {text_of(error)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like `word`, or None when none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the nearest known word, or an empty text when none is near."""
    near = nearest(word, known)
    return f" Did you mean {near!r}?" if near else ""
