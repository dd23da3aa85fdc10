from __future__ import annotations

import dataclasses
import functools
from datetime import timedelta

import pytest

from asyncflow import Breaker, Policy, Retry, Task, constant, task, triggers
from asyncflow.errors import InvalidPolicy, InvalidTask, NotInFlow
from asyncflow.policies import Bulkhead, Fallback, Hedge, RateLimit, Throttle


def body(a, b=2):
    """Add."""
    return a + b


def handler(obj, old, new): ...


async def waits(): ...


class WaitsWhenCalled:
    async def __call__(self): ...


def test_a_task_keeps_its_function_and_what_is_said_of_it():
    add = task(body)
    assert add.fn(1) == 3
    assert (add.name, add.__doc__, add.__wrapped__, add.__name__) == ("body", "Add.", body, "body")
    assert repr(add) == "<Task body>"


def test_options_have_defaults():
    add = task(body)
    assert add.policy == Policy()
    assert add.trigger is triggers.all_successful
    assert add.skip_on_upstream_skip
    assert (add.state_handlers, add.on_failure, add.nout, add.key, add.validate) == (
        (),
        None,
        None,
        None,
        False,
    )
    assert not add.has_handlers


@pytest.mark.parametrize(
    ("options", "attribute", "value"),
    [
        ({"name": "add"}, "name", "add"),
        ({"timeout": 3}, "policy", Policy(timeout=3)),
        ({"retry": 3}, "policy", Policy(retry=Retry(3))),
        ({"retry": Retry(2)}, "policy", Policy(retry=Retry(2))),
        ({"breaker": Breaker("x")}, "policy", Policy(breaker=Breaker("x"))),
        ({"when_rejected": "wait"}, "policy", Policy(when_rejected="wait")),
        ({"deadline": timedelta(seconds=9)}, "policy", Policy(deadline=9)),
        ({"hedge": 0.5}, "policy", Policy(hedge=Hedge(0.5))),
        ({"hedge": Hedge(quantile=0.9)}, "policy", Policy(hedge=Hedge(quantile=0.9))),
        ({"rate_limit": RateLimit(3, name="x")}, "policy", Policy(rate_limit=RateLimit(3, name="x"))),
        ({"bulkhead": Bulkhead(3, name="x")}, "policy", Policy(bulkhead=Bulkhead(3, name="x"))),
        ({"throttle": Throttle(name="x")}, "policy", Policy(throttle=Throttle(name="x"))),
        ({"fallback": Fallback(value=0)}, "policy", Policy(fallback=Fallback(value=0))),
        ({"policy": Policy(timeout=9)}, "policy", Policy(timeout=9)),
        ({"policy": None}, "policy", Policy()),
        ({"max_retries": 2, "retry_delay": 1}, "policy", Policy(retry=Retry(3, delay=constant(1)))),
        (
            {"max_retries": 2, "retry_delay": timedelta(minutes=1)},
            "policy",
            Policy(retry=Retry(3, delay=constant(60))),
        ),
        ({"max_retries": None, "retry_delay": None}, "policy", Policy()),
        ({"trigger": triggers.all_failed}, "trigger", triggers.all_failed),
        ({"skip_on_upstream_skip": False}, "skip_on_upstream_skip", False),
        ({"state_handlers": [handler]}, "state_handlers", (handler,)),
        ({"state_handlers": None}, "state_handlers", ()),
        ({"on_failure": handler}, "on_failure", handler),
        ({"nout": 2}, "nout", 2),
        ({"key": "k"}, "key", "k"),
        ({"validate": True}, "validate", True),
    ],
)
def test_each_option_is_taken_by_the_decorator_and_by_with_options(options, attribute, value):
    assert getattr(task(**options)(body), attribute) == value
    assert getattr(task(body).with_options(**options), attribute) == value


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timout": 3}, "unknown task option 'timout'. Did you mean 'timeout'?"),
        ({"max_retries": 2}, "max_retries and retry_delay belong together"),
        ({"retry_delay": 2}, "max_retries and retry_delay belong together"),
        ({"max_retries": 2, "retry_delay": 1, "retry": 3}, "retry= already says all of it"),
        ({"policy": Policy(), "timeout": 3}, "policy= already says all of it; leave out timeout"),
        ({"policy": 3.0}, "policy=3.0 must be a Policy; write Policy(timeout=3.0)"),
        ({"nout": -1}, "nout=-1 must be 0 or more"),
        ({"state_handlers": [3]}, "state handler 3 is not callable"),
        ({"on_failure": 3}, "on_failure=3 is not callable"),
        ({"trigger": "all_failed"}, "trigger='all_failed' is not callable"),
    ],
)
def test_settings_that_can_not_work_are_refused_at_declaration(options, sentence):
    for declare in (lambda: task(**options)(body), lambda: task(body).with_options(**options)):
        with pytest.raises(InvalidTask) as caught:
            declare()
        assert sentence in str(caught.value)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"retry": 0}, {"max_retries": -1, "retry_delay": 0}])
def test_policies_out_of_range_are_refused_at_declaration(options):
    with pytest.raises(InvalidPolicy):
        task(**options)(body)


def test_what_can_not_be_a_body_is_refused():
    def numbers():
        yield 1

    async def more_numbers():
        yield 1

    for fn, sentence in [
        (3, "needs a function, not 3"),
        (numbers, "is a generator"),
        (more_numbers, "generator"),
    ]:
        with pytest.raises(InvalidTask, match=sentence):
            task(fn)


def test_any_callable_is_a_body_and_says_itself_whether_it_waits():
    bodies = {
        body: False,
        waits: True,
        functools.partial(waits): True,
        WaitsWhenCalled(): True,
        functools.partial(body, 1): False,
        len: False,
    }
    for fn, is_async in bodies.items():
        assert task(fn).is_async is is_async
    assert task(WaitsWhenCalled()).name == "WaitsWhenCalled"
    assert task(lambda: 1).name == "<lambda>"


@pytest.mark.parametrize(
    ("annotation", "nout"),
    [
        (tuple[int, str], 2),
        (tuple[int, ...], None),
        (tuple, None),
        (list[int], None),
        (None, None),
        ("tuple[int, str, float]", 3),
        ("Missing", None),
    ],
)
def test_a_tuple_annotation_says_how_many_values_there_are(annotation, nout):
    def pair(): ...

    pair.__annotations__ = {"return": annotation}
    assert task(pair).nout == nout
    assert task(nout=5)(pair).nout == 5


def test_a_declaration_is_an_immutable_value():
    add = task(body)
    with pytest.raises(dataclasses.FrozenInstanceError):
        add.name = "other"
    changed = add.with_options(name="other", timeout=3)
    assert (add.name, add.policy) == ("body", Policy())
    assert (changed.name, changed.fn) == ("other", body)


def test_with_options_changes_nothing_else():
    first = task(retry=3, timeout=2, name="n", trigger=triggers.any_failed, nout=2)(body)
    changed = first.with_options(timeout=5)
    assert changed.policy == Policy(retry=Retry(3), timeout=5)
    assert (changed.name, changed.trigger, changed.nout) == ("n", triggers.any_failed, 2)
    assert isinstance(changed, Task)


def test_each_part_of_a_policy_is_an_option_and_may_be_changed_and_taken_away():
    parts = {
        "retry": Retry(3),
        "breaker": Breaker("x"),
        "rate_limit": RateLimit(3, name="x"),
        "bulkhead": Bulkhead(3, queue=1, name="x"),
        "throttle": Throttle(name="x"),
        "timeout": 1.0,
        "deadline": 9.0,
        "hedge": Hedge(1.0),
        "fallback": Fallback(value=0),
        "when_rejected": "wait",
    }
    assert set(parts) == {part.name for part in dataclasses.fields(Policy)}
    first = task(**parts)(body)
    assert first.policy == Policy(**parts)
    assert first.with_options(bulkhead=Bulkhead(9, queue=1, name="x")).policy.bulkhead.limit == 9
    assert first.with_options(**dict.fromkeys(parts)).policy == Policy()
    assert first.policy == Policy(**parts)


def test_parts_that_contradict_each_other_are_refused_where_they_are_declared():
    with pytest.raises(InvalidPolicy, match="timeout=9 is longer than deadline=3"):
        task(timeout=9, deadline=3)(body)
    with pytest.raises(InvalidPolicy, match="timeout=9 is longer than deadline=3"):
        task(timeout=9)(body).with_options(deadline=3)


def test_a_task_called_outside_a_flow_says_what_to_write_instead():
    with pytest.raises(NotInFlow, match=r"task 'body' was called outside a flow.*body\.fn\(\.\.\.\)"):
        task(body)(1)
    with pytest.raises(NotInFlow):
        task(body).after()(1)
