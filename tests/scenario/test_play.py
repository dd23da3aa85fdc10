from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncflow import ambient
from asyncflow.errors import (
    AsyncflowError,
    NotFound,
    NotInThisVersion,
    ParameterError,
    ScenarioInvalid,
    UsageError,
)
from asyncflow.events import Event, RunHeader
from asyncflow.scenario.play import play
from asyncflow.store import SQLiteStore
from tests.scenario import flows
from tests.scenario.rehearsing import fired, prepared, rehearse, told

RAISE = "[[fault]]\nat = { task = 'fetch', attempt = 1 }\ndo = 'raise'\nerror = 'OSError: gone'\n"
FAILS = RAISE + "[expect]\nflow = 'Failed'\n"


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    flows.done.clear()


def kept(home: Path) -> tuple[str, list[Event]]:
    """Return the state of the one run in a folder's store, and its events."""

    async def read() -> tuple[str, list[Event]]:
        store = SQLiteStore(home / "asyncflow.db")
        await store.open()
        try:
            (summary,) = await store.runs()
            return summary.state, await store.events(summary.header.id)
        finally:
            await store.close()

    return asyncio.run(read())


# ---------------------------------------------------------------------- the world


def test_a_breaker_that_one_rehearsal_opened_is_closed_in_the_next(tmp_path: Path) -> None:
    text = "[[fault]]\nat = { task = 'guarded' }\ndo = 'raise'\nerror = 'OSError'\n"
    text += "[expect]\nbreaker = { shared = ['closed', 'open'] }\ncalls = { guarded = 1 }"
    before = ambient.world().shared_states("breaker")
    reports = [rehearse(tmp_path, text, "through_a_breaker") for _ in range(2)]
    assert [report.verdict for report in reports] == ["held", "held"]
    assert ambient.world().shared_states("breaker") == before


def test_two_rehearsals_have_ids_names_and_folders_of_their_own(tmp_path: Path) -> None:
    first, second = rehearse(tmp_path, FAILS), rehearse(tmp_path, FAILS)
    assert first.history.header.id < second.history.header.id
    assert first.home != second.home
    assert first.home == tmp_path / first.history.header.id
    assert first.home.is_dir()


def test_the_seed_is_the_callers_else_the_files_else_drawn_and_told(tmp_path: Path) -> None:
    assert prepared("", seed=3).seed == 3
    assert prepared("seed = 11").seed == 11
    assert prepared("seed = 11", seed=0).seed == 0
    drawn = {prepared("").seed for _ in range(5)}
    assert len(drawn) > 1
    report = play(prepared(""), tmp_path)
    assert report.to_json()["seed"] == report.seed == report.history.header.seed


def test_a_drawn_seed_repeats_the_rehearsal(tmp_path: Path) -> None:
    text = "[[fault]]\nat = { task = 'fetch', attempt = [1, 2] }\ndo = 'raise'\nerror = 'OSError'\n"
    text += "[policy.fetch]\nretry = { max_attempts = 3, delay = '9ms', jitter = 'full' }\n"

    def waits(seed: int | None) -> tuple[int, list[float]]:
        report = rehearse(tmp_path, text, seed=seed)
        return report.seed, [wait.detail["delay"] for wait in report.history.tasks[0].waits]

    seed, drawn = waits(None)
    assert waits(seed) == (seed, drawn)
    assert waits(seed + 1)[1] != drawn


# ---------------------------------------------------------------------- the folder


def test_a_rehearsal_works_in_its_own_folder_and_leaves_the_callers_as_it_was(tmp_path: Path) -> None:
    before = Path.cwd()
    report = rehearse(tmp_path / "runs", "", "writing")
    assert (report.home / "here.txt").read_text(encoding="utf-8") == "written"
    assert Path.cwd() == before
    assert sorted(path.name for path in report.home.iterdir()) == ["asyncflow.db", "here.txt"]


def test_the_store_of_a_rehearsal_holds_its_run_and_nothing_else(tmp_path: Path) -> None:
    report = rehearse(tmp_path, FAILS)
    state, events = kept(report.home)
    assert state == "Failed"
    assert [event.kind for event in events].count("fault_injected") == 1
    assert events[0].detail["scenario"] == "x"
    assert events[0].detail["seed"] == 7


def test_a_rehearsal_leaves_no_thread_that_keeps_the_process_alive(tmp_path: Path) -> None:
    before = {thread for thread in threading.enumerate() if not thread.daemon}
    rehearse(tmp_path, FAILS)
    assert {thread for thread in threading.enumerate() if not thread.daemon} == before


def test_a_folder_may_be_told_relative_to_where_the_caller_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = rehearse(Path("runs"), ""), rehearse(Path("runs"), "")
    assert first.home.parent == second.home.parent == tmp_path / "runs"


def test_the_folder_is_left_after_an_error(tmp_path: Path) -> None:
    before = Path.cwd()
    text = "[service.'api.example']\nreplica = 'posts'\nfile = 'none.json'"
    with pytest.raises(UsageError, match=r"none\.json"):
        rehearse(tmp_path, text)
    assert Path.cwd() == before


def test_ctrl_c_cancels_the_run_records_it_and_leaves_the_folder(tmp_path: Path) -> None:
    before = Path.cwd()
    seen: list[str] = []

    def interrupt(_header: RunHeader, _seq: int, event: Event) -> None:
        seen.append(event.kind)
        if seen.count("state_changed") == 2:  # the flow is Running, and now its task
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        rehearse(tmp_path, "[parameters]\nseconds = 60", "napping", listeners=[interrupt])
    assert Path.cwd() == before
    (home,) = tmp_path.iterdir()
    state, events = kept(home)
    assert state == "Cancelled"
    assert seen[-1] == events[-1].kind == "run_ended"


def test_a_fault_that_hangs_ends_with_ctrl_c(tmp_path: Path) -> None:
    def interrupt(_header: RunHeader, _seq: int, event: Event) -> None:
        if event.kind == "fault_injected":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        rehearse(tmp_path, "[[fault]]\nat = { task = 'fetch' }\ndo = 'hang'", listeners=[interrupt])
    (home,) = tmp_path.iterdir()
    assert kept(home)[0] == "Cancelled"


# ---------------------------------------------------------------------- variants and baseline

VARIANTS = """
[[fault]]
at = { task = 'fetch', attempt = 1 }
do = 'raise'
error = 'OSError'

[policy.fetch]
retry = { max_attempts = 2 }

[variant.none]
policy = 'none'
expect = { flow = 'Failed', attempts = { fetch = 1 } }

[variant.more.policy.fetch]
timeout = '1s'

[expect]
flow = 'Success'
attempts = { fetch = 2 }
"""


def test_variants_play_the_same_faults_under_their_policies_and_expectations(tmp_path: Path) -> None:
    played = {name: rehearse(tmp_path, VARIANTS, variant=name) for name in (None, "none", "more", None)}
    assert [report.verdict for report in played.values()] == ["held"] * 3
    assert {name: told(report, "fetch") for name, report in played.items()} == {
        None: ("Success", 2, 2),
        "none": ("Failed", 1, 1),
        "more": ("Success", 2, 2),
    }
    assert [report.variant for report in played.values()] == [None, "none", "more"]
    assert len(list(tmp_path.iterdir())) == 4


def test_before_is_a_run_without_faults_that_comes_first_in_a_folder_of_its_own(tmp_path: Path) -> None:
    seen: set[str] = set()
    text = FAILS + "[expect.before]\nflow = 'Success'\nattempts = { fetch = 1 }\nresult = 12\n"
    report = rehearse(tmp_path, text, listeners=[lambda header, _seq, _event: seen.add(header.id)])
    assert report.verdict == "held"
    assert [check.what for check in report.checks] == [
        "before any fault, the flow ends Success",
        "before any fault, fetch has 1 attempt",
        "before any fault, the flow's value is 12",
        "the flow ends Failed",
    ]
    first, second = sorted(tmp_path.iterdir())
    assert second == report.home
    assert seen == {second.name}
    state, events = kept(first)
    assert state == "Success"
    assert "fault_injected" not in [event.kind for event in events]
    assert kept(second)[0] == "Failed"
    assert flows.done == ["fetch", "double", "total"]


def test_before_runs_without_the_faults_of_services_too(tmp_path: Path) -> None:
    text = (
        "[service.'api.example']\nreplica = 'posts'\n"
        "[[fault]]\nat = { service = 'api.example' }\ndo = 'status'\nstatus = 503\n"
        "[expect]\nresult = 503\nbefore.result = 200\n"
    )
    report = rehearse(tmp_path, text, "asking_by_itself")
    assert report.verdict == "held"
    assert fired(report) == [1]


def test_a_flow_that_fails_without_any_fault_violates_before(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "[expect]\nflow = 'Failed'\nbefore.flow = 'Success'\n", "breaking")
    assert report.verdict == "violated"
    assert report.sentence == (
        "Violated: expected that before any fault, the flow ends Success, but found Failed."
    )


def test_the_variants_own_before_is_played_under_its_policies(tmp_path: Path) -> None:
    text = VARIANTS.replace("attempts = { fetch = 1 } }", "before = { flow = 'Failed' } }")
    report = rehearse(tmp_path, text, variant="none")
    assert [check.held for check in report.checks] == [False, True]


# ---------------------------------------------------------------------- what is checked before


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "shuffle = true",
            NotInThisVersion,
            "x.toml:4: shuffle: shuffle is not in this version",
        ),
        (
            "[policy.fetsch]",
            ScenarioInvalid,
            "x.toml:4: policy.fetsch: tests.scenario.flows:load has no task 'fetsch'. Did you mean 'fetch'?",
        ),
        (
            "[policy.fetch]\nretry = { max_attempts = 2, on = ['BaseException'] }",
            ScenarioInvalid,
            "x.toml:5: policy.fetch.retry.on: BaseException is not a failure of the body and is never "
            "handled by a policy; name an Exception or one of the signals FAIL, TRIGGERFAIL, VALIDATIONFAIL",
        ),
        (
            "[[fault]]\nat = { task = 'fetch' }\ndo = 'raise'\nerror = 'SystemExit: 3'",
            ScenarioInvalid,
            "x.toml:7: fault[1].error: SystemExit would end the rehearsal too; "
            "write do = 'cancel' or an Exception",
        ),
        (
            "[parameters]\nsise = 3",
            ParameterError,
            "flow 'load' received the following unexpected parameters: sise. Did you mean 'size'?",
        ),
    ],
)
def test_what_can_be_known_before_is_told_before(
    tmp_path: Path, text: str, error: type[AsyncflowError], message: str
) -> None:
    with pytest.raises(error) as caught:
        rehearse(tmp_path, text)
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_variant_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"x\.toml has no variant 'nome'\. Did you mean 'none'\?"):
        prepared(VARIANTS, variant="nome")


def test_a_flow_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"has no flow 'lode'"):
        prepared("", "lode")


def test_parameters_are_converted_to_their_types(tmp_path: Path) -> None:
    assert prepared("[parameters]\nsize = '4'").parameters == {"size": 4}
    report = rehearse(tmp_path, "[parameters]\nsize = 4\n[expect]\nresult = 20")
    assert report.verdict == "held"


@pytest.mark.parametrize("flow", ["load", "wired", "recorded", "looking"])
def test_every_way_to_write_a_flow_can_be_rehearsed(tmp_path: Path, flow: str) -> None:
    report = rehearse(tmp_path, RAISE.replace("fetch", "total") + "[expect]\nflow = 'Failed'", flow)
    assert report.verdict == "held"
    assert told(report, "total") == ("Failed", 1, 1)
    assert flows.done == ["fetch", "double"]


# A body that awaits can't be wired before its run, so that its tasks are not all known.


def test_a_task_that_a_body_may_call_can_be_expected_not_to_be_called(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "[expect]\nflow = 'Success'\nattempts = { repair = 0 }", "looking")
    assert report.verdict == "held"
    text = RAISE + "[expect]\nattempts = { double = 0, total = 0 }\nflow = 'Failed'"
    assert rehearse(tmp_path, text, "looking").verdict == "held"


def test_a_task_that_is_only_called_after_a_failure_is_known_after_the_run(tmp_path: Path) -> None:
    text = RAISE + "[expect]\ntasks = { fetch = 'Failed', repair = 'Success' }\nresult = 'repaired'"
    assert rehearse(tmp_path, text, "mending").verdict == "held"


def test_a_task_that_gets_its_name_in_the_body_is_known_after_the_run(tmp_path: Path) -> None:
    text = "[expect]\ntasks = { renamed = 'Success' }\nbefore.tasks = { renamed = 'Success' }"
    assert rehearse(tmp_path, text, "renaming").verdict == "held"


def test_a_task_that_nothing_knows_is_refused_after_the_run(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        rehearse(tmp_path, "[expect]\nattempts = { repare = 0 }", "looking")
    assert str(caught.value) == (
        "x.toml:5: expect.attempts.repare: tests.scenario.flows:looking has no task 'repare'. "
        "Did you mean 'repair'?"
    )


def test_a_flow_whose_body_raises_a_signal_can_be_rehearsed(tmp_path: Path) -> None:
    assert rehearse(tmp_path, "[expect]\nflow = 'Skipped'", "leaving").verdict == "held"


def test_a_flow_that_ends_the_process_leaves_the_folder_and_is_recorded(tmp_path: Path) -> None:
    before = Path.cwd()
    with pytest.raises(SystemExit):
        rehearse(tmp_path, "", "exiting")
    assert Path.cwd() == before
    (home,) = tmp_path.iterdir()
    assert kept(home)[1][-1].kind == "run_ended"


def test_listeners_see_every_event_of_the_run_in_order(tmp_path: Path) -> None:
    seen: list[tuple[str, int, str]] = []
    report = rehearse(
        tmp_path, FAILS, listeners=[lambda header, seq, event: seen.append((header.id, seq, event.kind))]
    )
    assert [seq for _, seq, _ in seen] == list(range(len(seen)))
    assert {run for run, _, _ in seen} == {report.history.header.id}
    assert seen[-1][2] == "run_ended"


def test_a_listener_that_raises_changes_nothing(tmp_path: Path) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("a view")

    assert rehearse(tmp_path, FAILS, listeners=[broken]).verdict == "held"


def test_the_time_of_a_rehearsal_covers_all_of_it(tmp_path: Path) -> None:
    text = "[parameters]\nseconds = 0.01\n\n[expect]\nbefore = { flow = 'Success' }"
    report = rehearse(tmp_path, text, "napping")
    assert 0.01 <= report.history.ended < report.wall_s
    assert report.wall_s >= 0.02
