"""What `show --json` prints of one run, as types."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Shape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The common part of everything that `--json` prints; `v` grows when a reader would have to change."""

    v: Literal[1] = 1


class ErrorShape(msgspec.Struct, forbid_unknown_fields=True):
    """An exception."""

    type: str
    text: str
    notes: list[str]


class FlowState(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A flow run's own state."""

    name: str
    state: str
    message: str
    error: ErrorShape | msgspec.UnsetType = msgspec.UNSET


class Struck(msgspec.Struct, forbid_unknown_fields=True):
    """A fault that struck; task and attempt are 0 when it is not known whom."""

    at: Any
    do: str
    offset_s: float
    task: int
    attempt: int


class Try(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One attempt; `detail` has the numbers behind the decision that followed."""

    number: int
    started_s: float
    ended_s: float
    held_up_s: float
    outcome: str
    called: bool
    retried: bool
    why: str
    detail: dict[str, Any]
    error: ErrorShape | msgspec.UnsetType = msgspec.UNSET
    faults: list[Struck]


class WaitShape(msgspec.Struct, forbid_unknown_fields=True):
    """A wait between attempts, before a start time, until resumed, or until there are slots."""

    started_s: float
    ended_s: float
    state: str
    reason: str
    is_over: bool


class DecidedShape(msgspec.Struct, forbid_unknown_fields=True):
    """What a policy decided beside the end of an attempt: `kind` is the event's, `text` a sentence."""

    offset_s: float
    attempt: int
    kind: str
    text: str


class HedgeShape(msgspec.Struct, forbid_unknown_fields=True):
    """A call that was made once more beside itself; `end` is empty while it is on its way."""

    number: int
    started_s: float
    ended_s: float
    end: str
    calls: int


class TaskShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One task run; `upstream` has the numbers of those it waits for, `map` what a mapped one has beside."""

    number: int
    name: str
    key: str
    upstream: list[int]
    state: str
    how: str
    message: str
    error: ErrorShape | msgspec.UnsetType = msgspec.UNSET
    attempts: int
    calls: int
    cache: str
    called_s: float
    changed_s: float
    rolled_back: bool
    tries: list[Try]
    waits: list[WaitShape]
    decisions: list[DecidedShape]
    hedges: list[HedgeShape]
    map: MapShape | msgspec.UnsetType = msgspec.UNSET


class ElementShape(TaskShape, kw_only=True, forbid_unknown_fields=True):
    """One element of a mapped task, counted from 0."""

    index: int


class MapShape(msgspec.Struct, forbid_unknown_fields=True):
    """How the elements of a mapped task stand; `elements` has those that are known one by one."""

    states: dict[str, int]
    retried: int
    expected: int | None
    elements: list[ElementShape]


class BreakerShape(msgspec.Struct, forbid_unknown_fields=True):
    """A change of a circuit breaker, and why in a sentence."""

    breaker: str
    old: str
    new: str
    offset_s: float
    text: str


class NoticeShape(msgspec.Struct, forbid_unknown_fields=True):
    """Something that went wrong beside the tasks."""

    task: int
    text: str
    offset_s: float


class RunShape(Shape):
    """What `show --json` prints; `run --json` adds `result`, `result_text` and `store`."""

    run: str
    name: str
    flow: FlowState
    scenario: str | None
    seed: int | None
    parent: str | None
    parameters: dict[str, str]
    scheduled_at: float | None
    started_at: float
    duration_s: float
    is_over: bool
    attempts: int
    calls: int
    waited_s: float
    queued_s: float
    held_up_s: float
    tasks: list[TaskShape]
    faults: list[Struck]
    breakers: list[BreakerShape]
    notices: list[NoticeShape]
    variant: str | None = None
    world: Literal["real", "simulated"] = "real"
    result: Any = msgspec.UNSET
    result_text: str | msgspec.UnsetType = msgspec.UNSET
    store: str | msgspec.UnsetType = msgspec.UNSET
