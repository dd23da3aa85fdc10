"""Rehearsals that follow a schedule: which runs are made, what strikes them, what is claimed about each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from asyncflow.errors import InvalidSchedule, NotInThisVersion, ParameterError, ScenarioInvalid
from asyncflow.scenario.homes import STORE
from asyncflow.store import SQLiteStore
from tests.scenario import flows
from tests.scenario.rehearsing import fired, prepared, rehearse

THREE = "world = 'simulated'\nfires = 3\n"
FAILS = "[[fault]]\ndo = 'raise'\nerror = 'OSError: gone'\n"


def ends(report) -> list[str]:
    return [run.state.name for run in report.fires]


def test_each_fire_is_a_run_at_its_time(tmp_path: Path) -> None:
    report = rehearse(tmp_path, THREE, "each_minute")
    first = report.fires[0].header.started
    assert [run.header.started - first for run in report.fires] == [0.0, 60.0, 120.0]
    assert first % 60 == 0
    assert report.history is report.fires[-1]
    assert report.lasted == 120.0 + report.history.ended
    assert len({run.header.id for run in report.fires}) == 3


def test_without_the_key_a_flow_with_a_schedule_is_run_once_and_at_once(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "world = 'simulated'\n", "each_minute")
    assert report.fires == ()
    assert report.runs == (report.history,)
    assert report.lasted == report.history.ended
    assert "fires" not in report.to_json()


def test_a_schedule_that_ends_before_is_followed_to_its_end(tmp_path: Path) -> None:
    assert ends(rehearse(tmp_path, THREE, "twice")) == ["Success"] * 2


def test_a_run_that_fails_is_survived_and_its_fault_strikes_no_other(tmp_path: Path) -> None:
    fault = FAILS + "at = { task = 'fetch', fire = 2 }\n"
    report = rehearse(tmp_path, THREE + fault + "[expect]\nflow = 'Success'\n", "each_minute")
    assert ends(report) == ["Success", "Failed", "Success"]
    assert fired(report) == [1]
    assert report.sentence == (
        "Failed successfully: raise struck fetch, 1 run failed, and at the last of 3 fires "
        "the flow ended Success, as expected."
    )


@pytest.mark.parametrize(
    ("at", "states"),
    [
        ("", ["Failed"] * 3),
        (", call = 1, attempt = 1", ["Failed"] * 3),
        (", fire = [1, 3]", ["Failed", "Success", "Failed"]),
        (", fire = 4", ["Success"] * 3),
    ],
)
def test_a_fault_strikes_every_run_unless_it_says_which(tmp_path: Path, at: str, states: list[str]) -> None:
    report = rehearse(tmp_path, f"{THREE}{FAILS}at = {{ task = 'fetch'{at} }}\n", "each_minute")
    assert ends(report) == states
    assert fired(report) == [states.count("Failed")]
    assert (report.verdict == "not-reached") == ("Failed" not in states)


def test_the_end_is_that_of_the_last_run_and_each_run_has_claims_of_its_own(tmp_path: Path) -> None:
    text = THREE + FAILS + "at = { task = 'fetch', fire = 3 }\n"
    claims = [f"[[expect.fires]]\nflow = '{state}'\n" for state in ("Success", "Success", "Failed")]
    report = rehearse(tmp_path, f"{text}[expect]\nflow = 'Failed'\n{''.join(claims)}", "each_minute")
    assert report.verdict == "held"
    assert [check.what for check in report.checks] == [
        "3 fires of the schedule led to a run",
        "at fire 1, the flow ends Success",
        "at fire 2, the flow ends Success",
        "at fire 3, the flow ends Failed",
        "the flow ends Failed",
    ]
    report = rehearse(tmp_path, f"{text}{claims[0]}{claims[2]}{claims[2]}", "each_minute")
    assert report.sentence == ("Violated: expected that at fire 2, the flow ends Failed, but found Success.")


@pytest.mark.parametrize("count", [2, 4])
def test_there_are_as_many_runs_as_claims_about_them(tmp_path: Path, count: int) -> None:
    claims = "[[expect.fires]]\nflow = 'Success'\n" * count
    report = rehearse(tmp_path, THREE + claims, "each_minute")
    assert report.sentence == (
        f"Violated: expected that {count} fires of the schedule led to a run, but found 3 fires."
    )


def test_what_is_always_so_is_so_in_every_run(tmp_path: Path) -> None:
    fault = FAILS + "at = { task = 'fetch', fire = 2 }\n"
    claim = "[[expect.always]]\ntasks = { fetch = ['Pending', 'Running', 'Success'] }\n"
    report = rehearse(tmp_path, THREE + fault + claim, "each_minute")
    assert report.verdict == "violated"
    assert [check.held for check in report.checks] == [True, False, True]


def test_fires_that_overlap_a_run_are_left_out_and_make_none(tmp_path: Path) -> None:
    report = rehearse(tmp_path, THREE, "too_long")
    first = report.fires[0].header.started
    assert [run.header.started - first for run in report.fires] == [0.0, 120.0]


def test_fires_of_one_instant_make_runs_side_by_side(tmp_path: Path) -> None:
    report = rehearse(tmp_path, THREE, "both_sizes")
    assert [run.header.parameters["size"] for run in report.fires] == ["3", "4", "3"]
    assert report.fires[0].header.started == report.fires[1].header.started
    given = "[parameters]\nsize = 9\n"
    report = rehearse(tmp_path, THREE + given, "both_sizes")
    assert {run.header.parameters["size"] for run in report.fires} == {"9"}


def test_all_runs_are_kept_in_one_folder_and_one_store(tmp_path: Path) -> None:
    report = rehearse(tmp_path, THREE, "each_minute")
    assert report.home.name == report.fires[0].header.id

    async def kept() -> list[str]:
        store = SQLiteStore(report.home / STORE)
        await store.open()
        try:
            return [summary.header.id for summary in await store.runs()]
        finally:
            await store.close()

    assert sorted(asyncio.run(kept())) == sorted(run.header.id for run in report.fires)


def test_a_run_that_gets_stuck_is_shown_with_those_before_it(tmp_path: Path) -> None:
    flows.done.clear()
    claims = "[[expect.fires]]\nflow = 'Success'\n" * 3
    report = rehearse(tmp_path, THREE + claims, "stuck_at_last")
    assert report.verdict == "stuck"
    assert ends(report) == ["Success", "Running"]


def test_the_same_seed_gives_one_trace(tmp_path: Path) -> None:
    report = rehearse(
        tmp_path, THREE + FAILS + "at = { task = 'fetch', fire = 2 }\n", "each_minute", repeat=4
    )
    assert report.repeats is not None
    assert report.repeats.traces == 1


def test_the_report_has_every_run(tmp_path: Path) -> None:
    told = rehearse(tmp_path, THREE + FAILS + "at = { task = 'double', fire = 1 }\n", "each_minute").to_json()
    assert [(fire["after_s"], fire["flow"]["state"]) for fire in told["fires"]] == [
        (0.0, "Failed"),
        (60.0, "Success"),
        (120.0, "Success"),
    ]
    assert told["fires"][0]["tasks"]["total"] == {"state": "TriggerFailed", "attempts": 0, "calls": 0}
    assert told["run"] == told["fires"][2]["run"]
    assert told["virtual_s"] >= 120


@pytest.mark.parametrize(
    ("text", "flow", "reason"),
    [
        (THREE, "load", "x.toml:5: fires: tests.scenario.flows:load has no schedule to follow"),
        (
            "[[fault]]\nat = { task = 'fetch', fire = 2 }\ndo = 'hang'\n",
            "each_minute",
            "x.toml:5: fault[1].at.fire: counts the runs of a schedule; say at the top",
        ),
        ("[[expect.fires]]\nflow = 'Failed'\n", "each_minute", "x.toml:4: expect.fires: counts the runs"),
        (
            "[variant.v]\n[[variant.v.expect.fires]]\nflow = 'Failed'\n",
            "each_minute",
            "x.toml:5: variant.v.expect.fires: counts the runs",
        ),
        (THREE + "[[expect.fires]]\ntasks = { fech = 'Failed' }\n", "each_minute", "has no task 'fech'"),
    ],
)
def test_a_file_that_can_not_be_followed_is_refused(text: str, flow: str, reason: str) -> None:
    with pytest.raises(ScenarioInvalid) as refused:
        prepared(text, flow)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fires = 3\n", "x.toml:4: fires: following a schedule is not in this version in the real world"),
        (
            THREE + "[[expect.fires]]\nrows = [{ database = 'x.db', table = 't', count = 0 }]\n",
            "x.toml:7: expect.fires[1].rows: rows are looked at when the last run has ended",
        ),
    ],
)
def test_what_is_not_built_says_so(text: str, reason: str) -> None:
    with pytest.raises(NotInThisVersion) as refused:
        prepared(text, "each_minute")
    assert reason in str(refused.value)


def test_parameters_that_nobody_gives_are_missed_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="size"):
        rehearse(tmp_path, THREE, "needs_size")


def test_a_schedule_that_has_ended_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSchedule, match="no more scheduled runs"):
        rehearse(tmp_path, THREE, "long_ago")
