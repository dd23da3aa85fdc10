"""A scenario and its variants, played with the same faults and the same seed, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asyncflow.errors import UsageError
from asyncflow.history.measures import Measures, measures_of
from asyncflow.human import plural
from asyncflow.scenario.format import Scenario
from asyncflow.scenario.play import Rehearsal, prepare
from asyncflow.scenario.verdict import Report

COMPARISON_VERSION = 1
"""The version of the JSON form."""

AS_WRITTEN = "as written"
"""How the scenario itself is called among its variants."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of those that are compared.

    Attributes:
        title: the variant's title; empty when it has none.
        report: what its rehearsal came to.
        measures: the numbers of its run.
    """

    title: str
    report: Report
    measures: Measures

    @property
    def label(self) -> str:
        """The variant's name, or what the scenario itself is called."""
        return self.report.variant or AS_WRITTEN


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a scenario and its variants came to, in the order of the file."""

    sides: tuple[Side, ...]

    @property
    def held(self) -> bool:
        """Whether every verdict is held."""
        return all(side.report.verdict == "held" for side in self.sides)

    @property
    def sentence(self) -> str:
        """The comparison in plain words."""
        ends: dict[str, list[str]] = {}
        for side in self.sides:
            ends.setdefault(side.report.history.state.name, []).append(side.label)
        told = ", ".join(f"{_listed(labels)} {state}" for state, labels in ends.items())
        held = sum(side.report.verdict == "held" for side in self.sides)
        verdicts = "every verdict" if self.held else f"{held} of {plural(len(self.sides), 'verdict')}"
        return f"The same faults with seed {self.sides[0].report.seed}: {told}; {verdicts} held."

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready data, as `scenario --compare --json` prints it."""
        first = self.sides[0].report
        return {
            "v": COMPARISON_VERSION,
            "scenario": first.scenario,
            "world": first.world,
            "seed": first.seed,
            "held": self.held,
            "sentence": self.sentence,
            "variants": [
                {
                    "variant": side.report.variant,
                    "title": side.title,
                    "measures": side.measures.to_json(),
                    "report": side.report.to_json(),
                }
                for side in self.sides
            ],
        }


def _listed(labels: Sequence[str]) -> str:
    *others, last = labels
    return f"{', '.join(others)} and {last} end" if others else f"{last} ends"


def prepare_all(
    name: str, scenario: Scenario, *, variant: str | None = None, seed: int | None = None
) -> list[Rehearsal]:
    """Return the rehearsals to compare: the scenario itself, and its variants or the one that is named.

    Args:
        name: the scenario's name.
        scenario: what its file says.
        variant: the only variant to compare it with.
        seed: stands in for the scenario's seed; when neither says one, all have the same drawn one.

    Raises:
        UsageError: when there is no variant to compare with.
        AsyncflowError: as `prepare`.
    """
    if not scenario.variants:
        raise UsageError(
            f"{name} has no variants, and so nothing to compare; add [variant.NAME] to {scenario.source.file}"
        )
    first = prepare(name, scenario, seed=seed)
    others = scenario.variants if variant is None else [variant]
    return [first, *(prepare(name, scenario, variant=other, seed=first.seed) for other in others)]


def compare(rehearsals: Sequence[Rehearsal], play: Callable[[Rehearsal], Report]) -> Comparison:
    """Play rehearsals one after the other, and return what they came to.

    Args:
        rehearsals: what `prepare_all` made.
        play: plays one of them.
    """
    return Comparison(tuple(_side(rehearsal, play(rehearsal)) for rehearsal in rehearsals))


def _side(rehearsal: Rehearsal, report: Report) -> Side:
    chosen = rehearsal.scenario.variants.get(rehearsal.variant or "")
    return Side(chosen.title if chosen else "", report, measures_of(report.history))
