"""What control flow looks like in a graph: tasks of its own, and no line that another way says already."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow import Flow, flow, task
from asyncflow.control import case, ifelse, merge, resource_manager, switch
from tests.control.kit import give


@task
def use(*_):
    raise AssertionError("nothing runs while a flow is drawn")


@resource_manager
class Door:
    """Nothing of it runs either."""

    def __init__(self, name="door"):
        raise AssertionError(name)

    def setup(self):
        """Open it."""

    def cleanup(self, resource):
        """Close it."""


def branches():
    kind = give()
    with case(kind, "a"):
        a = use(use.with_options(name="first")())
    b = use.with_options(name="b")()
    switch(kind, {2: b})
    ifelse(kind, use.with_options(name="yes"), use.with_options(name="no"))
    merge(a, b)


BRANCHES = """
give -condition-> case(a)
case(a) ..> first
first -_-> use
give -condition-> case(2)
case(2) ..> b
give -condition-> case(True)
case(True) ..> yes
give -condition-> case(False)
case(False) ..> no
use -branches-> merge
b -branches-> merge
"""


def resources():
    with Door() as door:
        first = use.with_options(name="first")(door)
        use(first)
        with case(1, 1):
            use.with_options(name="maybe")(door)


RESOURCES = """
Door -self-> Door.setup
Door.setup -_-> first
first -_-> use
Door.setup ..> case(1)
Door.setup -_-> maybe
case(1) ..> maybe
Door -self-> Door.cleanup
Door.setup -resource-> Door.cleanup
use ..> Door.cleanup
maybe ..> Door.cleanup
"""


def lines(graph):
    names = {node.id: node.label for node in graph.nodes}
    return sorted(
        f"{names[edge.source]} {'..' if edge.ordered_only else f'-{edge.label}-'}> {names[edge.target]}"
        for edge in graph.edges
    )


@pytest.mark.parametrize(("wire", "drawn"), [(branches, BRANCHES), (resources, RESOURCES)])
def test_what_is_drawn(wire, drawn):
    expected = sorted(drawn.split("\n")[1:-1])
    with Flow("recorded") as recorded:
        wire()
    assert lines(recorded.graph()) == expected
    assert lines(flow(name="wired")(wire).graph()) == expected

    @flow
    async def awaiting():
        wire()

    assert lines(awaiting.graph()) == expected


def test_the_sketch_of_a_body_that_awaits_in_a_block_has_the_cleanup():
    @flow
    async def awaiting():
        with Door() as door:
            await use(door)

    assert awaiting.task_names() == (["Door", "Door.setup", "use", "Door.cleanup"], False)


def test_a_sketch_that_is_cut_short_in_a_block_leaves_the_scope_as_it_was():
    @flow
    async def sleeping():
        with Door(), case(1, 1):
            await asyncio.sleep(0)

    assert sleeping.task_names() == (["Door", "Door.setup", "case(1)"], False)
    assert sleeping.task_names() == (["Door", "Door.setup", "case(1)"], False)
