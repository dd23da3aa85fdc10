"""Every claim of a small run; `python -m benchmarks published throttling` has ten times the load, too."""

from __future__ import annotations

import math

import pytest

from benchmarks.measure import FULL, QUICK
from benchmarks.published import throttling
from benchmarks.published.throttling import QUICK_OFFERED, SENT, Flow, outage, steady


@pytest.mark.parametrize(("offered", "k"), [row for row in SENT if row[0] <= QUICK_OFFERED])
def test_what_is_sent_under_a_steady_load_is_as_published(offered, k):
    for finding in steady(offered, k):
        assert finding.holds, str(finding)


def test_what_an_outage_does_is_as_published():
    found = list(outage())
    assert len(found) == 3
    for finding in found:
        assert finding.holds, str(finding)


def test_every_band_holds_what_was_published_and_tells_the_factors_apart(monkeypatch):
    flow = Flow([0] * 600, [1] * 600)
    monkeypatch.setattr(throttling, "measure", lambda *_, **__: flow)
    found = [*throttling.findings(FULL)]
    assert len(found) == len(SENT) + 4 + 3
    assert len(found) - len([*throttling.findings(QUICK)]) == 4
    assert all(finding.claim.holds(finding.claim.published) for finding in found)
    assert not any(finding.holds for finding in found if finding.claim.published < math.inf)


@pytest.mark.parametrize(
    ("accepted", "seconds"), [([10] * 20, 0), ([0] * 4 + [10] * 16, 4), ([9] * 20, 0), ([8] * 20, math.inf)]
)
def test_recovered_is_who_has_enough_accepted_for_five_seconds(accepted, seconds):
    assert Flow([], [0, *accepted]).recovery(1, 9) == seconds
