from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from asyncflow import Flow, Parameter, flow, signals, task
from asyncflow.errors import HandleMisuse, InvalidFlow, LateEdge, UsageError
from asyncflow.handles import scope


@task
def make(size=1):
    return size


@task
def use(value, *more, **named):
    return value


@task(nout=2)
def pair():
    return 1, 2


@dataclass
class Box:
    value: Any


def drawn(graph):
    """Return the edges as text: `1 -value-> 2`, `1 ...> 2` for an order only."""
    return [
        f"{edge.source} ...> {edge.target}"
        if edge.ordered_only
        else f"{edge.source} -{edge.label}-> {edge.target}"
        for edge in graph.edges
    ]


def test_calls_are_noted_down_and_nothing_runs():
    ran = []

    @task
    def mark():
        ran.append(1)

    with Flow("f") as f:
        first = mark()
        second = mark()
    assert ran == []
    assert (first.number, second.number, first.name) == (1, 2, "mark")
    assert repr(first) == "<call 1 of mark in flow 'f'>"
    assert [node.label for node in f.graph().nodes] == ["mark", "mark"]


def test_data_edges_carry_the_name_of_the_argument_and_others_carry_none():
    with Flow("f") as f:
        one = make()
        two = use(one, [one, 5], k={"x": one})
        three = use(Box(one))
        three.set_upstream(two)
        one.set_downstream(three)
    assert drawn(f.graph()) == ["1 -value-> 2", "1 -more-> 2", "1 -k-> 2", "1 -value-> 3", "2 ...> 3"]


def test_after_orders_a_call_without_passing_data():
    with Flow("f") as f:
        use.after(make(), make())(3)
    assert drawn(f.graph()) == ["1 ...> 3", "2 ...> 3"]


def test_elements_and_unpacked_values_are_edges_from_their_call():
    with Flow("f") as f:
        first, second = pair()
        use(first, second)
        use(make()["k"][0])
    assert drawn(f.graph()) == ["1 -value-> 2", "1 -more-> 2", "3 -value-> 4"]


def test_a_child_flow_is_a_node_of_its_own_kind():
    @flow(name="inner")
    def inner(x): ...

    with Flow("outer") as outer:
        use(inner(make()))
    assert [(node.label, node.is_flow) for node in outer.graph().nodes] == [
        ("make", False),
        ("inner", True),
        ("use", False),
    ]
    assert drawn(outer.graph()) == ["1 -x-> 2", "2 -value-> 3"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda foreign, own: use(foreign),
        lambda foreign, own: use([foreign["k"]]),
        lambda foreign, own: own.set_upstream(foreign),
        lambda foreign, own: use.after(foreign)(1),
        lambda foreign, own: own.set_upstream(Parameter("p")),
    ],
)
def test_a_handle_of_another_flow_is_refused_by_name(wrong):
    with Flow("other"):
        foreign = make()
    with Flow("f"):
        own = make()
        with pytest.raises(InvalidFlow, match=r"is not part of flow 'f'"):
            wrong(foreign, own)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_flow_needs_a_name(name):
    with pytest.raises(InvalidFlow, match="needs a name"):
        Flow(name)
    with pytest.raises(ValueError, match="needs a name"):
        Flow("x").with_options(name=name)


def test_the_block_ends_the_recording_also_when_it_raises():
    with pytest.raises(RuntimeError, match="x"), Flow("f"):
        raise RuntimeError("x")
    assert scope.get() is None


def test_a_recording_can_be_gone_on_with():
    with Flow("f") as f:
        one = make()
    with f:
        use(one)
    assert drawn(f.graph()) == ["1 -value-> 2"]


def test_recordings_do_not_nest_and_functions_take_none():
    with Flow("f") as f:
        with pytest.raises(InvalidFlow, match="can't be recorded inside another recording"), Flow("g"):
            pass
        with pytest.raises(InvalidFlow, match="inside another recording"), f:
            pass
        make()
    with pytest.raises(InvalidFlow, match="has a function as its body"), flow(lambda: None, name="h"):
        pass


def test_handles_can_not_be_looked_into_while_they_are_recorded():
    with Flow("f"):
        handle = make()
        with pytest.raises(HandleMisuse, match="write the flow as `async def` and await the handle"):
            _ = handle > 1
        with pytest.raises(HandleMisuse):
            bool(Parameter("p"))


def test_reference_tasks_belong_to_their_flow():
    with Flow("other"):
        foreign = make()
    with Flow("f") as f:
        own = make()
    f.set_reference_tasks([own["k"]])
    with pytest.raises(InvalidFlow, match="reference task 'make' is not part of flow 'f'"):
        f.set_reference_tasks([foreign])
    with pytest.raises(InvalidFlow, match="the handles that it returns"):
        flow(lambda: None, name="g").set_reference_tasks([own])


class TestParameters:
    def test_parameters_are_known_by_name_and_default(self):
        with Flow("f") as f:
            size = Parameter("size")
            use(size, Parameter("unit", default="kg"))
        assert {name: spec.required for name, spec in f.parameters.items()} == {"size": True, "unit": False}
        assert size.name == "size"

    def test_a_parameter_made_outside_belongs_to_each_flow_that_uses_it(self):
        size = Parameter("size", default=3)
        with Flow("f") as f:
            use([size])
        with Flow("g") as g:
            use(size)
            use(size)
        assert list(f.parameters) == list(g.parameters) == ["size"]

    def test_parameters_are_values_and_no_tasks(self):
        with Flow("f") as f:
            use(Parameter("size"))
        assert [node.label for node in f.graph().nodes] == ["use"]
        with pytest.raises(UsageError, match="has its value before anything starts"):
            Parameter("size").set_upstream(Parameter("other"))

    def test_two_parameters_of_one_name_must_say_the_same(self):
        with Flow("f") as f:
            Parameter("size", default=3)
            Parameter("size", default=3)
            with pytest.raises(InvalidFlow, match="two parameters named 'size'"):
                Parameter("size", default=4)
            with pytest.raises(InvalidFlow, match="two parameters named 'size'"):
                Parameter("size")
        assert f.parameters["size"].default == 3


class Sketched:
    """Bodies that need a value sooner or later."""

    @flow
    @staticmethod
    def wires(size=3):
        use(make(size))

    @flow
    @staticmethod
    async def returns_at_once():
        return make()

    @flow
    @staticmethod
    async def awaits_a_handle():
        use(await make())

    @flow
    @staticmethod
    async def awaits_something_else():
        make()
        await asyncio.sleep(0)
        use(1)

    @flow
    @staticmethod
    async def sleeps():
        make()
        await asyncio.sleep(1)
        use(1)

    @flow
    @staticmethod
    async def fails():
        make()
        raise RuntimeError("x")

    @flow
    @staticmethod
    async def signals():
        make()
        raise signals.SKIP("x")

    @flow
    @staticmethod
    def looks_into_its_parameter(size):
        make(size)
        if size > 3:
            use(1)


class TestSketches:
    """What is known of a function flow before any run."""

    @pytest.mark.parametrize(
        ("body", "tasks", "whole"),
        [
            ("wires", ["make", "use"], True),
            ("returns_at_once", ["make"], True),
            ("awaits_a_handle", ["make"], False),
            ("awaits_something_else", ["make"], False),
            ("sleeps", ["make"], False),
            ("fails", ["make"], False),
            ("signals", ["make"], False),
            ("looks_into_its_parameter", ["make"], False),
        ],
    )
    def test_the_tasks_are_known_up_to_where_the_body_needs_a_value(self, body, tasks, whole):
        assert getattr(Sketched, body).task_names() == (tasks, whole)
        assert scope.get() is None

    def test_a_body_that_awaits_inside_try_is_left_without_a_trace(self):
        @flow
        async def careful():
            try:
                await make()
            finally:
                use(1)

        names, whole = careful.task_names()
        assert names == ["make", "use"]
        assert not whole

    def test_edges_of_a_sketch_are_those_of_the_body(self):
        assert drawn(Sketched.wires.graph()) == ["1 -value-> 2"]
        assert Sketched.wires.graph().name == "wires"


def test_an_edge_may_be_added_long_after_the_call_since_nothing_has_started():
    with Flow("f") as f:
        one, two = make(), make()
    two.set_upstream(one)
    assert drawn(f.graph()) == ["1 ...> 2"]
    assert not issubclass(InvalidFlow, LateEdge)
