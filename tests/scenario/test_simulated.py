"""Rehearsals in the simulated world: what they take from the seed, and the verdicts that only it has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from asyncflow import ambient
from asyncflow.events import Event
from asyncflow.scenario.homes import STORE
from asyncflow.scenario.verdict import Report
from asyncflow.store import SQLiteStore
from tests.scenario import flows
from tests.scenario.rehearsing import prepared, rehearse, told

SIMULATED = "world = 'simulated'\n"
FAILS = "[[fault]]\nat = { task = 'fetch', attempt = 1 }\ndo = 'raise'\nerror = 'OSError: gone'\n"
RETRIES = FAILS + "[policy.fetch]\nretry = { max_attempts = 2, delay = '1h', jitter = 'full' }\n"
ASKS = SIMULATED + "parameters = { paths = ['/posts/1'] }\n[service.'api.example']\nreplica = 'posts'\n"


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    flows.done.clear()


def simulated(folder: Path, text: str = "", flow: str = "load", **options: Any) -> Report:
    return rehearse(folder, SIMULATED + text, flow, **options)


def kept(home: Path) -> tuple[str, list[Event]]:
    """Return the state of the one run in a folder's store, and its events."""

    async def read() -> tuple[str, list[Event]]:
        store = SQLiteStore(home / STORE)
        await store.open()
        try:
            (summary,) = await store.runs()
            return summary.state, await store.events(summary.header.id)
        finally:
            await store.close()

    return asyncio.run(read())


# ---------------------------------------------------------------------- time and chance


def test_an_hour_of_backoff_costs_nothing(tmp_path: Path) -> None:
    report = simulated(tmp_path, RETRIES)
    assert report.verdict == "held"
    assert told(report, "fetch") == ("Success", 2, 2)
    assert 60 < report.history.ended < 3600
    assert report.wall_s < 30
    data = report.to_json()
    assert (data["world"], data["virtual_s"], data["wall_s"]) == (
        "simulated",
        report.history.ended,
        report.wall_s,
    )


def test_the_same_seed_gives_the_same_trace_and_another_one_another(tmp_path: Path) -> None:
    first, again, other = (simulated(tmp_path, RETRIES, seed=seed) for seed in (7, 7, 8))
    assert first.to_json()["trace"] == again.to_json()["trace"]
    assert first.to_json()["trace"] != other.to_json()["trace"]


def test_the_folder_of_a_rehearsal_is_not_in_its_trace(tmp_path: Path) -> None:
    traces = [simulated(tmp_path / place, "", "writing").repeats for place in ("here", "over/there")]
    assert all(trace is not None for trace in traces)
    assert traces[0] == traces[1]
    assert not any(str(tmp_path) in line for line in traces[0].lines)  # type: ignore[union-attr]


def test_services_answer_in_the_simulated_network(tmp_path: Path) -> None:
    report = rehearse(tmp_path, ASKS + "[expect]\nresult = [200]\n", "asking", repeat=3)
    assert report.verdict == "held", report.sentence
    assert report.to_json()["traces"] == 1


def test_a_strike_is_noted_with_the_task_that_it_hit(tmp_path: Path) -> None:
    text = "[[fault]]\nat = { service = 'api.example', request = 1 }\ndo = 'status'\nstatus = 503\n"
    report = rehearse(tmp_path, ASKS + text, "asking")
    assert [fault.fired for fault in report.faults] == [1]
    assert [fault.task for fault in report.history.faults] == [1]


def test_the_world_around_is_as_it_was(tmp_path: Path) -> None:
    before = ambient.world(), Path.cwd()
    simulated(tmp_path, RETRIES)
    assert (ambient.world(), Path.cwd()) == before


# ---------------------------------------------------------------------- identity


def test_the_same_rehearsal_has_the_same_id_name_and_folder(tmp_path: Path) -> None:
    first, again = simulated(tmp_path, FAILS), simulated(tmp_path, FAILS)
    assert first.history.header == again.history.header
    assert first.home == again.home == tmp_path / first.history.header.id
    assert kept(again.home)[0] == "Failed"


def test_another_seed_flow_or_variant_is_another_rehearsal(tmp_path: Path) -> None:
    text = FAILS + "[variant.none]\npolicy = 'none'\n"
    reports = [
        simulated(tmp_path, text),
        simulated(tmp_path, text, seed=8),
        simulated(tmp_path, text, "wired"),
        simulated(tmp_path, text, variant="none"),
    ]
    headers = [report.history.header for report in reports]
    assert len({header.id for header in headers}) == 4
    assert len({report.home for report in reports}) == 4
    assert [(header.world, header.variant) for header in headers] == [
        *[("simulated", None)] * 3,
        ("simulated", "none"),
    ]


def test_the_run_before_the_faults_is_simulated_too_in_a_folder_of_its_own(tmp_path: Path) -> None:
    text = RETRIES + "[expect.before]\nflow = 'Success'\nwithin = '1s'\n"
    for _ in range(2):
        report = simulated(tmp_path, text)
        assert report.verdict == "held", report.sentence
    homes = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert len(homes) == 2
    assert report.home in homes


def test_where_a_scenarios_file_lies_does_not_matter(tmp_path: Path) -> None:
    def identity(name: str) -> str:
        from asyncflow.scenario.load import loads
        from asyncflow.scenario.play import prepare

        scenario = loads(f"format = 1\nflow = 'tests.scenario.flows:load'\n{SIMULATED}", "x.toml")
        return prepare(name, scenario, seed=7).identity

    assert identity("x") == identity("my/x.toml") == identity("/some/where/x.toml") != identity("y")


# ---------------------------------------------------------------------- repeats


def test_repeats_of_a_run_that_the_seed_decides_have_one_trace(tmp_path: Path) -> None:
    numbers: list[int] = []
    report = rehearse(tmp_path, SIMULATED + RETRIES, repeat=4, told=numbers.append)
    assert report.verdict == "held"
    assert numbers == [2, 3, 4]
    assert flows.done.count("fetch") == 4
    data = report.to_json()
    assert (data["repeats"], data["traces"], data["difference"]) == (4, 1, None)


def test_views_see_the_first_of_the_repeats(tmp_path: Path) -> None:
    seen: list[Event] = []

    def hear(_header: Any, _seq: int, event: Event) -> None:
        seen.append(event)

    report = rehearse(tmp_path, SIMULATED + FAILS, listeners=[hear], repeat=3)
    assert [event.kind for event in seen].count("run_started") == 1
    assert seen[-1].offset == report.history.ended


def test_a_run_that_something_else_decides_has_diverged(tmp_path: Path) -> None:
    report = rehearse(tmp_path, SIMULATED, "counting_up", repeat=5)
    assert report.verdict == "diverged"
    assert report.sentence.startswith("Diverged: 5 runs of seed 7 had 2 different traces; run 3 differs from")
    data = report.to_json()
    assert (data["repeats"], data["traces"]) == (5, 2)
    found = data["difference"]
    assert report.repeats is not None
    assert found["left"] == report.repeats.lines[found["line"] - 1]
    assert found["right"] == report.repeats.other[found["line"] - 1]
    assert found["what"] in report.sentence


def test_repeats_leave_the_first_runs_folder(tmp_path: Path) -> None:
    report = rehearse(tmp_path, SIMULATED, "counting_up", repeat=5)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [report.home.name]
    assert kept(report.home)[1][-1].offset == report.history.ended


# ---------------------------------------------------------------------- stuck and escaped


def test_a_stuck_run_is_told_as_far_as_it_came(tmp_path: Path) -> None:
    text = "[expect]\nflow = 'Success'\n[[expect.always]]\nattempts = { fetch = { max = 1 } }\n"
    report = simulated(tmp_path, text, "waiting_for_nobody", repeat=3)
    assert report.verdict == "stuck"
    assert report.sentence.startswith("Stuck: ")
    assert "wait_for_nobody: tests/scenario/flows.py:" in report.sentence
    assert "\n" not in report.sentence
    assert not report.history.is_over
    assert told(report, "fetch") == ("Success", 1, 1)
    assert told(report, "wait_for_nobody") == ("Running", 1, 1)
    assert [check.what for check in report.checks] == ["always, fetch has at most 1 attempt"]
    assert report.to_json()["traces"] == 1


def test_attempts_without_end_are_stuck_although_the_store_moves_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncflow.scenario.worlds._MOST_STEPS", 3_000)
    again = "[[fault]]\nat = { task = 'fetch' }\ndo = 'signal'\nsignal = 'RETRY'\n"
    report = simulated(tmp_path, again)
    assert report.verdict == "stuck"
    assert "the limit of 3,000 steps is used up" in report.sentence
    assert "fetch: " in report.sentence
    assert told(report, "fetch")[0] == "Retrying"


def test_the_record_of_a_stuck_run_ends_where_it_got_stuck(tmp_path: Path) -> None:
    report = simulated(tmp_path, "", "waiting_for_nobody")
    state, events = kept(report.home)
    assert state == "Running"
    assert events[-1].kind == "state_changed"
    assert events[-1].detail["state"] == "Running"


def test_what_touches_the_real_world_has_escaped_even_when_nobody_complains(tmp_path: Path) -> None:
    text = "parameters = { paths = ['/x', '/y'] }\n[expect]\nflow = 'Failed'\n"
    report = simulated(tmp_path, text, "asking")
    assert report.verdict == "escaped"
    assert report.sentence.startswith("Escaped from the simulated world: ")
    assert "api.example" in report.sentence
    assert "So did 1 more call." in report.sentence
    assert report.history.is_over
    assert all(check.held for check in report.checks)


def test_a_replica_that_can_not_start_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    from asyncflow.errors import AsyncflowError

    with pytest.raises(AsyncflowError, match="nowhere"):
        rehearse(tmp_path, ASKS + "file = 'nowhere.json'\n", "asking")


def test_no_trace_is_told_of_the_real_world(tmp_path: Path) -> None:
    report = rehearse(tmp_path, FAILS)
    assert report.repeats is None
    assert "trace" not in report.to_json()
    assert report.history.header.world == "real"
    assert prepared("").world == "real"
