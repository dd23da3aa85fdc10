"""Scenarios that speak of the elements of a mapped task."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenario.rehearsing import fired, rehearse

ERROR = "do = 'raise'\nerror = 'OSError: no'\n"


@pytest.mark.parametrize(
    ("at", "struck", "attempts"),
    [
        ("index = 1, attempt = 1", 2, [1, 2, 1, 1, 2]),
        ("index = 1, attempt = 1, call = 1", 1, [1, 2, 1, 1, 1]),
        ("index = 2, attempt = 1", 1, [1, 1, 2, 1, 1]),
        ("attempt = 1", 5, [2, 2, 2, 2, 2]),
        ("attempt = 1, call = 2", 2, [1, 1, 1, 2, 2]),
    ],
)
def test_a_fault_strikes_the_elements_that_its_address_means(
    tmp_path: Path, at: str, struck: int, attempts: list[int]
) -> None:
    report = rehearse(tmp_path, f"[[fault]]\nat = {{ task = 'tenfold', {at} }}\n{ERROR}", "mapping")
    assert fired(report) == [struck]
    found = [one for task in report.history.tasks for one in report.history.elements_of(task)]
    assert [one.attempt_count for one in found] == attempts
    assert report.verdict == "held"


def test_a_fault_at_an_element_that_never_comes_is_not_reached(tmp_path: Path) -> None:
    report = rehearse(tmp_path, f"[[fault]]\nat = {{ task = 'tenfold', index = 3 }}\n{ERROR}", "mapping")
    assert report.verdict == "not-reached"


def test_a_fault_that_means_an_element_does_not_strike_a_task_that_is_not_mapped(tmp_path: Path) -> None:
    report = rehearse(tmp_path, f"[[fault]]\nat = {{ task = 'total', index = 0 }}\n{ERROR}", "load")
    assert report.verdict == "not-reached"


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("tasks = { 'tenfold[1]' = 'Success' }", "violated"),
        ("tasks = { 'tenfold#1[1]' = 'Failed', 'tenfold#2[1]' = 'Success' }", "held"),
        ("tasks = { 'tenfold#1' = 'Failed', 'tenfold#2' = 'Success' }", "held"),
        ("tasks = { 'tenfold[0]' = 'Success' }", "held"),
        ("tasks = { 'tenfold[9]' = 'Success' }", "violated"),
        ("attempts = { tenfold = 6, 'tenfold#1' = 4, 'tenfold#1[1]' = 2, 'tenfold[2]' = 1 }", "held"),
        ("attempts = { tenfold = 5 }", "violated"),
        ("calls = { 'tenfold#1[1]' = 2 }", "held"),
        ("events = [{ kind = 'fault_injected', task = 'tenfold', count = 2 }]", "held"),
        ("events = [{ kind = 'fault_injected', task = 'tenfold[1]', count = 2 }]", "held"),
        ("events = [{ kind = 'fault_injected', task = 'tenfold[0]' }]", "violated"),
    ],
)
def test_an_expectation_means_the_whole_or_one_element(tmp_path: Path, claim: str, verdict: str) -> None:
    fault = f"[[fault]]\nat = {{ task = 'tenfold', index = 1, call = 1 }}\n{ERROR}"
    report = rehearse(tmp_path, f"{fault}\n[expect]\n{claim}\n", "mapping")
    assert report.verdict == verdict, report.sentence


def test_the_report_names_the_element_and_counts_elements(tmp_path: Path) -> None:
    fault = f"[[fault]]\nat = {{ task = 'tenfold', index = 1, call = 1, attempt = 1 }}\n{ERROR}"
    report = rehearse(tmp_path, fault, "mapping")
    assert "raise struck tenfold[1], 1 more attempt followed" in report.sentence
    assert report.to_json()["tasks"]["tenfold"] == {
        "state": "Success", "attempts": 4, "calls": 4, "elements": {"Success": 3},
    }  # fmt: skip
