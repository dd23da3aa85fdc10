"""Random nestings of cases, switches and merges come to what plain Python comes to with `if`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asyncflow import task
from asyncflow.control import case, ifelse, merge, switch
from tests.control.kit import as_async, as_def, as_recorded, give

VALUES = st.sampled_from([0, 1, 2, None, "a"])


@dataclass
class Log:
    """Which leaves ran, by their numbers."""

    ran: list[int]

    def leaf(self, number: int) -> int:
        self.ran.append(number)
        return number


Plan = Any
"""A leaf's number, or a tuple: the kind of branching, what is asked, and plans inside."""


def plans() -> st.SearchStrategy[Plan]:
    return st.recursive(
        st.integers(0, 99),
        lambda inner: st.one_of(
            st.tuples(st.just("case"), VALUES, VALUES, st.lists(inner, max_size=3)),
            st.tuples(
                st.just("switch"), VALUES, st.dictionaries(VALUES, inner, max_size=3), st.none() | inner
            ),
            st.tuples(st.just("ifelse"), VALUES, inner, inner),
        ),
        max_leaves=8,
    )


def plainly(plan: Plan, log: Log) -> Any:
    """Do what a plan says with Python's own `if`; return its value, None where nothing was taken."""
    match plan:
        case int():
            return log.leaf(plan)
        case "case", asked, value, inside:
            if asked != value:
                return None
            values = [plainly(inner, log) for inner in inside]
            return next((one for one in values if one is not None), None)
        case "switch", asked, cases, default:
            if asked in cases:
                return plainly(cases[asked], log)
            return None if default is None else plainly(default, log)
        case "ifelse", asked, then, otherwise:
            return plainly(then if asked else otherwise, log)
    raise AssertionError(plan)


def wired(plan: Plan, leaf: Callable[[int], Any]) -> Any:
    """Wire what a plan says; return the handle of its value."""
    match plan:
        case int():
            return leaf(plan)
        case "case", asked, value, inside:
            with case(give(asked), value):
                handles = [wired(inner, leaf) for inner in inside]
                return merge(*handles) if handles else leaf.none()
        case "switch", asked, cases, default:
            branches = switch(
                give(asked),
                {value: lambda inner=inner: wired(inner, leaf) for value, inner in cases.items()},
                None if default is None else lambda: wired(default, leaf),
            )
            return merge(*branches) if branches else leaf.none()
        case "ifelse", asked, then, otherwise:
            return merge(*ifelse(give(asked), lambda: wired(then, leaf), lambda: wired(otherwise, leaf)))
    raise AssertionError(plan)


class Leaf:
    """Calls the task that stands for a leaf."""

    def __init__(self, log: Log) -> None:
        @task
        async def leaf(number: int) -> int:
            return log.leaf(number)

        self._leaf = leaf

    def __call__(self, number: int) -> Any:
        return self._leaf(number)

    def none(self) -> Any:
        """Return what stands for a plan without branches: skipped, as if none were taken."""
        with case(0, 1):
            return give(None)


@given(plans(), st.sampled_from([as_def, as_async, as_recorded]))
def test_branches_are_those_of_plain_python(plan: Plan, played: Callable[..., Any]) -> None:
    expected, found = Log([]), Log([])
    value = plainly(plan, expected)
    handle: list[Any] = []
    run = played(lambda: handle.append(wired(plan, Leaf(found))))
    assert run.is_success()
    assert sorted(found.ran) == sorted(expected.ran)
    taken = run.tasks[handle[-1]] if played is as_recorded else handle[-1]
    assert taken.state.result == value
