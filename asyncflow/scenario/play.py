"""Plays a scenario in its world, first without its faults when that is asked for, and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asyncflow import ambient, parameters
from asyncflow.errors import NotInThisVersion
from asyncflow.flow import Flow
from asyncflow.ports import Listener
from asyncflow.scenario.always import check_always
from asyncflow.scenario.check import Check
from asyncflow.scenario.expectations import Facts, check_all
from asyncflow.scenario.fires import check_fires
from asyncflow.scenario.format import Expect, Scenario
from asyncflow.scenario.homes import Homes
from asyncflow.scenario.load import report
from asyncflow.scenario.policies import check_policies
from asyncflow.scenario.repeats import repeated
from asyncflow.scenario.resolve import task_faults
from asyncflow.scenario.stage import Stage
from asyncflow.scenario.support import unsupported
from asyncflow.scenario.tasks import check_tasks, in_reach
from asyncflow.scenario.verdict import Report
from asyncflow.scenario.worlds import world_for
from asyncflow.targets import load_flow

_MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class Rehearsal:
    """A scenario that was checked and can be played.

    Attributes:
        name: the scenario's name.
        scenario: what its file says.
        variant: the variant's name, or None for the scenario itself.
        seed: the seed of all chance.
        flow: the flow.
        parameters: its parameters, converted.
    """

    name: str
    scenario: Scenario
    variant: str | None
    seed: int
    flow: Flow[..., Any]
    parameters: dict[str, Any]

    @property
    def world(self) -> Literal["real", "simulated"]:
        """Which world it is played in."""
        return self.scenario.world

    @property
    def identity(self) -> str:
        """What makes it this rehearsal, beside the seed; where its file lies does not matter."""
        return f"{Path(self.name).stem}/{self.scenario.flow}/{self.variant or ''}/"

    @property
    def expect(self) -> Expect:
        """What is expected; a variant's expectations stand in the place of the scenario's."""
        chosen = self.scenario.variants[self.variant].expect if self.variant is not None else None
        return chosen or self.scenario.expect


def prepare(
    name: str, scenario: Scenario, *, variant: str | None = None, seed: int | None = None
) -> Rehearsal:
    """Check everything that can be checked before a scenario is played.

    Args:
        name: the scenario's name.
        scenario: what its file says.
        variant: which variant of it to play.
        seed: stands in for the scenario's seed; drawn when neither says one.

    Raises:
        NotInThisVersion: when the scenario says what this version can't carry out.
        ScenarioInvalid: when it names tasks or classes that there are not, policies that can't work, or fires
            of a schedule that the flow does not have.
        ParameterError: when its parameters do not fit the flow.
        UsageError: when the flow can't be imported.
        NotFound: when there is no such flow, or no such variant.
    """
    missing = unsupported(scenario)
    if missing:
        raise NotInThisVersion("\n".join(missing))
    flow = load_flow(scenario.flow)
    if scenario.fires is not None and flow.schedule is None:
        reason = f"{scenario.flow} has no schedule to follow; leave fires out, and it is run once"
        report(scenario.source, [(("fires",), reason)])
    task_faults(scenario)
    names, complete = flow.task_names()
    check_policies(scenario, variant, in_reach(flow), names)
    if complete:
        check_tasks(scenario, names)
    return Rehearsal(name, scenario, variant, _seed(seed, scenario.seed), flow, _given(scenario, flow))


def _given(scenario: Scenario, flow: Flow[..., Any]) -> dict[str, Any]:
    """Return the scenario's parameters, converted; where a schedule is followed it may give the others."""
    clocks = () if scenario.fires is None or flow.schedule is None else flow.schedule.clocks
    scheduled = {name: value for clock in clocks for name, value in clock.parameters.items()}
    converted = parameters.convert(flow.name, flow.parameters, {**scheduled, **scenario.parameters})
    return {name: converted[name] for name in scenario.parameters}


def _seed(*said: int | None) -> int:
    """Return the first seed that was said, or a drawn one that is short enough to be typed again."""
    drawn = ambient.world().stream("seeds of rehearsals").randrange(_MOST_SEEDS)
    return next((seed for seed in said if seed is not None), drawn)


def play(
    rehearsal: Rehearsal,
    folder: Path,
    listeners: Sequence[Listener] = (),
    *,
    repeat: int = 1,
    told: Callable[[int], None] | None = None,
) -> Report:
    """Play a scenario on an event loop of its own and return what it came to.

    Args:
        rehearsal: what `prepare` made.
        folder: where the rehearsal's own folder is made; it is kept.
        listeners: views that see every event of the run with faults.
        repeat: how often that run is played; repeats tell whether its traces are the same.
        told: told of each repeat's number before it, from 2.

    Raises:
        ScenarioInvalid: when the scenario names a task that the flow turned out not to have.
        UsageError: when a service can't be started, or repeats of the real world are asked for.
        KeyboardInterrupt: after Ctrl-C; the run is cancelled and recorded.
    """
    clock = ambient.world().monotonic
    began = clock()
    expect = rehearsal.expect
    with Homes(folder) as homes:
        calm = None
        if expect.before is not None:
            before = world_for(rehearsal, "before")
            calm = Stage(rehearsal, before, homes, with_faults=False).run()
        world = world_for(rehearsal)
        stage = Stage(rehearsal, world, homes, listeners, with_faults=True)
        facts = stage.run()
        _check_names(rehearsal, [facts] if calm is None else [calm, facts])
        repeats = None if world.trace is None else repeated(rehearsal, homes, world.trace, repeat, told)
    return Report(
        scenario=rehearsal.name,
        variant=rehearsal.variant,
        world=rehearsal.world,
        seed=rehearsal.seed,
        history=facts.history,
        fires=tuple(run.history for run in facts.runs),
        faults=stage.fault_counts(),
        checks=tuple(_checks(expect, calm, facts)),
        wall_s=clock() - began,
        home=facts.home,
        stuck=stage.stuck,
        escapes=tuple(map(str, world.escapes)),
        repeats=repeats,
        breakers=tuple(facts.breakers),
    )


def _checks(expect: Expect, calm: Facts | None, facts: Facts) -> Iterator[Check]:
    """Yield the checks in the order of time: before the faults, during the run, at its end."""
    if expect.before is not None and calm is not None:
        for check in check_all(expect.before, calm):
            yield Check(f"before any fault, {check.what}", check.held, check.detail)
    for run in facts.runs or (facts,):
        yield from check_always(expect.always, run.history.header, run.events)
    yield from check_fires(expect.fires, facts)
    if facts.history.has_stopped:
        yield from check_all(expect, facts)


def _check_names(rehearsal: Rehearsal, played: Sequence[Facts]) -> None:
    """Check task names once more when the flow's tasks could not be told before the run."""
    flow = rehearsal.flow
    names, complete = flow.task_names()
    if not complete:
        runs = [run for facts in played for run in facts.runs or (facts,)]
        called = [task.name for run in runs for task in run.history.tasks]
        reached = [task.name for task in in_reach(flow)]
        check_tasks(rehearsal.scenario, dict.fromkeys([*names, *called, *reached]))
