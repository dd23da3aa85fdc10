"""Every claim of the lower loads; `python -m benchmarks published adaptive_limits` has the highest, too."""

from __future__ import annotations

import pytest

from benchmarks.measure import FULL, QUICK
from benchmarks.published import adaptive_limits
from benchmarks.published.adaptive_limits import LOADS, QUICK_LOADS, WAYS, Answers, claims, measure


@pytest.mark.parametrize("load", QUICK_LOADS)
@pytest.mark.parametrize("way", WAYS)
def test_what_a_bulkhead_does_under_a_load_is_as_published(way, load):
    found = measure(way, load)
    for what, claim in claims(way, load).items():
        measured = getattr(found, what)
        assert claim.holds(measured), claim.told(measured)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("way", WAYS)
def test_every_band_holds_what_was_published(way, load):
    known = claims(way, load)
    assert known
    assert all(claim.holds(claim.published) for claim in known.values())


@pytest.mark.parametrize(("effort", "loads"), [(QUICK, 2), (FULL, 3)])
def test_a_full_run_has_every_load_and_a_small_one_leaves_the_highest_out(monkeypatch, effort, loads):
    asked = []

    def measure(way, load):
        asked.append((way, load))
        return Answers(-1.0, -1.0, -1.0, -1.0, -1, -1)

    monkeypatch.setattr(adaptive_limits, "measure", measure)
    found = list(adaptive_limits.findings(effort))
    assert len(asked) == len(set(asked)) == loads * len(WAYS)
    assert not any(finding.holds for finding in found)
