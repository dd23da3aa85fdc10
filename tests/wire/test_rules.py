from __future__ import annotations

from math import inf, nan

import pytest

from asyncflow.errors import UsageError
from asyncflow.wire.rules import Bandwidth, Corrupt, Cut, Flap, Latency, Outage, Slice, Stall, lifted


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Latency(-1), "seconds=-1"),
        (lambda: Latency(inf), "seconds=inf"),
        (lambda: Latency(nan), "seconds=nan"),
        (lambda: Latency(True), "seconds=True"),
        (lambda: Latency("1s"), "seconds='1s'"),
        (lambda: Latency(1, -0.5), "jitter=-0.5"),
        (lambda: Latency(1, at=-1), "at=-1"),
        (lambda: Bandwidth(0), "rate=0"),
        (lambda: Bandwidth(inf), "rate=inf"),
        (lambda: Bandwidth(1, at=0.5), "at=0.5"),
        (lambda: Slice(0), "size=0"),
        (lambda: Slice(1.5), "size=1.5"),
        (lambda: Slice(1, -1), "gap=-1"),
        (lambda: Slice(1, 0, -1), "at=-1"),
        (lambda: Stall(-1, 1), "at=-1"),
        (lambda: Stall(0, -1), "seconds=-1"),
        (lambda: Corrupt(-1), "at=-1"),
        (lambda: Corrupt(0, 0), "count=0"),
        (lambda: Corrupt(0, 1, 0), "mask=0"),
        (lambda: Corrupt(0, 1, 256), "mask=256"),
        (lambda: Cut(-1), "at=-1"),
        (lambda: Cut(True), "at=True"),
        (lambda: Cut(0, "explode"), "how='explode'"),
        (lambda: Cut(0, start=-1), "start=-1"),
        (lambda: Cut(0, start=2, end=2), "end=2"),
        (lambda: Outage(3, 2), "end=2"),
        (lambda: Outage(inf, inf), "start=inf"),
        (lambda: Flap(0, 1), "up=0"),
        (lambda: Flap(1, 0), "down=0"),
        (lambda: Flap(1, 1, 5, 4), "end=4"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_rule_name_and_value(make, named):
    with pytest.raises(UsageError) as refused:
        make()
    rule, _, rest = str(refused.value).partition(": ")
    assert rule in {"Latency", "Bandwidth", "Slice", "Stall", "Corrupt", "Cut", "Outage", "Flap"}
    assert rest.startswith(f"{named} must be ")
    assert "; " in rest


def test_the_ends_of_the_ranges_are_allowed():
    Latency(0, 0, at=0), Slice(1, 0, 0), Stall(0, 0), Stall(0, inf), Corrupt(0, 1, 1), Corrupt(0, 1, 255)
    Cut(0), Outage(0, inf)


def test_a_limited_rule_acts_from_its_start_to_before_its_end():
    cut = Cut(0, start=2.0, end=3.0)
    assert [cut.acts(now) for now in (1.9, 2.0, 2.9, 3.0)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("outages", "when", "lift"),
    [
        ([], 5, 5),
        ([Outage(4, 6)], 3.9, 3.9),
        ([Outage(4, 6)], 4, 6),
        ([Outage(4, 6)], 6, 6),
        ([Outage(4, inf)], 5, inf),
        # One begins when the other ends, whatever their order.
        ([Outage(6, 8), Outage(4, 6)], 5, 8),
        # A flapping link is up first.
        ([Flap(2, 3)], 0, 0),
        ([Flap(2, 3)], 1.9, 1.9),
        ([Flap(2, 3)], 2, 5),
        ([Flap(2, 3)], 4.9, 5),
        ([Flap(2, 3)], 5, 5),
        ([Flap(2, 3)], 7, 10),
        ([Flap(2, 3, 10, 24)], 5, 5),
        ([Flap(2, 3, 10, 24)], 13, 15),
        # It is up for good when its time is over, in the middle of a turn.
        ([Flap(2, 3, 10, 24)], 22.5, 24),
        ([Flap(2, 3, 10, 24)], 24, 24),
        # Two links that are never up together.
        ([Flap(1, 1), Outage(0, 1), Flap(1, 1, 1)], 0.5, inf),
    ],
)
def test_what_arrives_in_an_outage_waits_until_none_is_left(outages, when, lift):
    assert lifted(outages, when)[0] == lift


def test_only_outages_that_held_something_back_are_told():
    first, second, third = Outage(1, 2), Outage(2, 3), Outage(5, 6)
    assert lifted([third, second, first], 1.5) == (3, [first, second])
