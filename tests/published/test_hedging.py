"""Every claim of a small run; `python -m benchmarks published hedging` makes five times as many reads."""

from __future__ import annotations

import pytest

from asyncflow import Policy
from benchmarks.measure import QUICK
from benchmarks.published import hedging
from benchmarks.published.hedging import AFTER, FEW_READS, Reads, cost, fan_out, reads, tail


@pytest.mark.parametrize("part", [tail, fan_out, cost])
def test_each_part_is_as_published(part):
    for finding in part(FEW_READS):
        assert finding.holds, str(finding)


def test_requests_that_are_not_made_would_each_have_been_one(monkeypatch):
    some = reads(Policy(hedge=AFTER), 50)
    monkeypatch.setattr(hedging, "WHOLE", 50)
    assert reads(Policy(hedge=AFTER), 50).cost == pytest.approx(some.cost, abs=0.005)


def test_every_band_holds_what_was_published_and_no_band_holds_without_the_hedge(monkeypatch):
    monkeypatch.setattr(hedging, "reads", lambda *_: Reads([0.0], 1.0))
    monkeypatch.setattr(hedging, "in_turn", lambda *_: 1.0)
    monkeypatch.setattr(hedging, "at_once", lambda *_: 1.0)
    found = [*hedging.findings(QUICK)]
    assert len(found) == 12
    assert all(finding.claim.holds(finding.claim.published) for finding in found)
    assert not any(finding.holds for finding in found)


@pytest.mark.parametrize(("share", "length"), [(0.0, 1.0), (0.5, 3.0), (0.99, 4.0)])
def test_a_percentile_is_what_that_share_does_not_exceed(share, length):
    assert Reads([1.0, 2.0, 3.0, 4.0], 1.0).percentile(share) == length


@pytest.mark.parametrize(("length", "share"), [(0.0, 1.0), (3.0, 0.5), (4.5, 0.0)])
def test_slower_are_those_that_took_at_least_so_long(length, share):
    assert Reads([1.0, 2.0, 3.0, 4.0], 1.0).slower_than(length) == share
