from __future__ import annotations

from math import inf

import pytest

from asyncflow.errors import UsageError
from asyncflow.scenario.actions import ACTIONS
from asyncflow.wire.fault import LOOKUP_WORDS, REFUSAL_WORDS, WireFault
from asyncflow.wire.rules import Bandwidth, Corrupt, Cut, Flap, Latency, Outage, Slice, Stall

KEYS = {"seconds": 1.0, "rate": 10.0, "count": 4, "up": 1.0, "down": 2.0}
TIMED = {"reset-all": (5.0, 6.0), "clog": (5.0, 6.0)}


def fault(do, **options):
    return WireFault(id="f", host="example.org", do=do, **options)


@pytest.mark.parametrize(
    ("planned", "rule"),
    [
        (fault("reset", byte=9), Cut(9, "reset")),
        (fault("eof", byte=9), Cut(9, "eof")),
        (fault("half-close", byte=9), Cut(9, "half-close")),
        (fault("blackhole", byte=9), Cut(9, "blackhole")),
        (fault("corrupt", byte=9), Corrupt(9, 1, 0x20)),
        (fault("corrupt", byte=9, count=3, mask=1), Corrupt(9, 3, 1)),
        (fault("stall", byte=9, seconds=3), Stall(9, 3)),
        (fault("drip", byte=9, seconds=3), Slice(1, 3, 9)),
        (fault("drip", byte=9, seconds=3, count=5), Slice(5, 3, 9)),
        (fault("slice", byte=9, count=5), Slice(5, 0, 9)),
        (fault("bandwidth", byte=9, rate=100), Bandwidth(100, 9)),
        (fault("latency", byte=9, seconds=2, jitter=1), Latency(2, 1, 9)),
        (fault("partition", window=(3, 8)), Outage(3, 8)),
        (fault("partition"), Outage(0, inf)),
        (fault("flap", up=2, down=1, window=(3, 8)), Flap(2, 1, 3, 8)),
        (fault("clog", byte=9, seconds=2), Stall(9, 2)),
        (fault("clog", window=(3, 8)), Outage(3, 8)),
        (fault("reset", byte=9, window=(3, 8)), Cut(9, "reset", start=3, end=8)),
        (fault("latency", seconds=2, window=(3, 8)), Latency(2, start=3, end=8)),
    ],
)
def test_each_word_makes_its_rule(planned, rule):
    assert planned.rule(planned.byte) == rule


OF_TLS = ("bad-certificate", "tls-reset", "tls-stall", "tls-corrupt")
WORDS = [action for action in ACTIONS if action.layer == "network" and action.do not in OF_TLS]


@pytest.mark.parametrize("action", WORDS, ids=lambda action: action.do)
def test_the_words_are_those_of_scenarios_with_the_values_they_need(action):
    window = TIMED.get(action.do, (0.0, inf))
    needed = {"count" if key == "bytes" else key for key in action.needed}
    planned = fault(action.do, window=window, **{key: KEYS[key] for key in needed})
    kinds = [action.do in LOOKUP_WORDS, action.do in REFUSAL_WORDS, planned.strikes_bytes]
    assert sum(kinds) == (0 if action.do == "reset-all" else 1)
    for key in needed:
        with pytest.raises(UsageError, match=f"'{action.do}' needs '{key}'"):
            fault(action.do, window=window, **{other: KEYS[other] for other in needed - {key}})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: fault("rest"), "f: do='rest' is no word of the wire. Did you mean 'reset'"),
        (lambda: fault("qqqq"), "Use one of nxdomain, "),
        (lambda: fault("tls-reset"), "no word of the wire"),
        (lambda: fault("reset", byte=-1), "byte=-1"),
        (lambda: fault("reset", connections=(0,)), "connections=0"),
        (lambda: fault("nxdomain", lookups=(1, -2)), "lookups=-2"),
        (lambda: fault("reset", attempts=(0,)), "attempts=0"),
        (lambda: fault("reset", part="body", request=(0,)), "request=0"),
        (lambda: fault("reset", request=(1,)), "needs part"),
        (lambda: fault("reset", probability=0), "probability=0"),
        (lambda: fault("reset", probability=1.5), "probability=1.5"),
        (lambda: fault("reset", window=(5, 5)), "end=5"),
        (lambda: fault("stall", seconds=-1), "seconds=-1"),
        (lambda: fault("drip", seconds=1, count=0), "size=0"),
        (lambda: fault("slice", count=0), "size=0"),
        (lambda: fault("corrupt", count=0), "count=0"),
        (lambda: fault("corrupt", mask=0), "mask=0"),
        (lambda: fault("bandwidth", rate=0), "rate=0"),
        (lambda: fault("flap", up=0, down=1), "up=0"),
        (lambda: fault("partition", byte=3), "leave out byte and part"),
        (lambda: fault("clog", part="body", window=(1, 2)), "leave out byte and part"),
        (lambda: fault("clog"), "give it seconds or a window"),
        (lambda: fault("reset-all"), "let it begin after 0"),
    ],
)
def test_a_fault_that_can_t_be_is_refused(make, says):
    with pytest.raises(UsageError) as refused:
        make()
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("options", "by", "covered"),
    [
        ({}, None, True),
        ({}, ("load", 2), True),
        ({"task": "load"}, ("load", 2), True),
        ({"task": "load"}, ("parse", 2), False),
        ({"task": "load"}, None, False),
        ({"task": "load", "attempts": (2, 3)}, ("load", 2), True),
        ({"task": "load", "attempts": (1, 3)}, ("load", 2), False),
        ({"attempts": (1,)}, ("load", 1), True),
        ({"attempts": (1,)}, ("load", 2), False),
        ({"attempts": (1,)}, None, False),
    ],
)
def test_a_fault_is_meant_for_its_task_and_attempts(options, by, covered):
    assert fault("reset", **options).covers(by) is covered


@pytest.mark.parametrize(
    ("planned", "times"),
    [
        (fault("refuse", window=(2, 4)), [3]),
        (fault("nxdomain", window=(2, 4)), [3]),
        (fault("refuse"), [1, 3, 5]),
        # Connections that are open in the window are struck, whenever they were made.
        (fault("reset", window=(2, 4)), [1, 3]),
        (fault("partition", window=(2, 4)), [1, 3]),
        (fault("reset-all", window=(2, 4)), [1]),
    ],
)
def test_a_window_says_what_may_be_struck(planned, times):
    assert [now for now in (1, 3, 5) if planned.may_strike(now)] == times
