"""Format 1 of scenario files: every table, key and action word, of every layer, whether built yet or not.

Tables are closed: a key that is not here is an error. `asyncflow.scenario.support` says what is built;
`docs/scenarios.md` explains it to people. Everything that strikes is counted from 1, except the elements of a
mapped task and bytes, which are counted from 0 as in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from msgspec import UNSET, Meta, field, structs

from asyncflow.events import Kind as EventKind
from asyncflow.scenario.actions import ADDRESS_KEYS, Action, address_key, find_action, no_address
from asyncflow.scenario.locate import Source
from asyncflow.scenario.values import (
    BreakerState,
    Count,
    Delay,
    Duration,
    Jitter,
    Name,
    Names,
    Natural,
    Nth,
    Positive,
    Reference,
    Share,
    Shift,
    SignalName,
    Span,
    StateName,
    StateNames,
    Table,
    said,
)

# Where a fault strikes. What an address does not say matches everything.


class Address:
    """The common part of the addresses; `ADDRESSES` tells them apart by the key that names each."""

    @staticmethod
    def table_for(value: object) -> type[Table]:
        """Return the class of the address that a value is meant to be."""
        key = address_key(value) if isinstance(value, dict) else None
        if key is None:
            raise ValueError(no_address(value))
        return ADDRESSES[key]


class TaskAt(Table, Address, frozen=True):
    """An attempt of a task run; `when` is before the body by default, after it for `wrong-result`."""

    task: Name
    call: Positive | None = None  # the n-th call of that name in the flow run
    attempt: Nth | None = None
    index: Natural | None = None  # the element of a mapped task, from 0
    fire: Nth | None = None  # in the n-th run that the schedule makes
    when: Literal["before", "inside", "after", "commit", "timeout"] | None = None
    step: Positive | None = None  # with when = "inside": at the n-th await of the body


class ServiceAt(Table, Address, frozen=True):
    """A request to a service, or with one of the keys of `WIRE` a place on its wire."""

    service: Name
    request: Nth | None = None
    path: Name | None = None
    method: Name | None = None
    connection: Nth | None = None
    lookup: Nth | None = None  # the n-th time that its name is looked up
    direction: Literal["up", "down", "both"] | None = None
    byte: Natural | None = None  # counted in the direction, or in `part` of the request's message
    part: Literal["head", "body"] | None = None
    task: Name | None = None  # only requests made by this task
    attempt: Nth | None = None


class StoreAt(Table, Address, frozen=True):
    """An operation of the store, or of the SQLite file `database`."""

    store: Literal["open", "read", "write", "commit", "any"]
    nth: Nth | None = None
    table: Name | None = None
    database: Name | None = None
    when: Literal["before", "after"] | None = None  # before or after the operation took effect
    task: Name | None = None
    attempt: Nth | None = None


class ProcessAt(Table, Address, frozen=True):
    """A moment in the life of the process; its actions may also strike at every other address."""

    process: Literal["start", "step", "site", "recovery", "shutdown"]
    nth: Nth | None = None
    site: Name | None = None  # with process = "site": the name that the code gives the place


class ClockAt(Table, Address, frozen=True):
    """A clock; the fault's window or the task's attempt says when."""

    clock: Literal["wall", "monotonic", "timers"]
    host: Name | None = None
    task: Name | None = None
    attempt: Nth | None = None


class PolicyAt(Table, Address, frozen=True):
    """A decision of the policies around a task."""

    policy: Name  # the task's name
    edge: Literal["admit", "attempt", "backoff", "probe", "timeout", "deadline"] | None = None
    call: Positive | None = None
    attempt: Nth | None = None


_ADDRESS_TABLES: tuple[type[Table], ...] = (ServiceAt, StoreAt, ProcessAt, ClockAt, PolicyAt, TaskAt)
ADDRESSES: Mapping[str, type[Table]] = dict(zip(ADDRESS_KEYS, _ADDRESS_TABLES, strict=True))
"""The table of an address by the key that names it."""


# What strikes.


class Window(Table, frozen=True):
    """A time in the run, measured from its start; without `to` it stays open."""

    from_: Duration | None = field(default=None, name="from")
    to: Span | None = None


class Fault(Table, frozen=True):
    """One thing that goes wrong: where, what, and the keys of that action as `ACTIONS` lists them."""

    at: Address
    do: Name
    optional: bool = False  # the verdict may hold although it never struck
    probability: Share | None = None
    window: Window | None = None
    boot: Nth | None = None  # the start of the process that it belongs to; the first by default

    address: Name | None = None
    body: str | None = None
    bytes: Positive | None = None
    certificate: Literal["expired", "self-signed", "wrong-host"] | None = None
    content_type: str | None = None
    delay: Duration | None = None
    down: Span | None = None
    draw: Annotated[float, Meta(ge=0, le=1)] | None = None
    error: Name | None = None  # "ValueError: the text" or "package.module:Class: the text"
    factor: Annotated[float, Meta(gt=0)] | None = None
    grace: Duration | None = None
    grouped: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    jitter: Duration | None = None
    keep: Natural | None = None
    line: Positive | None = None
    mask: Annotated[int, Meta(ge=1, le=255)] | None = None
    message: str | None = None
    off: int | None = None
    rate: Positive | None = None
    result: Any = None
    retry_after: Duration | None = None
    seconds: Span | None = None
    shift: Shift | None = None
    signal: SignalName | None = None
    state: StateName | None = None
    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    to: BreakerState | None = None
    up: Span | None = None
    value: Any = None

    @property
    def action(self) -> Action:
        """The row of `ACTIONS` that the fault is of; `load` has checked that there is one."""
        found = find_action(said(self.at), self.do)
        assert found is not None
        return found


# Policies around the tasks.


class RetryOptions(Table, frozen=True):
    """How often an attempt is repeated, how long it waits before, and after which errors."""

    max_attempts: Positive  # the first included
    delay: Delay | None = None
    jitter: Jitter | None = None
    on: Names | None = None  # exceptions, by name or as module:Class
    never: Names | None = None
    budget: BudgetOptions | None = None


class BudgetOptions(Table, frozen=True):
    """The share of retries among all attempts that a group of tasks may make."""

    name: Name
    share: Share | None = None
    floor: Natural | None = None


class BreakerOptions(Table, frozen=True):
    """When a circuit opens, for how long, and how it is tried again."""

    name: Name | None = None  # the task's name by default
    failures: Positive | None = None
    open_for: Duration | None = None
    probes: Positive | None = None
    window: Annotated[int, Meta(ge=2)] | None = None  # the newest so many calls
    window_for: Span | None = None  # the calls of the newest so much time
    failure_rate: Share | None = None
    slow_after: Span | None = None
    slow_rate: Share | None = None
    min_calls: Positive | None = None
    grow: Annotated[float, Meta(ge=1)] | None = None
    max_open_for: Span | None = None
    half_open_for: Span | None = None
    on: Names | None = None
    ignore: Names | None = None
    mode: Literal["normal", "forced-open", "disabled", "metrics-only"] | None = None


class BulkheadOptions(Table, frozen=True):
    """How many calls may run at once, and how many may wait."""

    limit: Positive
    queue: Natural | None = None
    name: Name | None = None
    adaptive: Literal["vegas", "gradient", "aimd"] | None = None


class RateLimitOptions(Table, frozen=True):
    """How many calls may start in a time."""

    calls: Positive
    per: Span
    burst: Positive | None = None
    name: Name | None = None


class HedgeOptions(Table, frozen=True):
    """When a second attempt is started beside a slow one."""

    after: Duration | None = None
    quantile: Annotated[float, Meta(gt=0, lt=1)] | None = None
    max_hedges: Positive | None = None


class FallbackOptions(Table, frozen=True):
    """What stands in for a failure: a value, a function, or the last good result."""

    value: Any = UNSET
    function: Reference | None = None
    cached: bool = False
    on: Names | None = None


PolicyPart = Literal[
    "fallback", "deadline", "hedge", "retry", "breaker", "rate_limit", "bulkhead", "throttle", "timeout"
]


class PolicyOptions(Table, frozen=True):
    """The policies of one task; parts that are not mentioned stay as the code declares them."""

    without: list[PolicyPart] = field(default_factory=list)
    fallback: FallbackOptions | None = None
    deadline: Span | None = None
    hedge: HedgeOptions | None = None
    retry: RetryOptions | None = None
    breaker: BreakerOptions | None = None
    rate_limit: RateLimitOptions | None = None
    bulkhead: BulkheadOptions | None = None
    throttle: Share | None = None  # the largest share of calls that adaptive throttling refuses
    timeout: Span | None = None
    when_rejected: Literal["wait", "fail"] | None = None


# What is expected.


class Rows(Table, frozen=True):
    """What a table of an SQLite file in the run's folder must hold."""

    database: Name
    table: Name
    where: Name | None = None  # an SQL condition that chooses the rows; all by default
    count: Natural | None = None
    min: Natural | None = None
    max: Natural | None = None
    null: Name | Names | None = None  # columns that are NULL in every chosen row
    not_null: Name | Names | None = None  # columns that are NULL in none
    unique: Name | Names | None = None  # columns that together are never the same twice


class EventCount(Table, frozen=True):
    """How often something must have happened."""

    kind: EventKind
    task: Name | None = None
    attempt: Positive | None = None
    count: Count | None = None  # at least once by default


class Expectations(Table, frozen=True):
    """What must be true at one moment. Tasks are named as in the flow, or `name#2`, `name[0]`."""

    flow: StateNames | None = None
    tasks: dict[str, StateNames] = field(default_factory=dict)
    attempts: dict[str, Count] = field(default_factory=dict)
    calls: dict[str, Count] = field(default_factory=dict)  # bodies that really ran
    rows: list[Rows] = field(default_factory=list)
    result: Any = UNSET
    signal: dict[str, SignalName] = field(default_factory=dict)
    events: list[EventCount] = field(default_factory=list)
    breaker: dict[str, list[BreakerState]] = field(default_factory=dict)  # its states in order
    within: Span | None = None  # the whole run
    output: str | Names | None = None  # texts that the flow printed
    check: Reference | None = None  # a function of the run that returns whether it is as expected


class Expect(Expectations, frozen=True):
    """What must be true at the end; before in the fault-free baseline; always, after each event."""

    before: Expectations | None = None
    always: list[Expectations] = field(default_factory=list)
    sometimes: list[Expectations] = field(default_factory=list)  # in some run of an exploration
    fires: list[Expectations] = field(default_factory=list)  # of each run of a schedule, in order
    settles: Span | None = None  # the flow ends within this time after the last fault


# The file.


class Service(Table, frozen=True):
    """What stands in for a host, by the host's name."""

    replica: Literal["cfpb", "posts"]
    records: Natural | None = None
    file: Name | None = None  # data for the replica, relative to the scenario's file
    seed: int | None = None
    tls: bool = False
    framing: Literal["length", "chunked", "eof"] | None = None
    shape: Literal["json", "ndjson"] | None = None


class Variant(Table, frozen=True):
    """The same faults under other policies; expectations of its own replace the scenario's."""

    title: str = ""
    policy: Literal["none"] | dict[str, PolicyOptions] = field(default_factory=dict)
    expect: Expect | None = None


class Found(Table, frozen=True):
    """Where a scenario that `explore` wrote comes from; it changes nothing."""

    by: str
    schedules: Natural | None = None
    shrunk_from: Natural | None = None


class Scenario(Table, dict=True, frozen=True):
    """A whole file. `source` is where it was read from; it is no part of the format."""

    format: Literal[1]
    flow: Reference
    title: str = ""
    story: str = ""
    world: Literal["real", "simulated"] = "real"
    seed: int | None = None
    shuffle: bool = False
    fires: Positive | None = None  # follow the flow's schedule for so many fires
    parameters: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict, name="service")
    faults: list[Fault] = field(default_factory=list, name="fault")
    policies: dict[str, PolicyOptions] = field(default_factory=dict, name="policy")
    variants: dict[str, Variant] = field(default_factory=dict, name="variant")
    expect: Expect = field(default_factory=Expect)
    found: Found | None = None

    @property
    def source(self) -> Source:
        """The text that the scenario was read from, for the places of errors that are found later."""
        known: Source = self.__dict__.get("source", _NOWHERE)
        return known

    def changed(self, **fields: Any) -> Self:
        """Return a copy with other values, from the same source."""
        copy = structs.replace(self, **fields)
        copy.__dict__["source"] = self.source
        return copy


_NOWHERE = Source("scenario")
