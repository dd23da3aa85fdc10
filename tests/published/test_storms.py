"""Every claim of the column that is decided soon; `python -m benchmarks published storms` has all of them."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from benchmarks.measure import FULL, QUICK
from benchmarks.published import storms
from benchmarks.published.crowd import Counted
from benchmarks.published.storms import COLUMNS, QUICK_COLUMN, WAYS, Aftermath, claims, measure

RATE, TRIGGER = COLUMNS[QUICK_COLUMN]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_through_the_storm_ends_as_published(way):
    found = measure(way, TRIGGER, rate=RATE, seconds=storms.QUICK_SECONDS)
    for what, claim in claims(way, QUICK_COLUMN).items():
        measured = getattr(found, what)
        assert claim.holds(measured), claim.told(measured)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_band_holds_what_was_published_and_tells_collapse_from_recovery(way):
    for column, (rate, _) in enumerate(COLUMNS):
        known = claims(way, column)
        assert all(claim.holds(claim.published) for claim in known.values())
        collapsed = math.isinf(way.published[column][1])
        assert known["goodput"].holds(0.0) == collapsed
        assert known["goodput"].holds(rate * 0.98) == (not collapsed)
        assert known["recovery"].holds(math.inf) == collapsed


@pytest.mark.parametrize(
    ("succeeded", "seconds"),
    [
        ([10] * 40, 0),
        ([0] * 3 + [10] * 37, 3),
        ([9] * 40, 0),
        ([8] * 40, math.inf),
        ([10] * 4 + [0] + [10] * 35, 5),
        ([0] * 36 + [10] * 4, math.inf),
    ],
)
def test_recovered_is_who_answers_most_calls_for_five_seconds_on_end(succeeded, seconds):
    answers = Counter({20 + second: count for second, count in enumerate(succeeded)})
    counted = Counted(Counter(dict.fromkeys(range(60), 10)), Counter(), answers)
    assert storms._recovery(counted, 20, 60) == seconds


@pytest.mark.parametrize(("effort", "columns"), [(QUICK, 1), (FULL, 4)])
def test_a_full_run_has_every_cell_and_a_small_one_a_column(monkeypatch, effort, columns):
    cells = []

    def measure(way, trigger, *, rate, seconds):
        cells.append((way.name, trigger, rate))
        return Aftermath(0.0, 0.0, math.inf)

    monkeypatch.setattr(storms, "measure", measure)
    found = list(storms.findings(effort))
    assert len(cells) == len(set(cells)) == columns * len(WAYS)
    assert {finding.holds for finding in found} == {True, False}
