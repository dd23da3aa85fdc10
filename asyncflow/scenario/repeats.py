"""Plays the same simulated run again and again, and tells whether it is the same each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from asyncflow.scenario.homes import Homes
from asyncflow.scenario.stage import Stage
from asyncflow.scenario.verdict import Repeats
from asyncflow.scenario.worlds import SimulatedWorld
from asyncflow.sim.trace.diff import first_difference
from asyncflow.sim.trace.trace import Trace

if TYPE_CHECKING:
    from asyncflow.scenario.play import Rehearsal


def repeated(
    rehearsal: Rehearsal,
    homes: Homes,
    first: Trace,
    times: int,
    told: Callable[[int], None] | None = None,
) -> Repeats:
    """Play a simulated run until it was played so many times, and compare the traces.

    Args:
        rehearsal: what is played.
        homes: makes the folders.
        first: the trace of the first time.
        times: how often it is played, the first time included.
        told: told of each repeat's number before it, from 2.
    """
    lines, digest = tuple(first.lines), first.digest()
    seen = {digest}
    number = 0
    other: tuple[str, ...] = ()
    for played in range(2, times + 1):
        if told is not None:
            told(played)
        trace = _once_more(rehearsal, homes)
        if trace.digest() not in seen and not number:
            number, other = played, tuple(trace.lines)
        seen.add(trace.digest())
    difference = first_difference(lines, other) if number else None
    return Repeats(digest, lines, times, len(seen), number, other, difference)


def _once_more(rehearsal: Rehearsal, homes: Homes) -> Trace:
    world = SimulatedWorld(rehearsal.seed, rehearsal.identity)
    Stage(rehearsal, world, homes, with_faults=True).run()
    return world.trace
