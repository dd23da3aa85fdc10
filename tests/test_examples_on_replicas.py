"""The example flows, against replicas: with records of our own, and with real ones where they lie ready."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from asyncflow import examples, signals
from asyncflow.examples import complaints, posts
from asyncflow.examples.complaints import Complaint
from asyncflow.examples.silent_null import parse_with_a_typo
from asyncflow.flow import Flow
from asyncflow.net.complaint_records import complaints as made_complaints
from asyncflow.scenario import gallery
from asyncflow.scenario.load import load
from asyncflow.scenario.verdict import Report
from asyncflow.targets import flows_in
from tests.scenario.rehearsing import rehearse

COMPLAINTS = "asyncflow.examples.complaints:complaints_etl"
CFPB = "[service.'www.consumerfinance.gov']\nreplica = 'cfpb'\n"

_PLACES = (os.environ.get("ASYNCFLOW_DATA"), Path(__file__).resolve().parents[2] / "shared" / "data")
REAL = [file for place in _PLACES if place and (file := Path(place) / "cfpb_complaints.json").is_file()][:1]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "records_file" in metafunc.fixturenames:
        metafunc.parametrize("records_file", ["made", *REAL], indirect=True, ids=lambda file: Path(file).stem)


@pytest.fixture
def records_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An answer of the complaint API in a file; one that we made, and a real one where there is one."""
    if request.param != "made":
        return Path(request.param)
    hits = [{"_id": record["complaint_id"], "_source": record} for record in made_complaints(Random(3), 60)]
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"took": 1, "hits": {"hits": hits}}), encoding="utf-8")
    return path


def rows(report: Report, query: str, database: str = "complaints.db") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(report.home / database)) as connection:
        return connection.execute(query).fetchall()


def test_every_record_of_an_answer_is_parsed_and_stored(tmp_path: Path, records_file: Path) -> None:
    sources = [hit["_source"] for hit in json.loads(records_file.read_text("utf-8"))["hits"]["hits"]]
    text = (
        f"[parameters]\nsize = {len(sources) + 1}\n\n{CFPB}file = {json.dumps(str(records_file))}\n"
        f"[expect]\nflow = 'Success'\nattempts = {{ get_complaints = 1 }}\nresult = {len(sources)}\n"
        "rows = [{ database = 'complaints.db', table = 'complaint', not_null = ['company', 'narrative'] }]\n"
    )
    report = rehearse(tmp_path / "runs", text, COMPLAINTS)
    assert report.verdict == "held", report.sentence
    stored = rows(report, "SELECT * FROM complaint")
    assert sorted(stored) == sorted(
        (
            source["complaint_id"],
            source["date_received"],
            source["state"],
            source["product"],
            source["company"],
            source["complaint_what_happened"] or "",
        )
        for source in sources
    )
    assert any(row[-1] == "" for row in stored)


SOURCE = {
    "complaint_id": "1",
    "date_received": "2024-05-17T12:00:00-05:00",
    "state": "TX",
    "product": "Mortgage",
    "company": "A",
    "complaint_what_happened": "It rained.",
}


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({}, "narrative", "It rained."),
        ({"complaint_what_happened": None}, "narrative", ""),
        ({"complaint_what_happened": ""}, "narrative", ""),
        ({"state": None}, "state", None),
        ({"date_received": None}, "date_received", None),
        ({"product": None}, "product", None),
        ({"company": None}, "company", None),
        ({"more": 1}, "company", "A"),
    ],
)
def test_what_the_api_leaves_null_is_stored_so(
    changes: dict[str, Any], field: str, value: str | None
) -> None:
    (parsed,) = complaints.parse_complaints.fn([{"_source": SOURCE | changes}])
    assert isinstance(parsed, Complaint)
    assert getattr(parsed, field) == value


@pytest.mark.parametrize("field", ["complaint_id", "product", "company"])
def test_a_field_that_the_api_has_given_up_is_an_error(field: str) -> None:
    with pytest.raises(KeyError, match=field):
        complaints.parse_complaints.fn([{"_source": {key: SOURCE[key] for key in SOURCE if key != field}}])


def test_an_empty_answer_is_skipped() -> None:
    with pytest.raises(signals.SKIP):
        complaints.parse_complaints.fn([])


def test_the_flow_with_a_typo_differs_in_the_date_alone() -> None:
    (right,) = complaints.parse_complaints.fn([{"_source": SOURCE}])
    (wrong,) = parse_with_a_typo.fn([{"_source": SOURCE}])
    assert (right.date_received, wrong.date_received) == (SOURCE["date_received"], None)
    assert Complaint(**{**vars(wrong), "date_received": right.date_received}) == right


def test_complaints_that_are_stored_already_are_not_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def stored(*ids: str) -> int:
        some = complaints.parse_complaints.fn([{"_source": SOURCE | {"complaint_id": one}} for one in ids])
        return asyncio.run(complaints.store_complaints.fn(some))

    for _ in range(2):
        asyncio.run(complaints.create_table.fn())
    assert [stored("1", "2"), stored("2", "3"), stored("3")] == [2, 1, 0]
    assert asyncio.run(complaints.store_complaints.fn(None)) == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("do = 'status'\nstatus = 503", aiohttp.ClientResponseError),
        ("do = 'status'\nstatus = 404", aiohttp.ClientResponseError),
        ("do = 'malformed-json'", json.JSONDecodeError),
        ("do = 'wrong-content-type'", aiohttp.ContentTypeError),
        ("do = 'truncate'", aiohttp.ClientPayloadError),
        ("do = 'reset'", aiohttp.ClientError),
    ],
)
def test_what_an_api_may_do_is_an_error_that_the_examples_policy_repeats(
    tmp_path: Path, fault: str, error: type[Exception]
) -> None:
    # Two requests, since the client repeats a request once whose connection is reset before the answer.
    at = "at = { service = 'www.consumerfinance.gov', request = [1, 2] }\n"
    quick = (
        "[policy.get_complaints]\nretry = { max_attempts = 4, on = ['aiohttp:ClientError', 'ValueError'] }\n"
    )
    text = f"{CFPB}[[fault]]\n{at}{fault}\n{quick}[expect]\nflow = 'Success'\nresult = 10\n"
    report = rehearse(tmp_path, text, COMPLAINTS)
    assert report.verdict == "held", report.sentence
    first = report.history.tasks[1].attempts[0].error
    assert first is not None
    assert issubclass(_named(first.type), error)
    # What is repeated here is what the example's own policy repeats.
    assert issubclass(_named(first.type), complaints.PATIENT.on)  # type: ignore[arg-type]  # a tuple of types


def _named(name: str) -> type[BaseException]:
    return getattr(aiohttp, name, None) or getattr(json, name)


def test_posts_are_joined_with_authors_and_counts(tmp_path: Path) -> None:
    text = (
        "[service.'jsonplaceholder.typicode.com']\nreplica = 'posts'\nrecords = 30\n[expect]\nresult = 30\n"
    )
    report = rehearse(tmp_path, text, "asyncflow.examples.posts:posts_etl")
    assert report.verdict == "held", report.sentence
    stored = rows(report, "SELECT id, author, comments FROM post ORDER BY id", "posts.db")
    assert [number for number, _, _ in stored] == list(range(1, 31))
    assert all(author and comments == 5 for _, author, comments in stored)


LINES = CFPB + "records = 10\nshape = 'ndjson'\n"
READERS = ("take_what_comes", "take_all_or_none")


@pytest.mark.parametrize("world", ["real", "simulated"])
@pytest.mark.parametrize("framing", ["length", "chunked", "eof"])
@pytest.mark.parametrize("size", [3, 10, 25])
def test_both_readers_get_all_lines_where_nothing_goes_wrong(
    tmp_path: Path, world: str, framing: str, size: int
) -> None:
    text = f"world = '{world}'\n[parameters]\nsize = {size}\n{LINES}framing = '{framing}'\n"
    report = rehearse(tmp_path, text, "asyncflow.examples.complaints_lines:complaints_lines")
    assert lines_of(report) == dict.fromkeys(READERS, (min(size, 10), 1))


@pytest.mark.parametrize("world", ["real", "simulated"])
@pytest.mark.parametrize("do", ["truncate", "reset"])
@pytest.mark.parametrize(
    ("framing", "careless"), [("length", (10, 2)), ("chunked", (10, 2)), ("eof", (2, 1))]
)
def test_a_cut_is_an_error_of_the_transport_unless_only_the_end_of_the_connection_ends_the_body(
    tmp_path: Path, framing: str, careless: tuple[int, int], do: str, world: str
) -> None:
    cut = "at = { service = 'www.consumerfinance.gov', request = [1, 2] }\n"
    cut += f"do = '{do}'\nkeep = 2000\n"
    quick = "retry = { max_attempts = 2, on = ['Exception'] }\n"
    policies = "".join(f"[policy.{reader}]\n{quick}" for reader in READERS)
    text = f"world = '{world}'\n{LINES}framing = '{framing}'\n[[fault]]\n{cut}{policies}"
    report = rehearse(tmp_path, text, "asyncflow.examples.complaints_lines:complaints_lines")
    assert lines_of(report) == {"take_what_comes": careless, "take_all_or_none": (10, 2)}


def lines_of(report: Report) -> dict[str, tuple[int, int]]:
    """Return how many lines each reader stored, and how many attempts it made."""
    stored = dict(rows(report, "SELECT reader, count(*) FROM line GROUP BY reader", "lines.db"))
    attempts = {task.name: task.attempt_count for task in report.history.tasks}
    return {reader: (stored.get(reader, 0), attempts[reader]) for reader in READERS}


def test_a_post_without_comments_counts_none() -> None:
    joined = posts.join.fn(
        [{"id": 1, "userId": 7, "title": "t"}, {"id": 2, "userId": 7, "title": "u"}],
        [{"id": 7, "name": "Ada"}],
        [{"postId": 2}, {"postId": 2}, {"postId": 9}],
    )
    assert joined == [(1, "t", "Ada", 0), (2, "u", "Ada", 2)]


def flows() -> dict[str, Flow[..., Any]]:
    found = {}
    for module in pkgutil.iter_modules(examples.__path__, f"{examples.__name__}."):
        here = flows_in(importlib.import_module(module.name))
        found.update({f"{module.name}:{name}": flow for name, flow in here.items()})
    return found


@pytest.mark.parametrize("reference", flows())
def test_every_example_is_rehearsed_by_a_shipped_scenario(reference: str) -> None:
    assert reference in {load(gallery.find(name)).flow for name in gallery.names()}


@pytest.mark.parametrize("flow", flows().values(), ids=lambda flow: flow.name)
def test_every_example_can_be_drawn_without_running(flow: Flow[..., Any]) -> None:
    names, complete = flow.task_names()
    assert complete
    assert {node.label.removesuffix(" <map>") for node in flow.graph().nodes} == set(names)
    assert flow.__doc__
