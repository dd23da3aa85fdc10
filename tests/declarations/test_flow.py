from __future__ import annotations

import pytest

from asyncflow import Flow, flow
from asyncflow.errors import InvalidFlow, ParameterError


@flow
async def load_all(size: int, *, unit="kg"):
    """Load."""


def handler(obj, old, new): ...


def test_a_flow_is_named_after_its_function_with_blanks():
    assert (load_all.name, load_all.__doc__, repr(load_all)) == ("load all", "Load.", "<Flow 'load all'>")
    assert flow(name="etl")(load_all.fn).name == "etl"


def test_options_have_defaults():
    f = Flow("f")
    assert (f.state_handlers, f.on_failure, f.fail_fast, f.store) == ((), None, False, None)


@pytest.mark.parametrize(
    ("options", "attribute", "value"),
    [
        ({"name": "x"}, "name", "x"),
        ({"state_handlers": [handler]}, "state_handlers", (handler,)),
        ({"state_handlers": None}, "state_handlers", ()),
        ({"on_failure": handler}, "on_failure", handler),
        ({"fail_fast": True}, "fail_fast", True),
        ({"store": ":memory:"}, "store", ":memory:"),
    ],
)
def test_each_option_is_taken_by_the_decorator_and_by_with_options(options, attribute, value):
    assert getattr(flow(**options)(load_all.fn), attribute) == value
    changed = load_all.with_options(**options)
    assert getattr(changed, attribute) == value
    assert changed.fn is load_all.fn
    assert (load_all.name, load_all.fail_fast) == ("load all", False), "the original is as it was"


def test_an_unknown_option_is_answered_with_the_nearest():
    for declare in (lambda: flow(failfast=True)(load_all.fn), lambda: load_all.with_options(failfast=True)):
        with pytest.raises(InvalidFlow, match=r"unknown flow option 'failfast'\. Did you mean 'fail_fast'?"):
            declare()


def test_names_and_number_of_arguments_are_checked_when_it_is_called():
    for call in (
        lambda: load_all(),
        lambda: load_all(1, 2),
        lambda: load_all(1, size=2),
        lambda: load_all(zz=1),
    ):
        with pytest.raises(TypeError, match="load_all"):
            call()


def test_arguments_are_bound_to_their_names():
    assert load_all.bind((3,), {"unit": "t"}) == {"size": 3, "unit": "t"}
    assert load_all.bind((), {"size": 3}) == {"size": 3}


@pytest.mark.parametrize("given", [{"size": 1}, {"parameters": {"size": 1}}])
def test_parameters_may_be_given_by_name_or_in_one_mapping(given):
    assert load_all.arguments(given) == {"size": 1}


def test_a_parameter_named_parameters_is_one():
    @flow
    def odd(parameters): ...

    assert odd.arguments({"parameters": {"a": 1}}) == {"parameters": {"a": 1}}


async def test_missing_and_unexpected_parameters_are_told_before_anything_starts():
    with pytest.raises(ParameterError, match=r"unexpected parameters: zz.*required parameters: size"):
        await load_all.start(zz=3)


def nameless_rest(*sizes): ...
def named_rest(**sizes): ...
def by_position(size, /): ...


@pytest.mark.parametrize("body", [nameless_rest, named_rest, by_position])
def test_parameters_of_a_flow_have_names_of_their_own(body):
    with pytest.raises(InvalidFlow, match=r"has the parameter .*size.*; a flow's parameters have names"):
        flow(body)


def test_a_callable_without_a_name_needs_one():
    class Body:
        def __call__(self): ...

    assert flow(Body(), name="b").name == "b"
    with pytest.raises(InvalidFlow, match="needs a name"):
        flow(Body())
    with pytest.raises(InvalidFlow, match="needs a function, not 3"):
        flow(3)


def test_a_generator_is_no_body():
    def numbers():
        yield 1

    async def more_numbers():
        yield 1

    for body in (numbers, more_numbers):
        with pytest.raises(InvalidFlow, match="is a generator"):
            flow(body)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"state_handlers": [None]}, "state handler None is not callable"),
        ({"on_failure": "alert"}, "on_failure='alert' is not callable"),
    ],
)
def test_handlers_that_can_not_be_called_are_refused_where_they_are_written(options, sentence):
    for declare in (lambda: Flow("f", **options), lambda: Flow("f").with_options(**options)):
        with pytest.raises(InvalidFlow, match=sentence):
            declare()


def test_a_flow_knows_whether_its_body_may_await():
    assert load_all.is_async
    assert not flow(lambda: None, name="x").is_async
    assert not Flow("x").is_async
