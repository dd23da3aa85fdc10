"""The verdict on a rehearsal: a word, a sentence, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asyncflow.history import RunHistory, TaskHistory
from asyncflow.history.record import strike_text
from asyncflow.human import plural
from asyncflow.scenario.check import Check
from asyncflow.sim.trace.diff import Difference

Word = Literal["held", "violated", "not-reached", "stuck", "diverged", "escaped"]
"""held: every expectation is true and every fault struck. violated: an expectation is false.
not-reached: a fault that had to strike never did, so the rehearsal shows nothing. In the simulated
world there are three more, after which the rest can't be judged. escaped: something was touched that is not
simulated. stuck: the run could not go on. diverged: two runs of one seed differ."""

_MOST_STORIES = 3

REPORT_VERSION = 1
"""The version of the JSON form."""


@dataclass(frozen=True, slots=True)
class FaultCount:
    """A planned fault and how often it struck.

    Attributes:
        id: names it in the file, such as `fault[1]`.
        at: where it strikes, in the words of the file.
        do: what it does.
        fired: how often it struck.
        optional: whether the verdict may hold although it never did.
        which: which signal or which status, where the word `do` leaves that open.
    """

    id: str
    at: dict[str, Any]
    do: str
    fired: int
    optional: bool = False
    which: str = ""

    @property
    def story(self) -> str:
        """What happened, such as `status 503 struck www.example.org 3 times`."""
        place = self.at.get("task") or self.at.get("service")
        if "index" in self.at:
            place = f"{place}[{self.at['index']}]"
        times = f" {self.fired} times" if self.fired > 1 else ""
        return f"{self._deed} struck {place}{times}"

    @property
    def _deed(self) -> str:
        return f"{self.do} {self.which}".rstrip()

    def __str__(self) -> str:
        return strike_text(self._deed, self.at)


@dataclass(frozen=True, slots=True)
class Repeats:
    """The trace of a simulated run, and whether its repeats had the same.

    Attributes:
        digest: the SHA-256 of the trace.
        lines: the trace.
        times: how often the run was played, the first time included.
        traces: how many different traces there were.
        number: which time had another trace first, or 0.
        other: that trace.
        difference: where the two part.
    """

    digest: str
    lines: Sequence[str]
    times: int = 1
    traces: int = 1
    number: int = 0
    other: Sequence[str] = ()
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a rehearsal came to.

    Attributes:
        scenario: its name.
        variant: the variant's name, or None for the scenario itself.
        world: `real` or `simulated`.
        seed: the seed of all chance.
        history: the run's events, folded; the last run's where a schedule was followed.
        faults: the planned faults.
        checks: the expectations.
        wall_s: seconds that the rehearsal took.
        home: the folder in which it ran, which is kept.
        stuck: what is stuck and where, when a simulated run could not go on.
        escapes: what was touched that is not simulated, each with its place.
        repeats: the trace, and whether repeats had the same; None in the real world.
        breakers: the names of the breakers around the run's tasks, used or not.
        fires: where a schedule was followed, all of its runs in order.
    """

    scenario: str
    variant: str | None
    world: str
    seed: int
    history: RunHistory
    faults: tuple[FaultCount, ...]
    checks: tuple[Check, ...]
    wall_s: float
    home: Path
    stuck: str = ""
    escapes: tuple[str, ...] = ()
    repeats: Repeats | None = None
    breakers: tuple[str, ...] = ()
    fires: tuple[RunHistory, ...] = ()

    @property
    def runs(self) -> tuple[RunHistory, ...]:
        """All runs in order: one, or those of a schedule."""
        return self.fires or (self.history,)

    @property
    def lasted(self) -> float:
        """Seconds of the world from the start of the first run to the end of the last."""
        first, last = self.runs[0].header, self.runs[-1]
        return last.header.started - first.started + last.ended

    @property
    def verdict(self) -> Word:
        """The verdict in one word."""
        claims: dict[Word, Any] = {
            "escaped": self.escapes,
            "stuck": self.stuck,
            "diverged": self.repeats and self.repeats.difference,
            "violated": self._broken(),
            "not-reached": self._missing(),
        }
        return next((word for word, reason in claims.items() if reason), "held")

    def _broken(self) -> list[Check]:
        return [check for check in self.checks if not check.held]

    def _missing(self) -> list[FaultCount]:
        return [fault for fault in self.faults if not fault.fired and not fault.optional]

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        match self.verdict:
            case "held":
                return self._held()
            case "violated":
                return self._violated()
            case "not-reached":
                return self._not_reached()
            case "escaped":
                return self._escaped()
            case "stuck":
                return self._stuck()
            case "diverged":
                return self._diverged()

    def _held(self) -> str:
        ended = f"the flow ended {self.history.state.name}"
        ended += ", as expected." if self.checks else "; the scenario expects nothing."
        struck = [fault.story for fault in self.faults if fault.fired]
        failed = ""
        if self.fires:
            ended = f"at the last of {plural(len(self.fires), 'fire')} {ended}"
            count = sum(run.state.is_failed for run in self.fires[:-1])
            failed = f", {plural(count, 'run')} failed," if count else ""
        if not struck:
            return f"Held: no fault was in the way{failed} and {ended}"
        if len(struck) > _MOST_STORIES:
            struck = [*struck[:_MOST_STORIES], plural(len(struck) - _MOST_STORIES, "more fault")]
        more = sum(task.repeats for run in self.runs for task in run.tasks)
        followed = f", {plural(more, 'more attempt')} followed" if more else ""
        return f"Failed successfully: {', '.join(struck)}{followed}{failed or ','} and {ended}"

    def _violated(self) -> str:
        first, *others = self._broken()
        more = (
            f" {plural(len(others), 'more expectation is', 'more expectations are')} false." if others else ""
        )
        missing = f" Never struck: {_listed(self._missing())}." if self._missing() else ""
        return f"Violated: expected that {first.what}, but found {first.detail}.{more}{missing}"

    def _not_reached(self) -> str:
        return (
            f"Not reached: {_listed(self._missing())} never struck, so this rehearsal shows nothing. "
            "Look at the address of the fault, or mark it optional = true."
        )

    def _escaped(self) -> str:
        first, *others = self.escapes
        more = f" So did {plural(len(others), 'more call')}." if others else ""
        return f"Escaped from the simulated world: {first}.{more}"

    def _stuck(self) -> str:
        head, *tasks = map(str.strip, self.stuck.splitlines())
        return f"Stuck: {head} {'; '.join(tasks)}".rstrip()

    def _diverged(self) -> str:
        assert self.repeats is not None
        assert self.repeats.difference is not None
        found = self.repeats.difference
        return (
            f"Diverged: {self.repeats.times} runs of seed {self.seed} had {self.repeats.traces} different "
            f"traces; run {self.repeats.number} differs from the first in line {found.number}: {found.what}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready data, as `scenario --json` prints it."""
        history = self.history
        return {
            "v": REPORT_VERSION,
            "scenario": self.scenario,
            "variant": self.variant,
            "world": self.world,
            "seed": self.seed,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "run": history.header.id,
            "name": history.header.name,
            "flow": {"name": history.header.flow, "state": history.state.name},
            "tasks": _tasks(history),
            "faults": [
                {"at": fault.at, "do": fault.do, "fired": fault.fired, "optional": fault.optional}
                for fault in self.faults
            ],
            "expectations": [
                {"what": check.what, "held": check.held, "detail": check.detail} for check in self.checks
            ],
            "virtual_s": self.lasted,
            "wall_s": self.wall_s,
            "home": str(self.home),
            **self._fires_to_json(),
            **self._trace_to_json(),
        }

    def _fires_to_json(self) -> dict[str, Any]:
        """Return the runs of a schedule, each told like the one of a rehearsal without."""
        if not self.fires:
            return {}
        return {
            "fires": [
                {
                    "run": run.header.id,
                    "name": run.header.name,
                    "after_s": run.header.started - self.fires[0].header.started,
                    "flow": {"name": run.header.flow, "state": run.state.name},
                    "tasks": _tasks(run),
                }
                for run in self.fires
            ]
        }

    def _trace_to_json(self) -> dict[str, Any]:
        if self.repeats is None:
            return {}
        found = self.repeats.difference
        return {
            "trace": self.repeats.digest,
            "repeats": self.repeats.times,
            "traces": self.repeats.traces,
            "difference": None if found is None else found.to_json(),
        }


def _listed(faults: Sequence[FaultCount]) -> str:
    return "; ".join(map(str, faults))


def _tasks(history: RunHistory) -> dict[str, Any]:
    """Return the task runs by key."""
    return {task.key: {**_task(task), **_elements(task)} for task in history.tasks}


def _task(task: TaskHistory) -> dict[str, Any]:
    return {"state": task.state.name, "attempts": task.attempt_count, "calls": task.call_count}


def _elements(task: TaskHistory) -> dict[str, Any]:
    """Return how many elements of a mapped task are in which state."""
    return {} if task.elements is None else {"elements": dict(task.elements.states)}
