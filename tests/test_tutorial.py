"""Programs written as the Prefect 0.15 tutorial writes them, with only the import lines of asyncflow."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import namedtuple
from contextlib import closing
from datetime import timedelta

import pytest

from asyncflow import Flow, Parameter, signals, task
from asyncflow.errors import InvalidTask
from asyncflow.schedules import IntervalSchedule
from asyncflow.states import State
from asyncflow.tasks import SQLiteScript
from tests.clock import run_virtual

Complaint = namedtuple("Complaint", "received state product company narrative")

ANSWER = {
    "hits": {
        "hits": [
            {"_source": {"date_received": "2024-03-0" + str(day), "state": "NY", "product": "Loan",
                         "company": "Bank", "complaint_what_happened": "It was " + str(day)}}
            for day in range(1, 6)
        ]
    }
}  # fmt: skip

CREATE = """
CREATE TABLE IF NOT EXISTS complaint (timestamp TEXT, state TEXT, product TEXT, company TEXT, narrative TEXT);
CREATE INDEX IF NOT EXISTS by_state ON complaint (state);
"""


def current_time():
    return asyncio.get_running_loop().time()


class Etl:
    """The tutorial's flow: a table, extract, transform, load; the test says what goes wrong in parsing."""

    def __init__(self, folder, *, parsing=lambda: None, flow_handlers=(), schedule=None, **extract):
        self.db = str(folder / "cfpbcomplaints.db")
        self.alerts = []
        db, alerts = self.db, self.alerts

        def alert_failed(obj, old_state, new_state):
            if new_state.is_failed():
                alerts.append((getattr(obj, "flow", obj).name, str(new_state)))

        create_table = SQLiteScript(db=db, script=CREATE)

        self.asked = 0

        @task(state_handlers=[alert_failed], **extract)
        def get_complaint_data():
            self.asked += 1
            return json.loads(json.dumps(ANSWER))["hits"]["hits"]

        @task(state_handlers=[alert_failed])
        def parse_complaint_data(raw):
            parsing()
            complaints = []
            for row in raw:
                source = row.get("_source")
                complaints.append(
                    Complaint(
                        received=source.get("date_received"),
                        state=source.get("state"),
                        product=source.get("product"),
                        company=source.get("company"),
                        narrative=source.get("complaint_what_happened"),
                    )
                )
            return complaints

        @task(state_handlers=[alert_failed])
        def store_complaints(parsed):
            insert = "INSERT INTO complaint VALUES (?, ?, ?, ?, ?)"
            with closing(sqlite3.connect(db)) as connection, closing(connection.cursor()) as cursor:
                cursor.executemany(insert, parsed or ())
                connection.commit()

        with Flow("my etl flow", schedule, state_handlers=[alert_failed, *flow_handlers]) as f:
            self.table = create_table()
            self.raw = get_complaint_data()
            self.parsed = parse_complaint_data(self.raw)
            self.stored = store_complaints(self.parsed)
            self.stored.set_upstream(self.table)
        self.flow = f

    @property
    def rows(self):
        with closing(sqlite3.connect(self.db)) as connection:
            return connection.execute("SELECT timestamp, state FROM complaint ORDER BY timestamp").fetchall()

    def run(self):
        run = self.flow.run()
        handles = {"table": self.table, "raw": self.raw, "parsed": self.parsed, "stored": self.stored}
        return run, {name: str(run.tasks[handle].state) for name, handle in handles.items()}


def test_the_etl_stores_what_it_got(tmp_path):
    etl = Etl(tmp_path)
    run, found = etl.run()
    assert run.is_success()
    assert run.state.message == "All reference tasks succeeded."
    assert set(found.values()) == {"Success"}
    assert etl.rows == [(f"2024-03-0{day}", "NY") for day in range(1, 6)]
    assert etl.alerts == []


def test_a_recorded_flow_may_be_run_again(tmp_path):
    etl = Etl(tmp_path)
    for times in (1, 2, 3):
        assert etl.run()[0].is_success()
        assert len(etl.rows) == 5 * times


def test_a_schedule_of_a_minute_with_a_cached_extract_asks_once_a_day(tmp_path):
    each_minute = IntervalSchedule(interval=timedelta(minutes=1), runs=3)
    etl = Etl(tmp_path, schedule=each_minute, cache_for=timedelta(days=1))

    async def story():
        begun = current_time()
        run = await etl.flow.follow()
        return run, current_time() - begun

    run, seconds = run_virtual(story())
    assert run.is_success()
    assert 120 <= seconds <= 180
    assert (etl.asked, len(etl.rows)) == (1, 15)
    assert str(run.tasks["get_complaint_data"].state) == "Cached"


def test_an_exception_in_parsing_stops_the_load_and_three_alerts_are_sent(tmp_path):
    def parsing():
        raise Exception("something went wrong")

    etl = Etl(tmp_path, parsing=parsing)
    run, found = etl.run()
    assert run.is_failed()
    assert run.state.message == "Some reference tasks failed."
    assert found == {"table": "Success", "raw": "Success", "parsed": "Failed", "stored": "TriggerFailed"}
    assert etl.alerts == [
        ("parse_complaint_data", "Failed"),
        ("store_complaints", "TriggerFailed"),
        ("my etl flow", "Failed"),
    ]
    with pytest.raises(Exception, match="something went wrong"):
        run.result()


def test_a_bare_success_signal_succeeds_with_nothing(tmp_path):
    def parsing():
        raise signals.SUCCESS

    etl = Etl(tmp_path, parsing=parsing)
    run, found = etl.run()
    assert run.is_success()
    assert set(found.values()) == {"Success"}
    assert run.tasks[etl.parsed].state.result is None
    assert etl.rows == []
    assert etl.alerts == []


def test_a_success_signal_with_a_result_passes_it_on(tmp_path):
    row = Complaint("2024-01-01", "VT", "Card", "Bank", "")

    def parsing():
        raise signals.SUCCESS(result=[row])

    etl = Etl(tmp_path, parsing=parsing)
    assert etl.run()[0].is_success()
    assert etl.rows == [("2024-01-01", "VT")]


def test_a_skip_signal_skips_the_load(tmp_path):
    def parsing():
        raise signals.SKIP("nothing new")

    run, found = Etl(tmp_path, parsing=parsing).run()
    assert run.is_success()
    assert (found["parsed"], found["stored"]) == ("Skipped", "Skipped")


def test_the_students_typo_in_a_flow_handler_is_answered_and_the_states_are_kept(tmp_path):
    def handler(obj, old_state, new_state):
        if new_state.is_final() and new_state.isfailed():
            raise AssertionError("not reached")

    etl = Etl(tmp_path, flow_handlers=[handler])
    run, found = etl.run()
    assert run.is_failed()
    assert "a State has no 'isfailed'. Did you mean 'is_failed'?" in run.state.message
    assert set(found.values()) == {"Success"}


def test_retries_in_the_tutorials_words(tmp_path):
    left = [ConnectionError("down"), ConnectionError("down")]

    @task(max_retries=2, retry_delay=timedelta(milliseconds=1))
    def flaky():
        if left:
            raise left.pop()
        return "up"

    with Flow("retries") as f:
        answer = flaky()
    run = f.run()
    assert run.tasks[answer].state.result == "up"
    assert [str(event.detail) for event in run.events if event.kind == "state_changed" and event.task] == [
        "Running", "Retrying", "Running", "Retrying", "Running", "Success",
    ]  # fmt: skip


def test_parameters_in_the_tutorials_words():
    @task
    def multiply(x, y):
        return x * y

    with Flow("parameters") as f:
        x = Parameter("x", default=2)
        result = multiply(x, Parameter("y"))
    assert f.run(y=5).tasks[result].state.result == 10
    assert f.run(parameters={"x": 3, "y": 5}).tasks[result].state.result == 15
    with pytest.raises(ValueError, match="did not receive the following required parameters: y"):
        f.run()
    with pytest.raises(ValueError, match="received the following unexpected parameters: zz"):
        f.run(y=1, zz=2)


def test_visualize_writes_a_file_named_after_the_flow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    etl = Etl(tmp_path)
    saved = etl.flow.visualize()
    assert saved.name == "my etl flow.pdf"
    assert saved.read_bytes().startswith(b"%PDF")
    drawn = etl.flow.visualize("etl.mmd").read_text(encoding="utf-8")
    for name in ("SQLiteScript", "get_complaint_data", "parse_complaint_data", "store_complaints"):
        assert name in drawn


class TestSQLiteScript:
    def test_it_runs_all_statements_and_makes_the_file(self, tmp_path):
        path = tmp_path / "new.db"
        with Flow("tables") as f:
            make = SQLiteScript(db=path, script="CREATE TABLE a (x); INSERT INTO a VALUES (3);", name="make")
            make.with_options(timeout=5)()
        run = f.run()
        assert run.is_success()
        assert run.tasks["make"].state.result is None
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT x FROM a").fetchall() == [(3,)]

    def test_an_error_in_the_script_fails_the_task(self, tmp_path):
        with Flow("tables") as f:
            SQLiteScript(db=tmp_path / "x.db", script="CREATE TABEL a (x)")()
        with pytest.raises(sqlite3.OperationalError, match="syntax error"):
            f.run().result()

    def test_an_empty_script_is_refused(self):
        with pytest.raises(InvalidTask, match="nothing to run"):
            SQLiteScript(db="x.db", script="  ")

    def test_the_options_are_those_of_a_task(self):
        with pytest.raises(InvalidTask, match="Did you mean 'retry'"):
            SQLiteScript(db="x.db", script="SELECT 1", retyr=3)
        assert SQLiteScript(db="x.db", script="SELECT 1", retry=3).name == "SQLiteScript"


def test_states_have_the_tutorials_questions():
    for word in ("is_failed", "is_success", "is_final", "is_running", "is_retrying", "is_skipped"):
        assert callable(getattr(State, word))
