"""Every claim about 100 clients; `python -m benchmarks published aws_backoff` has all sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.measure import FULL, QUICK
from benchmarks.published import aws_backoff
from benchmarks.published.aws_backoff import PUBLISHED, WAYS, Conflict, Cost, Row, at_hundred, cell, measure


@pytest.fixture(scope="module")
def costs():
    return {way: measure(way, 100, runs=aws_backoff.QUICK_RUNS) for way in WAYS}


def test_jitter_more_than_halves_the_calls_and_time_without_it_is_a_dozen_times_as_long(costs):
    for finding in at_hundred(costs):
        assert finding.holds, str(finding)


@pytest.mark.parametrize("way", WAYS)
def test_a_way_to_wait_costs_calls_and_time_as_published(costs, way):
    for finding in cell(way, 100, costs[way]):
        assert finding.holds, str(finding)


def test_without_contention_nobody_waits():
    one = measure("full", 1, runs=3)
    assert one.calls == 1
    assert one.time == pytest.approx(0.04, abs=0.02)


def test_the_same_seed_is_the_same_contest():
    assert measure("decorrelated", 20, runs=2, seed=5) == measure("decorrelated", 20, runs=2, seed=5)
    assert measure("decorrelated", 20, runs=2, seed=5) != measure("decorrelated", 20, runs=2, seed=6)


def test_of_those_who_read_the_same_version_one_wins():
    row = Row()
    row.write(0)
    with pytest.raises(Conflict):
        row.write(0)
    row.write(1)
    assert (row.version, row.calls) == (2, 3)


def test_the_published_table_is_inside_its_bands_and_another_way_to_wait_is_outside():
    costs = {way: Cost(*PUBLISHED[100][way]) for way in WAYS}
    assert all(finding.holds for finding in at_hundred(costs))
    for way in WAYS:
        assert all(finding.holds for finding in cell(way, 100, costs[way]))
    swapped = {**costs, "full": costs["exponential"]}
    assert not all(finding.holds for finding in at_hundred(swapped))
    assert not all(finding.holds for finding in cell("full", 100, replace(costs["full"], calls=900)))


@pytest.mark.parametrize(
    ("effort", "sizes"), [(QUICK, {100}), (FULL, set(range(10, 200, 10)))], ids=["quick", "full"]
)
def test_a_full_run_has_all_sizes_and_a_small_one_has_one(monkeypatch, effort, sizes):
    asked = set()

    def noted(way, clients, *, runs):
        asked.add((way, clients))
        return Cost(1.0, 1.0)

    monkeypatch.setattr(aws_backoff, "measure", noted)
    told = [str(finding) for finding in aws_backoff.findings(effort)]
    assert asked == {(way, size) for way in WAYS for size in sizes}
    assert len(told) == 5 + 2 * len(WAYS) * len(sizes & set(PUBLISHED))
