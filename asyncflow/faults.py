"""The fault plan: which planned faults strike which attempts, and whether they ever did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from asyncflow import ambient
from asyncflow.signals import ENDRUN, RETRY, Signal
from asyncflow.states import State

Do = Literal["raise", "delay", "hang", "cancel", "wrong-result", "signal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFault:
    """A fault that is planned for attempts of a task.

    Attributes:
        id: unique in its plan.
        task: the task's name.
        do: what happens.
        attempts: the numbers of the attempts that it strikes, from 1; None for every attempt.
        call: the call of that name that it strikes, from 1; None for every call.
        index: the element of a mapped task that it strikes, from 0; None for every one.
        when: before the body, which then does not run unless `do` is a delay; or after it has returned.
        delay: seconds to wait (`delay`), or before the next attempt (the signal RETRY).
        error: the class that `raise` raises.
        message: the text of the error or of the signal.
        value: what `wrong-result` puts in the place of the result, or the result that a signal carries.
        signal: the class that `signal` raises.
        state: the final state of the signal ENDRUN.
        probability: the share of the matching attempts that it strikes, above 0 and at most 1.
        optional: whether a rehearsal may pass although it never struck.
    """

    id: str
    task: str
    do: Do
    attempts: tuple[int, ...] | None = None
    call: int | None = None
    index: int | None = None
    when: Literal["before", "after"] = "before"
    delay: float | None = None
    error: type[BaseException] | None = None
    message: str = ""
    value: Any = None
    signal: type[Signal] | None = None
    state: State | None = None
    probability: float = 1.0
    optional: bool = False

    def matches(self, call: int, attempt: int, index: int | None = None) -> bool:
        """Return whether the fault is meant for this attempt of its task, or of an element of it."""
        return (
            self.call in (None, call)
            and (self.attempts is None or attempt in self.attempts)
            and self.index in (None, index)
        )

    def exception(self) -> BaseException:
        """Return a fresh instance of what `raise` or `signal` raises.

        A fresh one, since an exception that is raised again would carry the traceback of the time before.
        """
        if self.error is not None:
            return self.error(self.message) if self.message else self.error()
        if self.signal is None:
            raise AssertionError(f"{self.id} does {self.do!r}, which raises nothing")
        if issubclass(self.signal, ENDRUN):
            assert self.state is not None
            return self.signal(self.state)
        if issubclass(self.signal, RETRY):
            return self.signal(self.message, delay=self.delay)
        return self.signal(self.message, self.value)

    @property
    def at(self) -> dict[str, Any]:
        """Where it strikes, ready for JSON, in the words of a scenario file."""
        where: dict[str, Any] = {"task": self.task}
        if self.call is not None:
            where["call"] = self.call
        if self.index is not None:
            where["index"] = self.index
        if self.attempts is not None:
            where["attempt"] = self.attempts[0] if len(self.attempts) == 1 else list(self.attempts)
        return {**where, "when": self.when}


class FaultPlan:
    """The faults of one rehearsal; it remembers which of them struck.

    Args:
        faults: in the order in which they strike the same attempt.
    """

    def __init__(self, faults: Iterable[TaskFault] = ()) -> None:
        self.faults = tuple(faults)
        self._fired = {fault.id: 0 for fault in self.faults}
        self._by_task: dict[str, list[TaskFault]] = {}
        for fault in self.faults:
            self._by_task.setdefault(fault.task, []).append(fault)

    @property
    def fired(self) -> Mapping[str, int]:
        """How often each fault struck, by its id."""
        return MappingProxyType(self._fired)

    def strike(
        self, task: str, call: int, attempt: int, *, index: int | None = None
    ) -> tuple[TaskFault, ...]:
        """Return the faults that strike this attempt, in order, and remember that they did.

        Args:
            task: the task's name.
            call: which call of that name in the flow run, from 1.
            attempt: the attempt's number, from 1.
            index: which element of a mapped task, from 0; None for a task that is not mapped.
        """
        known = self._by_task.get(task)
        if known is None:
            return ()
        struck = tuple(fault for fault in known if fault.matches(call, attempt, index) and _drawn(fault))
        for fault in struck:
            self._fired[fault.id] += 1
        return struck

    def missed(self, fault: TaskFault) -> None:
        """Take back one strike that could not be carried out.

        A fault after the body strikes nothing when the body ends otherwise, nor does one that stands behind
        a fault which ended the attempt.
        """
        self._fired[fault.id] -= 1

    def unfired(self) -> tuple[TaskFault, ...]:
        """Return the faults that never struck, those that may stay away among them."""
        return tuple(fault for fault in self.faults if not self._fired[fault.id])


def _drawn(fault: TaskFault) -> bool:
    return fault.probability >= 1.0 or ambient.world().stream("faults").random() < fault.probability
