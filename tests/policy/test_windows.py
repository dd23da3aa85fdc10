"""Windows against the plainest way to count: keep all calls and look through them each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.policy.probes import Probes
from asyncflow.policy.rates import Rates, percent
from asyncflow.policy.windows import FAILED, SLICES, SLOW, CountWindow, TimeWindow

RATES = Rates(0.5, 3, 0.5, 4.0)
KINDS = st.sampled_from([0, 0, FAILED, SLOW, FAILED | SLOW])


def sums_of(kinds):
    return len(kinds), sum(kind & FAILED for kind in kinds), sum(kind >> 1 for kind in kinds)


@given(size=st.integers(2, 6), kinds=st.lists(KINDS | st.just("forget"), max_size=40))
def test_a_count_window_has_the_newest_calls(size, kinds):
    window, told = CountWindow(size, RATES), []
    for kind in kinds:
        if kind == "forget":
            window.forget()
            told.clear()
        else:
            noted = window.count(kind, 0.0)
            told.append(kind)
            assert bool(noted) == any(told[-size:])
        assert window.sums(0.0) == sums_of(told[-size:])


@given(
    width=st.sampled_from([1, 3]),
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 1, 1, 2, 3, 3, 4, 29, 35]), KINDS | st.sampled_from(["forget", "look"])
        ),
        max_size=40,
    ),
)
def test_a_time_window_has_the_calls_of_its_ten_slices(width, steps):
    window, told, now = TimeWindow(width * SLICES, RATES), [], 0
    for passed, step in steps:
        now += passed
        if step == "forget":
            window.forget()
            told.clear()
        elif step == "look":
            window.move_on(now)
        else:
            window.count(step, now)
            told.append((now, step))
            assert (window.calls, window.failures, window.slow) == window.sums(now)
        for later in (now, now + width, now + 9 * width, now + 11 * width):
            live = [kind for at, kind in told if at // width > later // width - SLICES]
            assert window.sums(later) == sums_of(live)


@pytest.mark.parametrize(
    ("sums", "hanging", "why"),
    [
        ((0, 0, 0), 0, ""),
        ((2, 2, 2), 0, ""),  # too few to judge
        ((3, 1, 1), 0, ""),
        ((4, 2, 0), 0, "after 50 % of 4 calls failed"),
        ((3, 2, 0), 0, "after 66.7 % of 3 calls failed"),
        ((4, 0, 2), 0, "after 50 % of 4 calls took 4 s or longer"),
        # What hangs counts as slow, and says nothing yet about failures.
        ((2, 0, 0), 2, "after 50 % of 4 calls took 4 s or longer"),
        ((0, 0, 0), 3, "after 100 % of 3 calls took 4 s or longer"),
        ((2, 2, 0), 1, ""),
        ((3, 2, 0), 9, "after 66.7 % of 3 calls failed"),
    ],
)
def test_a_share_that_reaches_its_rate_is_too_much(sums, hanging, why):
    assert RATES.why(sums, hanging, RATES.min_calls) == why


@pytest.mark.parametrize("share", [i / 100 for i in range(1, 101)])
def test_a_rate_in_hundredths_is_reached_by_exactly_so_many_of_a_hundred(share):
    count = round(share * 100)
    rates = Rates(share, 100)
    assert rates.why((100, count, 0), 0, 100)
    assert not rates.why((100, count - 1, 0), 0, 100)


@pytest.mark.parametrize(
    ("share", "told"), [(0.6, "60 %"), (1 / 3, "33.3 %"), (1.0, "100 %"), (0.001, "0.1 %")]
)
def test_a_share_is_told_in_per_cent(share, told):
    assert percent(share) == told


def test_probes_are_judged_when_each_has_answered_or_hangs():
    probes = Probes(3, RATES)
    probes.out = 3
    probes.count(FAILED, 0.0)
    probes.count(0, 0.0)
    assert probes.why(0) == ""
    assert probes.why(1) == ""  # a third is slow: too little
    probes.count(FAILED, 0.0)
    assert probes.why(0) == "after 66.7 % of 3 calls failed"
    assert (probes.out, probes.is_full, probes.have_answered) == (0, True, True)
