from __future__ import annotations

import copy
import dataclasses
import gc
import os
import pickle
import weakref

import pytest

from asyncflow.ambient import World, entered
from asyncflow.policy.bulkhead import Bulkhead
from asyncflow.policy.rate_limit import RateLimit
from asyncflow.policy.throttle import Throttle

NAMELESS = [
    pytest.param(lambda: Bulkhead(2), Bulkhead.places, id="bulkhead"),
    pytest.param(lambda: RateLimit(2), RateLimit.limiter, id="rate limit"),
    pytest.param(lambda: Throttle(), Throttle.throttler, id="throttle"),
]


@pytest.mark.parametrize(("make", "state"), NAMELESS)
def test_a_policy_without_a_name_has_a_state_of_its_own_in_each_world(make, state):
    policy, equal = make(), make()
    with entered(World()):
        here = state(policy)
        assert state(policy) is here
        assert policy == equal
        assert hash(policy) == hash(equal)
        assert state(equal) is not here
    with entered(World()) as elsewhere:
        assert state(policy) is not here
        assert state(policy) is state(policy, elsewhere)


@pytest.mark.parametrize(("make", "state"), NAMELESS)
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, dataclasses.replace, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy_begins_without_state(make, state, again):
    policy = make()
    with entered(World()):
        here = state(policy)
        assert again(policy) == policy
        assert state(again(policy)) is not here


@pytest.mark.parametrize(("make", "state"), NAMELESS)
def test_state_without_a_name_keeps_neither_its_world_nor_itself_alive(make, state):
    policy, home = make(), World()
    gone = weakref.ref(home)
    state(policy, home)
    del home
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.parametrize("name", [None, "of the parent"])
def test_a_forked_process_begins_without_the_places_of_its_parent(name):
    bulkhead = Bulkhead(1, name=name)
    bulkhead.places().enter(0.0)
    child = os.fork()
    if not child:
        os._exit(not bulkhead.places().enter(0.0).is_granted)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bulkhead.places().taken == 1
