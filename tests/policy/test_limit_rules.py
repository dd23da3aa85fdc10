from __future__ import annotations

import math
from random import Random

import pytest

from asyncflow.errors import InvalidPolicy
from asyncflow.policy.limit_rules import AIMD, Gradient2, Vegas

EACH = {"window": 0, "min_calls": 1}
"""A rule that learns from each call by itself."""


def limits(rule, start, *samples):
    """Return the limit after each sample: (milliseconds, calls in flight) or (milliseconds, calls, True)."""
    learner = rule.learner(start, Random(0))
    return [learner.sample(ms / 1000, inflight, bool(dropped), 0.0) for ms, inflight, *dropped in samples]


@pytest.mark.parametrize(
    ("rule", "start", "samples", "expected"),
    [
        # The published rows.
        pytest.param(Vegas(), 10, [(10, 10), (10, 11)], [10, 16], id="vegas: no queue"),
        pytest.param(Vegas(), 10, [(10, 10), (50, 11)], [10, 9], id="vegas: long queue"),
        pytest.param(Vegas(), 10, [(10, 10), (14, 14)], [10, 10], id="vegas: queue of the wished length"),
        pytest.param(
            Vegas(highest=20_000),
            10_000,
            [(10_000, 5000), (10_000, 6000)],
            [10_000, 10_024],
            id="vegas: digits",
        ),
        pytest.param(AIMD(), 30, [(0, 0, True)], [27], id="aimd: dropped"),
        pytest.param(AIMD(), 20, [(1, 10)], [21], id="aimd: success"),
        pytest.param(AIMD(highest=21), 21, [(1, 10)], [21], id="aimd: highest"),
        # A queue that is shorter than wished, and one at its edges: of 10, 2 and 6 wait.
        pytest.param(Vegas(), 10, [(80, 10), (100, 10)], [10, 11], id="vegas: short queue"),
        pytest.param(Vegas(), 10, [(40, 10), (100, 10)], [10, 10], id="vegas: beta is allowed"),
        pytest.param(Vegas(), 10, [(10, 10), (9, 10, True)], [10, 9], id="vegas: dropped"),
        pytest.param(Vegas(), 10, [(10, 4), (10, 4)], [10, 10], id="vegas: limit not reached"),
        pytest.param(Vegas(lowest=9), 10, [(10, 10), (90, 10), (90, 10)], [10, 9, 9], id="vegas: lowest"),
        pytest.param(Vegas(highest=12), 10, [(10, 10), (10, 10)], [10, 12], id="vegas: highest"),
        pytest.param(AIMD(slow_after=0.1), 30, [(100, 30), (101, 31)], [31, 27], id="aimd: slow"),
        pytest.param(AIMD(), 20, [(1, 9)], [20], id="aimd: limit not reached"),
        # A fifth of the queue of four more, while calls take at most half as long again as usual.
        pytest.param(Gradient2(), 20, [(10, 20)] * 5, [20, 21, 22, 23, 24], id="gradient2: even"),
        pytest.param(Gradient2(), 20, [(10, 20), (18, 20)], [20, 21], id="gradient2: tolerated"),
        pytest.param(Gradient2(), 20, [(10, 9)] * 5, [20] * 5, id="gradient2: limit not reached"),
        pytest.param(Gradient2(highest=21), 20, [(10, 20)] * 3, [20, 21, 21], id="gradient2: highest"),
        # Calls that take longer lower it in proportion, by half at most.
        pytest.param(
            Gradient2(smoothing=1, queue=0),
            40,
            [(10, 40)] * 10 + [(20, 40)],
            [40] * 10 + [30],
            id="gradient2: slower",
        ),
        pytest.param(
            Gradient2(smoothing=1, queue=0),
            40,
            [(10, 40)] * 10 + [(999, 40)],
            [40] * 10 + [20],
            id="gradient2: half",
        ),
    ],
)
def test_the_limit_follows_what_is_measured(rule, start, samples, expected):
    settings = {name: getattr(rule, name) for name in rule.__dataclass_fields__} | EACH
    assert limits(type(rule)(**settings), start, *samples) == expected


def test_calls_are_measured_together_over_a_window():
    learner = AIMD(slow_after=0.1).learner(20, Random(0))
    for n in range(9):
        assert learner.sample(0.5, 20, dropped=False, now=n / 10) == 20
    assert learner.sample(0.05, 20, dropped=False, now=0.95) == 20  # ten calls, but no second
    assert learner.sample(0.05, 20, dropped=False, now=1.0) == 18  # 0.42 s on average

    assert learner.sample(0.05, 20, dropped=False, now=9.0) == 18
    for _ in range(8):
        assert learner.sample(0.05, 20, dropped=False, now=11.0) == 18  # a second, but not ten calls
    assert learner.sample(0.05, 20, dropped=False, now=11.0) == 19


@pytest.mark.parametrize("rule", [Vegas(), AIMD()])
def test_one_call_that_ran_out_of_time_lowers_the_limit_once_for_its_window(rule):
    learner = rule.learner(50, Random(0))
    for n in range(100):
        limit = learner.sample(0.01, 50, dropped=n % 10 == 0, now=n / 99)
    assert limit == {Vegas: 49, AIMD: 45}[type(rule)]


def test_vegas_measures_the_quickest_time_afresh_after_a_while():
    learner = Vegas(**EACH, afresh=2).learner(10, Random(0))
    seen = [learner.sample(ms / 1000, 10, dropped=False, now=0.0) for ms in [10] + [14] * 40]
    # At first 14 ms are a queue of three calls; once they are the quickest there is none, and it grows.
    assert seen[:10] == [10] * 10
    assert seen[-1] > 10
    first = seen.index(16)
    assert 10 <= first <= 21  # half of `afresh` times the limit at the earliest


def test_gradient2_forgets_a_time_of_trouble_faster_than_it_averages():
    learner = Gradient2(**EACH, memory=10**6).learner(20, Random(0))
    for ms in [1000] * 20 + [10] * 60:  # 0.95 ** 60 of a second is less than 50 ms
        learner.sample(ms / 1000, 100, dropped=False, now=0.0)
    before = learner.estimate
    learner.sample(0.1, 100, dropped=False, now=0.0)
    assert learner.estimate < before


@pytest.mark.parametrize("rule", [Vegas(**EACH), Gradient2(**EACH), AIMD(**EACH)])
def test_calls_that_take_no_time_are_as_quick_as_can_be(rule):
    assert limits(rule, 20, (0, 20), (0, 20))[-1] > 20


@pytest.mark.parametrize("rule", [Vegas, Gradient2, AIMD])
@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"lowest": 0}, "lowest=0 must be a whole number, 1 or more"),
        ({"lowest": 9, "highest": 8}, "highest=8 must be a whole number, 9 or more"),
        ({"window": -1}, "window=-1 must be 0 or more"),
        ({"min_calls": 0}, "min_calls=0"),
    ],
)
def test_a_setting_that_all_rules_have_is_refused_out_of_range(rule, settings, problem):
    with pytest.raises(InvalidPolicy, match=problem):
        rule(**settings)


@pytest.mark.parametrize(
    ("rule", "settings", "problem"),
    [
        (Vegas, {"alpha": 0}, "alpha=0"),
        (Vegas, {"beta": 2}, "beta=2 must be a whole number, 3 or more; it can't be below alpha=3"),
        (Vegas, {"afresh": 0}, "afresh=0"),
        (Gradient2, {"queue": -1}, "queue=-1"),
        (Gradient2, {"tolerance": 0.9}, "tolerance=0.9 must be a number, 1 or more"),
        (Gradient2, {"tolerance": math.inf}, "tolerance=inf"),
        (Gradient2, {"smoothing": 0}, "smoothing=0 would leave the limit where it is"),
        (Gradient2, {"smoothing": 1.1}, "smoothing=1.1 must be a number, from 0 to 1"),
        (Gradient2, {"memory": 0}, "memory=0"),
        (AIMD, {"slow_after": 0}, "slow_after=0 must be more than 0"),
        (AIMD, {"backoff": 0.4}, "backoff=0.4 must be a number, from 0.5 to 1"),
        (AIMD, {"backoff": 1}, "backoff=1 would never lower the limit"),
    ],
)
def test_a_setting_out_of_range_is_refused(rule, settings, problem):
    with pytest.raises(InvalidPolicy, match=problem):
        rule(**settings)


def test_a_rule_is_a_value():
    assert Vegas() == Vegas()
    assert hash(AIMD()) == hash(AIMD())
    assert Vegas(alpha=2) != Vegas()
