"""Every claim about budgets with fewer calls; `python -m benchmarks published retry_budgets` makes more."""

from __future__ import annotations

import pytest

from asyncflow.policies import TokenBudget
from benchmarks.measure import QUICK
from benchmarks.published import retry_budgets
from benchmarks.published.retry_budgets import (
    PUBLISHED,
    WAYS,
    Service,
    amplification,
    cell,
    findings,
    in_flight,
    layered,
    measure,
)


@pytest.mark.parametrize("failing", PUBLISHED)
@pytest.mark.parametrize("way", WAYS)
def test_a_service_that_fails_is_called_and_answers_as_published(way, failing):
    for finding in cell(way, failing, measure(way, failing, calls=retry_budgets.QUICK_CALLS)):
        assert finding.holds, str(finding)


def test_budgets_hold_what_layers_multiply():
    for finding in amplification():
        assert finding.holds, str(finding)


@pytest.mark.parametrize(("depth", "attempts", "load"), [(1, 4, 4), (2, 3, 9), (3, 1, 1)])
def test_attempts_multiply_from_layer_to_layer(depth, attempts, load):
    assert layered(depth, attempts) == load


def test_what_a_bucket_holds_in_the_beginning_is_all_that_a_service_that_is_down_is_retried():
    def filled(layer):
        return TokenBudget("one layer", capacity=50)

    assert layered(1, 4, filled) == 1 + 50 / 1000


def test_a_share_of_the_flight_grows_with_the_share():
    loads = [in_flight(share, seconds=5) for share in (0.05, 0.1, 0.3)]
    assert loads == sorted(loads)
    assert loads[0] < 1 / 0.95 <= loads[1] < 1 / 0.9 <= loads[2] < 1 / 0.7


def test_a_load_without_a_budget_is_outside_the_bands_of_one_with_it():
    for failing, (_, (load, _), (held, success)) in PUBLISHED.items():
        if failing > 0.1:
            assert load - held > 0.1
            told = list(cell("3 retries, token bucket", failing, Service(load, success)))
            assert [finding.holds for finding in told] == [False, True]


def test_a_run_has_every_cell_the_worst_load_and_the_layers(monkeypatch):
    asked = []

    def noted(way, failing, *, calls):
        asked.append((way, failing, calls))
        return Service(1.0, 1.0)

    monkeypatch.setattr(retry_budgets, "measure", noted)
    monkeypatch.setattr(retry_budgets, "amplification", lambda: iter(()))
    found = list(findings(QUICK))
    assert len(asked) == len(set(asked)) == len(WAYS) * len(PUBLISHED)
    assert len(found) == 2 * len(asked) + 1
    assert found[-1].measured == 1.0
