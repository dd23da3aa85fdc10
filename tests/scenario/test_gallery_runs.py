"""The shipped scenarios are played, and so are copies of them with one thing changed, which must not hold.

Everything here is read from the files, so that a new scenario is tested as soon as it lies there. Each is
played in every world that can carry it out, and its copies in the simulated one, where waiting costs nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec import structs

from asyncflow.scenario import gallery
from asyncflow.scenario import play as playing
from asyncflow.scenario.always import check_always
from asyncflow.scenario.check import Check, listed
from asyncflow.scenario.expectations import Facts, check_all
from asyncflow.scenario.format import Expect, Expectations, Fault, Rows, Scenario, ServiceAt
from asyncflow.scenario.load import load
from asyncflow.scenario.play import play, prepare
from asyncflow.scenario.stage import Stage
from asyncflow.scenario.support import unsupported
from asyncflow.scenario.values import Count, Range, Span, said
from asyncflow.scenario.verdict import Report
from asyncflow.scenario.wire_rules import PLACES

pytestmark = pytest.mark.real_time("each scenario is played in the real world, too, and its policies wait")

NEVER = 99
"""The number of an attempt, and of a request, that no shipped scenario comes to."""


@cache
def scenario(name: str) -> Scenario:
    return load(gallery.find(name))


World = Literal["real", "simulated"]
Part = tuple[str, str | None]
"""The name of a scenario, and of one of its variants or None for the scenario itself."""


def worlds(name: str) -> list[World]:
    """Return the worlds that can carry out a scenario; one that asks for virtual time is not waited for."""
    every: tuple[World, ...] = ("simulated", "real") if scenario(name).world == "real" else ("simulated",)
    return [world for world in every if not unsupported(scenario(name).changed(world=world))]


PARTS: list[Part] = [(name, part) for name in gallery.names() for part in (None, *scenario(name).variants)]
IN_WORLDS: list[tuple[Part, World]] = [(part, world) for part in PARTS for world in worlds(part[0])]
IN_BOTH = [part for part in PARTS if len(worlds(part[0])) == 2]
WITH_FAULTS = [name for name in gallery.names() if scenario(name).faults]
FAULTS = [(name, index) for name in WITH_FAULTS for index in range(len(scenario(name).faults))]


def rehearsed(folder: Path, name: str, variant: str | None = None, **changes: Any) -> Report:
    """Play a part of the gallery with some things changed, in the simulated world if the world is not."""
    changes = {"world": "simulated"} | changes
    return play(prepare(name, scenario(name).changed(**changes), variant=variant), folder)


class Played:
    """Every part of the gallery, played once in a world, with the facts that its report was made of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[Part, World], tuple[Report, list[Facts]]] = {}

    def __call__(self, part: Part, world: World = "simulated") -> tuple[Report, list[Facts]]:
        if (part, world) not in self._known:
            facts: list[Facts] = []

            class Noting(Stage):
                def run(self) -> Facts:
                    facts.append(super().run())
                    return facts[-1]

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(playing, "Stage", Noting)
                self._known[part, world] = rehearsed(self._folder, *part, world=world), facts
        return self._known[part, world]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("gallery"))


@pytest.mark.parametrize(("part", "world"), IN_WORLDS, ids=str)
def test_every_scenario_and_every_variant_holds(played: Played, part: Part, world: World) -> None:
    report, _ = played(part, world)
    assert report.world == world
    assert report.verdict == "held", report.sentence
    assert report.checks
    start = "Failed successfully: " if report.faults else "Held: no fault was in the way"
    assert report.sentence.startswith(start)
    assert report.sentence.endswith(f"the flow ended {report.history.state.name}, as expected.")


@pytest.mark.parametrize("part", IN_BOTH, ids=str)
def test_both_worlds_come_to_the_same(played: Played, part: Part) -> None:
    simulated, real = (outline(played(part, world)[0]) for world in worlds(part[0]))
    assert simulated == real


def outline(report: Report) -> dict[str, Any]:
    """Return what a report says beside times and names."""
    told = report.to_json()
    same = ("verdict", "sentence", "flow", "tasks", "faults", "expectations")
    return {key: told[key] for key in same}


def test_every_scenario_can_be_played_in_the_world_that_it_asks_for() -> None:
    assert {name for name in gallery.names() if scenario(name).world not in worlds(name)} == set()
    assert all("simulated" in worlds(name) for name in gallery.names())


def test_the_gallery_is_played_within_seconds(played: Played) -> None:
    assert sum(played(part, "real")[0].history.ended for part in IN_BOTH) < 60
    assert sum(played(part)[0].history.ended for part in PARTS) > 3600


# ---------------------------------------------------------------------- one expectation changed


def other_state(wanted: str | list[str]) -> str:
    return next(state for state in ("Success", "Failed", "Skipped") if state not in listed(wanted))


def other_count(count: Count) -> Count:
    if isinstance(count, int):
        return count + 1
    return Range(min=count.max + 1) if count.max is not None else Range(max=(count.min or 0) - 1)


def other_rows(rows: Rows) -> Iterator[Rows]:
    """Yield the opposite of each claim; a claim about columns of no rows at all would hold either way."""
    place: dict[str, Any] = {"database": rows.database, "table": rows.table, "where": rows.where}
    if rows.count is not None:
        yield Rows(**place, count=rows.count + 1)
    if rows.min is not None:
        yield Rows(**place, max=rows.min - 1)
    if rows.max is not None:
        yield Rows(**place, min=rows.max + 1)
    yield from (Rows(**place, not_null=column) for column in listed(rows.null))
    yield from (Rows(**place, null=column) for column in listed(rows.not_null))


def in_table(key: str, other: Callable[[Any], Any]) -> Callable[[Any], Iterator[Expectations]]:
    return lambda table: (Expectations(**{key: {name: other(value)}}) for name, value in table.items())


OTHERS: dict[str, Callable[[Any], Iterator[Expectations]]] = {
    "flow": lambda wanted: iter([Expectations(flow=other_state(wanted))]),
    "tasks": in_table("tasks", other_state),
    "attempts": in_table("attempts", other_count),
    "calls": in_table("calls", other_count),
    "rows": lambda wanted: (Expectations(rows=[other]) for rows in wanted for other in other_rows(rows)),
    "result": lambda wanted: iter([Expectations(result=[wanted])]),
    "events": lambda wanted: (
        Expectations(events=[structs.replace(event, count=other_count(event.count or Range(min=1)))])
        for event in wanted
    ),
    "breaker": in_table("breaker", lambda states: [*states, states[-1]]),
    "within": lambda _wanted: iter([Expectations(within=Span.parse("0.001ms"))]),
}
"""For each kind of expectation: the opposite of each claim, in a table of its own."""


def changed(expected: Expectations) -> Iterator[Expectations]:
    for key in said(expected):
        if key not in ("before", "always", "fires"):
            yield from OTHERS[key](getattr(expected, key))


def all_changed(expect: Expect, facts: list[Facts]) -> Iterator[tuple[Expectations, list[Check]]]:
    """Yield every changed claim with its check, in each of the moments."""
    for other in changed(expect):
        yield other, check_all(other, facts[-1])
    for other in changed(expect.before) if expect.before is not None else ():
        yield other, check_all(other, facts[0])
    for expected, run in zip(expect.fires, facts[-1].runs, strict=True) if expect.fires else ():
        for other in changed(expected):
            yield other, check_all(other, run)
    for expected in expect.always:
        for other in changed(expected):
            yield other, check_always([other], facts[-1].history.header, facts[-1].events)


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_no_claim_of_the_gallery_would_hold_if_it_said_something_else(played: Played, part: Part) -> None:
    name, variant = part
    _, facts = played(part)
    expect = prepare(name, scenario(name), variant=variant).expect
    checked = list(all_changed(expect, facts))
    assert checked
    for other, checks in checked:
        assert [check.held for check in checks] == [False], other
        assert checks[0].detail


@pytest.mark.parametrize("name", gallery.names())
def test_a_scenario_that_expects_another_end_is_violated_and_says_so(tmp_path: Path, name: str) -> None:
    expect = scenario(name).expect
    assert expect.flow is not None, "every shipped scenario says how its flow ends"
    state = other_state(expect.flow)
    # The baseline is left out: it is not the one that is changed.
    report = rehearsed(tmp_path, name, expect=structs.replace(expect, flow=state, before=None))
    found = report.history.state.name
    assert report.verdict == "violated"
    assert report.sentence == f"Violated: expected that the flow ends {state}, but found {found}."


# ---------------------------------------------------------------------- one fault moved or removed


def moved(fault: Fault) -> Fault:
    """Return a fault that strikes an attempt, a request, a look-up or a connection that never comes."""
    key = "attempt"
    if isinstance(fault.at, ServiceAt):
        key = PLACES[fault.do][0] if fault.action.layer == "network" else "request"
    return structs.replace(fault, at=structs.replace(fault.at, **{key: NEVER}))


@pytest.mark.parametrize(("name", "index"), FAULTS)
def test_a_scenario_with_a_fault_that_never_comes_does_not_hold(
    tmp_path: Path, name: str, index: int
) -> None:
    faults = [
        moved(fault) if number == index else fault for number, fault in enumerate(scenario(name).faults)
    ]
    expect = structs.replace(scenario(name).expect, before=None)
    report = rehearsed(tmp_path, name, faults=faults, expect=expect)
    fault = report.faults[index]
    assert fault.fired == 0
    assert report.verdict in ("violated", "not-reached")
    assert fault.optional or str(fault) in report.sentence
    # Were nothing expected, it would still be no pass.
    assert fault.optional or dataclasses.replace(report, checks=()).verdict == "not-reached"


@pytest.mark.parametrize("name", WITH_FAULTS)
def test_a_scenario_without_its_faults_is_violated(tmp_path: Path, name: str) -> None:
    expect = structs.replace(scenario(name).expect, before=None)
    assert rehearsed(tmp_path, name, faults=[], expect=expect).verdict == "violated"


# ---------------------------------------------------------------------- the texts


@pytest.mark.parametrize("name", gallery.names())
def test_a_story_is_told_in_a_few_plain_lines(name: str) -> None:
    shown = scenario(name)
    assert 10 < len(shown.title) <= 80
    assert not shown.title.endswith(".")
    assert 1 <= len(shown.story.splitlines()) <= 5
    assert shown.story.endswith(".")
    assert all(variant.title for variant in shown.variants.values())
    assert shown.seed is not None


def test_the_table_above_knows_every_kind_of_expectation_that_is_built() -> None:
    kinds = {field.encode_name for field in structs.fields(Expectations)}
    assert kinds - {"signal", "output", "check"} == OTHERS.keys()
