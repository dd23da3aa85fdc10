"""Where a run is: the states and the one table of legal moves between them.

A state is immutable. Its class is its name; `message` is a sentence for people; `result` is the value of a
success or the exception of a failure; `detail` holds the numbers behind the decision that led to it (the
drawn delay, the reason for waiting), ready for JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from asyncflow.errors import IllegalMove, did_you_mean, text_of

__all__ = [
    "Cached",
    "Cancelled",
    "Crashed",
    "Failed",
    "Paused",
    "Pending",
    "Retrying",
    "Running",
    "Scheduled",
    "Skipped",
    "State",
    "Success",
    "TimedOut",
    "TriggerFailed",
    "ValidationFailed",
]

Kind = Literal["waiting", "active", "success", "failure"]

_NO_DETAIL: Mapping[str, Any] = MappingProxyType({})


class State:
    """The common part of all states; make one of its subclasses.

    Args:
        message: one sentence for people; a default is used when it is empty.
        result: the value of a success, the exception of a failure.
        detail: JSON-ready facts about how the run came here.
    """

    __slots__ = ("_detail", "_message", "_result")

    kind: ClassVar[Kind]
    final: ClassVar[bool] = False
    default_message: ClassVar[str] = ""
    leads_to: ClassVar[frozenset[type[State]]]
    """The states that may follow; filled from the table of moves below."""

    def __init__(
        self, message: str = "", result: Any = None, detail: Mapping[str, Any] | None = None
    ) -> None:
        self._message = message
        self._result = result
        self._detail = detail

    @property
    def name(self) -> str:
        """The state's name, which is its class's."""
        return type(self).__name__

    @property
    def message(self) -> str:
        """One sentence for people."""
        return self._message or self.default_message

    @property
    def result(self) -> Any:
        """The value of a success or the exception of a failure."""
        return self._result

    @property
    def detail(self) -> Mapping[str, Any]:
        """Facts about how the run came here; empty when there is nothing to say."""
        return _NO_DETAIL if self._detail is None else self._detail

    def is_success(self) -> bool:
        """Whether this is a final state that counts as success: Success, Cached or Skipped."""
        return self.kind == "success"

    def is_failed(self) -> bool:
        """Whether this is a final state that counts as failure: Failed and its kin, Cancelled, Crashed."""
        return self.kind == "failure"

    def is_final(self) -> bool:
        """Whether no move leads out of this state."""
        return self.final

    def is_pending(self) -> bool:
        """Whether the run waits for what is upstream of it."""
        return isinstance(self, Pending)

    def is_scheduled(self) -> bool:
        """Whether the run waits for its start time."""
        return isinstance(self, Scheduled)

    def is_retrying(self) -> bool:
        """Whether the run waits between two attempts."""
        return isinstance(self, Retrying)

    def is_paused(self) -> bool:
        """Whether the run waits to be resumed."""
        return isinstance(self, Paused)

    def is_running(self) -> bool:
        """Whether an attempt is in flight."""
        return isinstance(self, Running)

    def is_cached(self) -> bool:
        """Whether a cache entry stood in for the body."""
        return isinstance(self, Cached)

    def is_skipped(self) -> bool:
        """Whether the run was skipped."""
        return isinstance(self, Skipped)

    def is_timed_out(self) -> bool:
        """Whether the last attempt ran out of time."""
        return isinstance(self, TimedOut)

    def is_trigger_failed(self) -> bool:
        """Whether the trigger refused the states upstream."""
        return isinstance(self, TriggerFailed)

    def is_validation_failed(self) -> bool:
        """Whether arguments or result did not validate."""
        return isinstance(self, ValidationFailed)

    def is_cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return isinstance(self, Cancelled)

    def is_crashed(self) -> bool:
        """Whether the process died during the attempt."""
        return isinstance(self, Crashed)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON-ready data; a result value stays out, an exception goes in as text."""
        # Not by the properties: a file's journal asks twice per task, and each of them takes 50 ns.
        data: dict[str, Any] = {
            "state": type(self).__name__,
            "message": self._message or self.default_message,
        }
        if self._detail:
            data["detail"] = dict(self._detail)
        if isinstance(self._result, BaseException):
            data["error"] = error_to_json(self._result)
        return data

    def __eq__(self, other: object) -> bool:
        """States are equal when class, result and detail are; the message is for people only."""
        if not isinstance(other, State):
            return NotImplemented
        return type(self) is type(other) and self.result == other.result and self.detail == other.detail

    __hash__ = None  # type: ignore[assignment]  # results need not be hashable

    def __repr__(self) -> str:
        return f'<{self.name}: "{self.message}">'

    def __str__(self) -> str:
        return self.name

    def __getattr__(self, name: str) -> Any:
        hint = did_you_mean(name, (word for word in dir(type(self)) if not word.startswith("_")))
        raise AttributeError(f"a State has no {name!r}.{hint}", name=name, obj=self)


class Pending(State):
    """Declared; something upstream is not final, or the slots that an attempt needs are taken."""

    __slots__ = ()
    kind = "waiting"
    default_message = "Waiting for what is upstream."


class Scheduled(State):
    """Waiting for a start time in the future."""

    __slots__ = ()
    kind = "waiting"
    default_message = "Waiting for its start time."


class Retrying(State):
    """Between two attempts; `detail` says why and until when."""

    __slots__ = ()
    kind = "waiting"
    default_message = "Waiting for the next attempt."


class Paused(State):
    """Waiting until resumed."""

    __slots__ = ()
    kind = "waiting"
    default_message = "Waiting to be resumed."


class Running(State):
    """An attempt is in flight."""

    __slots__ = ()
    kind = "active"
    default_message = "An attempt is in flight."


class Success(State):
    """The run succeeded; `how` says by which road."""

    __slots__ = ()
    kind = "success"
    final = True
    default_message = "The task succeeded."

    @property
    def how(self) -> str:
        """At once, after retry, by hedge, by fallback, by signal or by handler."""
        return str(self.detail.get("how", "at once"))

    @property
    def fell_back(self) -> bool:
        """Whether a fallback stood in for the task's own result."""
        return self.how == "by fallback"


class Cached(Success):
    """A valid cache entry stood in for the body."""

    __slots__ = ()
    default_message = "A cached result was used."


class Skipped(Success):
    """Skipped by a signal, or because something upstream was."""

    __slots__ = ()
    default_message = "The task was skipped."


class Failed(State):
    """Attempts exhausted, an error that is not retried, or a FAIL signal."""

    __slots__ = ()
    kind = "failure"
    final = True
    default_message = "The task failed."


class TimedOut(Failed):
    """An attempt ran out of time and no attempts were left."""

    __slots__ = ()
    default_message = "The task ran out of time."


class TriggerFailed(Failed):
    """The trigger refused the states upstream; the body never ran."""

    __slots__ = ()
    default_message = "The trigger refused the states upstream."


class ValidationFailed(Failed):
    """Arguments or result did not validate."""

    __slots__ = ()
    default_message = "A value did not validate."


class Crashed(Failed):
    """The process died during the attempt; only recovery assigns this."""

    __slots__ = ()
    default_message = "The process died during the attempt."


class Cancelled(State):
    """Cancelled by the user, the flow, or shutdown."""

    __slots__ = ()
    kind = "failure"
    final = True
    default_message = "The run was cancelled."


STATES: tuple[type[State], ...] = (
    Pending,
    Scheduled,
    Retrying,
    Paused,
    Running,
    Success,
    Cached,
    Skipped,
    Failed,
    TimedOut,
    TriggerFailed,
    ValidationFailed,
    Cancelled,
    Crashed,
)
"""Every state, in the order in which the documentation names them."""

BY_NAME: Mapping[str, type[State]] = MappingProxyType({state.__name__: state for state in STATES})
"""The state classes by name."""

_ENDS = frozenset((Success, Cached, Skipped, Failed, TimedOut, TriggerFailed, ValidationFailed, Cancelled))
_NOWHERE: frozenset[type[State]] = frozenset()

# A trigger, a signal or a handler may end a run before its body starts: so every waiting state leads to every
# final one. They may also ask for one more wait after a wait: so Retrying leads to itself. What a run waits
# for may change, from what is upstream to a slot: so Pending leads to itself. Only recovery assigns Crashed,
# and only recovery leads out of it.
_MOVES: dict[type[State], frozenset[type[State]]] = {
    Pending: _ENDS | {Pending, Scheduled, Retrying, Paused, Running},
    Scheduled: _ENDS | {Pending, Retrying, Paused, Running},
    Retrying: _ENDS | {Pending, Retrying, Paused, Running},
    Paused: _ENDS | {Pending, Running},
    Running: _ENDS | {Retrying, Paused, Scheduled, Crashed},
    Success: _NOWHERE,
    Cached: _NOWHERE,
    Skipped: _NOWHERE,
    Failed: _NOWHERE,
    TimedOut: _NOWHERE,
    TriggerFailed: _NOWHERE,
    ValidationFailed: _NOWHERE,
    Cancelled: _NOWHERE,
    Crashed: frozenset((Retrying, Failed)),
}
MOVES: Mapping[type[State], frozenset[type[State]]] = MappingProxyType(_MOVES)
"""The one table of legal moves: from a state's class to the classes that may follow it."""

for _state, _followers in _MOVES.items():
    _state.leads_to = _followers


def check_move(old: State, new: State) -> None:
    """Raise IllegalMove unless the table joins the two states."""
    if type(new) not in _MOVES[type(old)]:
        raise IllegalMove(f"no move leads from {old.name} to {new.name}; see asyncflow.states.MOVES")


def error_to_json(error: BaseException) -> dict[str, Any]:
    """Return what is worth keeping of an exception: its type's name, text and notes."""
    data: dict[str, Any] = {"type": type(error).__qualname__, "text": text_of(error)}
    notes = getattr(error, "__notes__", None)
    if notes:
        data["notes"] = list(notes)
    return data
