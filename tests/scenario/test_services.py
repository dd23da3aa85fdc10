"""Services, the replicas that stand in for them, and the attempts that their faults are noted at."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from asyncflow.errors import UsageError
from asyncflow.report.canvas import Look, text_of
from asyncflow.report.timeline import timeline
from asyncflow.scenario.verdict import Report
from tests.scenario.rehearsing import fired, rehearse

API = '[service."api.example"]\nreplica = "posts"\nrecords = 10\n'
POSTS = '[service."jsonplaceholder.typicode.com"]\nreplica = "posts"\nrecords = 10\n'
POSTS_ETL = "asyncflow.examples.posts:posts_etl"
COMPLAINTS_ETL = "asyncflow.examples.complaints:complaints_etl"
EXTRACTS = ("posts", "users", "comments")


def fault(at: str, do: str = "'status'\nstatus = 503", host: str = "api.example") -> str:
    return f"[[fault]]\nat = {{ service = '{host}'{at} }}\ndo = {do}\n"


def post_fault(at: str) -> str:
    return fault(at, host="jsonplaceholder.typicode.com")


def quick_retries() -> str:
    retry = "retry = { max_attempts = 4, delay = '5ms' }\n"
    return "".join(f"[policy.extract_{what}]\n{retry}" for what in EXTRACTS)


def asking(*paths: str) -> str:
    return f"[parameters]\npaths = {json.dumps(paths)}\n\n{API}"


def struck(report: Report) -> dict[str, list[int]]:
    """Return the attempts that were struck, by the task's key; tasks that were not are left out."""
    return {
        task.key: numbers
        for task in report.history.tasks
        if (numbers := [fault.attempt for attempt in task.attempts for fault in attempt.faults])
    }


def test_a_strike_is_noted_at_the_attempt_that_opened_the_connection(tmp_path: Path) -> None:
    text = POSTS + post_fault(", request = [1, 2], path = '/users'") + quick_retries()
    report = rehearse(tmp_path, text, POSTS_ETL)
    assert struck(report) == {"extract_users": [1, 2]}
    assert report.verdict == "held"
    assert fired(report) == [2]
    lines = [text_of(line) for line in timeline(report.history, Look(width=100, unicode=True))]
    assert [line.split()[0] for line in lines if "⚡" in line] == ["extract_users", "⚡"]  # and the legend


def test_requests_at_the_same_time_get_their_own_strikes(tmp_path: Path) -> None:
    faults = [post_fault(f", request = {n}, path = '/{what}'") for n, what in enumerate(EXTRACTS, 1)]
    faults += [post_fault(", request = 1, path = '/comments'")]
    retries = quick_retries()
    report = rehearse(tmp_path, POSTS + "".join(faults) + retries, POSTS_ETL)
    # Of posts the first request is struck; users and comments make no second and third unless one failed.
    assert struck(report) == {"extract_posts": [1], "extract_comments": [1]}
    assert fired(report) == [1, 0, 0, 1]


def test_faults_that_say_the_same_are_counted_apart(tmp_path: Path) -> None:
    slow = fault(", request = 1", "'slow'\nseconds = '5ms'")
    assert fired(rehearse(tmp_path, asking("/posts/1") + slow * 2, "asking")) == [1, 1]
    # Of other kinds one strikes a request, the first in the file.
    assert fired(rehearse(tmp_path, asking("/posts/1") + fault(", request = 1") * 2, "asking")) == [1, 0]


def test_requests_that_are_not_in_a_row_are_strikes_of_one_fault(tmp_path: Path) -> None:
    text = asking(*["/posts/1"] * 5) + fault(", request = [1, 3, 4]")
    text += "[expect]\nevents = [{ kind = 'fault_injected', count = 3 }]"
    report = rehearse(tmp_path, text, "asking")
    assert fired(report) == [3]
    assert report.verdict == "held"


def test_a_request_of_the_flows_own_body_is_struck_and_noted_with_the_run(tmp_path: Path) -> None:
    report = rehearse(tmp_path, API + fault("") + "[expect]\nresult = 503", "asking_by_itself")
    assert report.verdict == "held"
    assert [(one.task, one.attempt, one.do) for one in report.history.faults] == [(0, 0, "status")]


def test_a_kept_connection_is_not_blamed_on_the_task_that_has_ended(tmp_path: Path) -> None:
    report = rehearse(tmp_path, API + fault(", request = 2") + "[expect]\nresult = [200, 503]", "sharing")
    assert report.verdict == "held"
    assert struck(report) == {}
    assert [(one.task, one.do) for one in report.history.faults] == [(0, "status")]


WIRE = "world = 'simulated'\n"


def wire_fault(at: str, do: str, host: str = "jsonplaceholder.typicode.com") -> str:
    return fault(at, f"'{do}'", host)


@pytest.mark.parametrize(
    ("at", "do"),
    [
        (", task = 'extract_users', attempt = 1", "servfail"),
        (", task = 'extract_users', connection = 1", "refuse"),
        (", task = 'extract_users', part = 'body', byte = 40, connection = 1", "reset"),
        (", task = 'extract_users', attempt = 1, part = 'body', byte = 40", "eof"),
    ],
)
def test_a_strike_on_the_wire_is_noted_at_the_attempt_that_asked(tmp_path: Path, at: str, do: str) -> None:
    report = rehearse(tmp_path, WIRE + POSTS + wire_fault(at, do) + quick_retries(), POSTS_ETL)
    assert struck(report) == {"extract_users": [1]}
    assert fired(report) == [1]
    assert report.verdict == "held"
    (strike,) = report.history.faults
    assert (strike.do, strike.at["service"]) == (do, "jsonplaceholder.typicode.com")


def test_connections_at_the_same_time_get_their_own_strikes(tmp_path: Path) -> None:
    faults = [
        wire_fault(f", task = 'extract_{what}', attempt = {attempt}, byte = 200", "eof")
        for what, attempt in (("posts", 1), ("comments", 1), ("comments", 2))
    ]
    report = rehearse(tmp_path, WIRE + POSTS + "".join(faults) + quick_retries(), POSTS_ETL)
    assert struck(report) == {"extract_posts": [1], "extract_comments": [1, 2]}
    assert fired(report) == [1, 1, 1]


def test_what_strikes_a_kept_connection_later_is_noted_with_the_run(tmp_path: Path) -> None:
    second = wire_fault(", connection = 1, part = 'body', request = 2, byte = 3", "corrupt", "api.example")
    report = rehearse(tmp_path, WIRE + API + second + "[expect]\nresult = [200, 200]", "sharing")
    assert report.verdict == "held"
    assert struck(report) == {}
    assert [(one.task, one.do) for one in report.history.faults] == [(0, "corrupt")]


@pytest.mark.parametrize(("at", "do"), [(", lookup = 1", "dns-wrong"), (", connection = 1", "refuse")])
def test_what_the_flows_own_body_is_struck_by_on_the_wire_is_noted_with_the_run(
    tmp_path: Path, at: str, do: str
) -> None:
    text = WIRE + API + wire_fault(at, do, "api.example") + "[expect]\nflow = 'Failed'"
    report = rehearse(tmp_path, text, "asking_by_itself")
    assert report.verdict == "held"
    assert [(one.task, one.attempt, one.do) for one in report.history.faults] == [(0, 0, do)]


def test_a_replica_answers_the_flow_and_nobody_else_is_asked(tmp_path: Path) -> None:
    report = rehearse(tmp_path, asking("/posts/1", "/posts/11") + "[expect]\nresult = [200, 404]", "asking")
    assert report.verdict == "held"


def rows_of(report: Report) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(report.home / "complaints.db")) as connection:
        return connection.execute("SELECT complaint_id, narrative FROM complaint ORDER BY 1").fetchall()


def test_a_services_file_lies_beside_the_scenario(tmp_path: Path) -> None:
    records = [{"complaint_id": "42", "date_received": "2024-05-17T12:00:00-05:00"}]
    records[0] |= {"product": "Mortgage", "company": "A", "state": None, "complaint_what_happened": ""}
    (tmp_path / "mine.json").write_text(json.dumps(records), encoding="utf-8")
    text = "[service.'www.consumerfinance.gov']\nreplica = 'cfpb'\nfile = 'mine.json'\n[expect]\nresult = 1\n"
    file = str(tmp_path / "x.toml")
    report = rehearse(tmp_path / "runs", text, COMPLAINTS_ETL, file=file)
    assert rows_of(report) == [("42", "")]
    assert report.sentence == "Held: no fault was in the way and the flow ended Success, as expected."


def test_a_services_file_that_is_missing_is_an_error_with_its_path(tmp_path: Path) -> None:
    text = API.replace("records = 10", "file = 'none.json'")
    with pytest.raises(UsageError, match=r"none\.json: can't be read"):
        rehearse(tmp_path, text, "asking_by_itself", file=str(tmp_path / "x.toml"))


def test_the_records_of_a_service_follow_its_seed_or_else_the_scenarios(tmp_path: Path) -> None:
    text = "[service.'www.consumerfinance.gov']\nreplica = 'cfpb'\nrecords = 3\n"

    def stored(more: str, seed: int) -> list[tuple[str, str]]:
        return rows_of(rehearse(tmp_path, text + more, COMPLAINTS_ETL, seed=seed))

    assert stored("", 1) == stored("", 1) != stored("", 2)
    assert stored("seed = 5", 1) == stored("seed = 5", 2) == stored("", 5)
