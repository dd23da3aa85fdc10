"""What `--json` prints, as types: `asyncflow schema` makes JSON Schemas of them.

Names that end in `_s` are seconds; `started`, `ended` and `at` of an event are UTC epoch seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from asyncflow.cli.run_shapes import RunShape, Shape


class RunRow(Shape):
    """One line of `runs --json`, the newest first; `home` is the folder of a rehearsal."""

    run: str
    name: str
    flow: str
    state: str
    started: float
    ended: float | None
    tasks: int
    attempts: int
    faults: int
    scenario: str | None
    seed: int | None
    parameters: dict[str, str]
    home: str | None
    variant: str | None = None
    world: Literal["real", "simulated"] = "real"


class FlowRow(Shape):
    """One line of `flows --json`; `target` is what `run` takes, null when it is not known."""

    name: str
    target: str | None
    runs: int
    succeeded: int
    failed: int
    last: RunRow | None


class ServedRow(Shape):
    """One line of `serve --json`: a run that a schedule made, and that has ended."""

    run: str
    name: str
    flow: str
    scheduled_at: float
    started_at: float
    duration_s: float
    state: str
    message: str
    store: str


class VariantRow(msgspec.Struct, forbid_unknown_fields=True):
    """A variant of a scenario."""

    name: str
    title: str


class ScenarioRow(Shape):
    """One line of `scenarios --json`."""

    name: str
    title: str
    story: str
    file: str
    flow: str
    world: Literal["real", "simulated"]
    seed: int | None
    variants: list[VariantRow]


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """A flow's name and the state that its run ended in."""

    name: str
    state: str


class TaskCounts(msgspec.Struct, forbid_unknown_fields=True):
    """What a task came to: `attempts` counts rejected tries too, `calls` the bodies that ran.

    Of a mapped task `elements` says how many elements are in which state.
    """

    state: str
    attempts: int
    calls: int
    elements: dict[str, int] | msgspec.UnsetType = msgspec.UNSET


class PlannedFault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault of a scenario and how often it struck."""

    at: dict[str, Any]
    do: str
    fired: int
    optional: bool


class Expectation(msgspec.Struct, forbid_unknown_fields=True):
    """A claim of a scenario; `detail` says what was found instead."""

    what: str
    held: bool
    detail: str


class DifferenceShape(msgspec.Struct, forbid_unknown_fields=True):
    """The first difference of two traces; a line that is null was not there, since its trace had ended."""

    line: int
    left: str | None
    right: str | None
    before: list[str]
    what: str


class FireShape(msgspec.Struct, forbid_unknown_fields=True):
    """One run of a schedule that was rehearsed; `after_s` is counted from the start of the first one."""

    run: str
    name: str
    after_s: float
    flow: Named
    tasks: dict[str, TaskCounts]


class ReportShape(Shape):
    """What `scenario --json` prints.

    `fires` is there when a schedule was followed; `run`, `name`, `flow` and `tasks` tell of its last run. The
    four after it are there in the simulated world only.
    """

    scenario: str
    variant: str | None
    world: Literal["real", "simulated"]
    seed: int | None
    verdict: Literal["held", "violated", "not-reached", "stuck", "diverged", "escaped"]
    sentence: str
    run: str
    name: str
    flow: Named
    tasks: dict[str, TaskCounts]
    faults: list[PlannedFault]
    expectations: list[Expectation]
    virtual_s: float
    wall_s: float
    home: str
    fires: list[FireShape] | msgspec.UnsetType = msgspec.UNSET
    trace: str | msgspec.UnsetType = msgspec.UNSET
    repeats: int | msgspec.UnsetType = msgspec.UNSET
    traces: int | msgspec.UnsetType = msgspec.UNSET
    difference: DifferenceShape | msgspec.UnsetType | None = msgspec.UNSET


class TimesShape(msgspec.Struct, forbid_unknown_fields=True):
    """How long the task runs of a name took."""

    median_s: float
    p99_s: float
    slowest_s: float


class MeasuresShape(msgspec.Struct, forbid_unknown_fields=True):
    """The numbers of one run.

    `refused` is by what refused, `opened_s` by breaker, `goodput` and `times` by task.
    """

    duration_s: float
    attempts: int
    calls: int
    retries: int
    faults: int
    refused: dict[str, int]
    waited_s: float
    queued_s: float
    held_up_s: float
    fallbacks: int
    hedges: int
    opened_s: dict[str, list[float]]
    goodput: dict[str, float]
    times: dict[str, TimesShape]


class ComparedVariant(msgspec.Struct, forbid_unknown_fields=True):
    """One of those that are compared; `variant` is null for the scenario itself."""

    variant: str | None
    title: str
    measures: MeasuresShape
    report: ReportShape


class VariantsShape(Shape):
    """What `scenario --compare --json` prints."""

    scenario: str
    world: Literal["real", "simulated"]
    seed: int
    held: bool
    sentence: str
    variants: list[ComparedVariant]


class HeaderDifference(msgspec.Struct, forbid_unknown_fields=True):
    """Something that two traces are not both of, such as the seed."""

    what: str
    left: str
    right: str


class ComparisonShape(Shape):
    """What `trace diff --json` prints."""

    same: bool
    header: list[HeaderDifference]
    difference: DifferenceShape | None


class EventShape(Shape):
    """One element of the list that `show --events --json` prints; `detail` depends on `kind`."""

    run: str
    seq: int
    at: float
    offset: float
    kind: str
    task: int
    attempt: int
    detail: Any


SHAPES: dict[str, Any] = {
    "report": ReportShape,
    "run": RunShape,
    "events": list[EventShape],
    "runs": list[RunRow],
    "flows": list[FlowRow],
    "served": ServedRow,
    "scenarios": list[ScenarioRow],
    "comparison": ComparisonShape,
    "variants": VariantsShape,
}
"""The shape of each answer, by the word that `asyncflow schema` takes."""
