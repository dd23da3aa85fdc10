from __future__ import annotations

import dataclasses
from collections import defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest

from asyncflow.errors import HandleMisuse, NotInFlow
from asyncflow.handles import Handle, Item, current, find_handles, source_of, substitute

Point = namedtuple("Point", "x y")


class Given(Handle[Any]):
    """A handle whose value is given."""

    def __init__(self, value, nout=None):
        self.value = value
        self.count = nout
        self.order = []

    name = "given"

    @property
    def nout(self):
        return self.count

    def set_upstream(self, *others):
        self.order += others


@dataclass
class Counted:
    """Counts how often it was made, and derives a field."""

    value: Any
    derived: Any = field(init=False, default=None)
    made = 0

    def __post_init__(self):
        type(self).made += 1
        self.derived = ("of", self.value)


@dataclass(frozen=True, slots=True)
class Frozen:
    value: Any


class MyList(list): ...


class MyTuple(tuple): ...


def value_of(handle):
    return handle.value


ONE, TWO = Given(1), Given(2)


@pytest.mark.parametrize(
    ("value", "found", "filled"),
    [
        (ONE, [ONE], 1),
        ([ONE, 5, TWO], [ONE, TWO], [1, 5, 2]),
        ((ONE, "x"), [ONE], (1, "x")),
        (Point(ONE, 0), [ONE], Point(1, 0)),
        ({"a": ONE, "b": [TWO]}, [ONE, TWO], {"a": 1, "b": [2]}),
        ([[[ONE]]], [ONE], [[[1]]]),
        ([ONE, ONE], [ONE, ONE], [1, 1]),
        (Frozen(ONE), [ONE], Frozen(1)),
        (Frozen([TWO]), [TWO], Frozen([2])),
        (MyList([ONE]), [ONE], MyList([1])),
        (MyTuple([ONE]), [ONE], MyTuple([1])),
    ],
)
def test_handles_are_found_in_containers_and_replaced_by_their_values(value, found, filled):
    handles: list = []
    find_handles(value, handles)
    assert [id(handle) for handle in handles] == [id(handle) for handle in found]
    result = substitute(value, value_of)
    assert result == filled
    assert type(result) is type(filled)


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "text",
        [1, [2]],
        (1, 2),
        Point(1, 2),
        {"a": [1]},
        Frozen(3),
        object(),
        {1, 2},
        Frozen,
        bytearray(),
    ],
)
def test_what_holds_no_handle_is_passed_as_the_same_object(value):
    assert substitute(value, value_of) is value


def test_the_original_containers_are_not_changed():
    inner = [ONE]
    outer = {"a": inner}
    assert substitute(outer, value_of) == {"a": [1]}
    assert outer == {"a": inner}
    assert inner == [ONE]


def test_only_the_parts_that_hold_handles_are_rebuilt():
    kept = [1, 2]
    rebuilt = substitute([kept, ONE], value_of)
    assert rebuilt[0] is kept


def test_a_dataclass_is_rebuilt_without_running_its_post_init_again():
    counted = Counted(ONE)
    made = Counted.made
    rebuilt = substitute(counted, value_of)
    assert (rebuilt.value, Counted.made) == (1, made)
    assert rebuilt.derived == ("of", 1), "a field that holds a handle is filled, whoever set it"
    assert counted.value is ONE


def test_a_dict_keeps_its_kind():
    filled = substitute(defaultdict(list, a=ONE), value_of)
    assert isinstance(filled, defaultdict)
    assert filled == {"a": 1}
    assert filled["new"] == []


def test_a_container_that_holds_itself_is_looked_through_once():
    loop: list = [1]
    loop.append(loop)
    handles: list = []
    find_handles(loop, handles)
    assert handles == []
    assert substitute(loop, value_of) is loop


def test_an_element_of_a_value_is_a_handle_too():
    pair = Given({"k": [10, 20]})
    element = pair["k"][1]
    assert source_of(element) is pair
    assert element.name == "given['k'][1]"
    assert substitute([element], value_of) == [20]
    element.set_upstream(ONE)
    assert pair.order == [ONE]


def test_a_handle_with_a_known_number_of_values_can_be_unpacked():
    first, second = Given((1, 2), nout=2)
    assert substitute((first, second), value_of) == (1, 2)
    assert len(list(Given((), nout=0))) == 0


OPERATIONS = {
    "if": bool,
    "not": lambda handle: not handle,
    "len": len,
    "in": lambda handle: 1 in handle,
    "+": lambda handle: handle + 1,
    "1 +": lambda handle: 1 + handle,
    "-": lambda handle: handle - 1,
    "1 -": lambda handle: 1 - handle,
    "*": lambda handle: handle * 2,
    "2 *": lambda handle: 2 * handle,
    "/": lambda handle: handle / 2,
    "2 /": lambda handle: 2 / handle,
    "//": lambda handle: handle // 2,
    "2 //": lambda handle: 2 // handle,
    "%": lambda handle: handle % 2,
    "**": lambda handle: handle**2,
    "|": lambda handle: handle | {},
    "&": lambda handle: handle & {},
    "^": lambda handle: handle ^ {},
    "<": lambda handle: handle < 1,
    "<=": lambda handle: handle <= 1,
    ">": lambda handle: handle > 1,
    ">=": lambda handle: handle >= 1,
    "1 <": lambda handle: 1 < handle,  # noqa: SIM300 - the point of the test
    "== value": lambda handle: handle == 1,
    "!= value": lambda handle: handle != 1,
    "value ==": lambda handle: 1 == handle,  # noqa: SIM300 - the point of the test
    "unary -": lambda handle: -handle,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_handle_can_not_be_looked_into(operation):
    with pytest.raises(HandleMisuse, match=r"'given'.*write the flow as `async def` and await the handle"):
        OPERATIONS[operation](Given(1))


def test_iterating_over_a_handle_of_unknown_length_names_both_ways_out():
    with pytest.raises(HandleMisuse, match=r"@task\(nout=2\).*write `async def` and await"):
        iter(Given([1, 2]))
    with pytest.raises(HandleMisuse):
        _first, _second = Given([1, 2])


def test_handles_are_told_apart_by_identity():
    assert ONE == ONE
    assert Given(1) != Given(1)
    assert len({ONE, TWO, ONE}) == 2
    assert TWO in [ONE, TWO]


def test_set_downstream_is_set_upstream_from_the_other_side():
    one, two, three = Given(1), Given(2), Given(3)
    one.set_downstream(two, three)
    assert (two.order, three.order) == ([one], [one])


def test_later_is_the_same_handle():
    assert ONE.later is ONE


def test_a_handle_of_a_flow_that_is_only_wired_can_not_be_awaited():
    with pytest.raises(HandleMisuse, match="only being wired"):
        ONE.__await__()
    with pytest.raises(HandleMisuse):
        next(Item(ONE, "k").__await__())


def test_current_has_an_answer_only_inside_a_run():
    with pytest.raises(NotInFlow, match="inside the body of a task or flow"):
        current()


def test_a_dataclass_field_that_was_never_set_is_left_alone():
    @dataclass
    class Lazy:
        value: Any
        rest: Any = dataclasses.field(init=False)

    lazy = Lazy(ONE)
    filled = substitute(lazy, value_of)
    assert filled.value == 1
    assert not hasattr(filled, "rest")
