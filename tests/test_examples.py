"""The examples, with the HTTP of their extracting tasks answered from here."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import aiohttp
import pytest
from aiohttp import web

from asyncflow.examples import (
    alerts,
    complaints,
    complaints_lines,
    hello,
    http,
    orders,
    posts,
    silent_null,
)
from asyncflow.flow import Flow
from asyncflow.targets import flows_in

MODULES = [hello, complaints, complaints_lines, alerts, silent_null, posts, orders]

HITS = [
    {
        "_source": {
            "complaint_id": str(number),
            "date_received": "2024-01-01",
            "product": "Loan",
            "company": "Bank",
        }
    }
    for number in range(3)
]
POSTS = {
    "posts": [{"id": 1, "title": "One", "userId": 7}, {"id": 2, "title": "Two", "userId": 7}],
    "users": [{"id": 7, "name": "Ada"}],
    "comments": [{"postId": 1}, {"postId": 1}],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answering(monkeypatch, answer):
    """Let every `get_json` of the examples give `answer(url)`."""

    async def get_json(url, parameters=None):
        return answer(url)

    for module in (complaints, posts):
        monkeypatch.setattr(module, "get_json", get_json)


def rows(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_shows_and_has_a_flow_that_can_be_drawn(module):
    assert module.__doc__
    own = {name: f for name, f in flows_in(module).items() if f.fn.__module__ == module.__name__}
    assert own
    for f in own.values():
        assert f.graph().nodes
        assert f.task_names()[1], "the whole graph is known before a run"


@pytest.mark.parametrize("module", [complaints, posts])
def test_the_command_in_the_docstring_names_a_flow(module):
    found = re.search(r"asyncflow run ([\w.]+):(\w+)", module.__doc__)
    assert found
    assert found[1] == module.__name__
    assert isinstance(getattr(module, found[2]), Flow)


def test_hello():
    assert hello.hello_world.run().result() == "Hello, world!"
    assert hello.data_dependency.run(count=4).result() == 10


def test_complaints_are_stored_once(folder, monkeypatch):
    answering(monkeypatch, lambda url: {"hits": {"hits": HITS}})
    assert complaints.complaints_etl.run().result() == 3
    assert complaints.complaints_etl.run().result() == 0
    assert rows("complaints.db", "SELECT complaint_id, company FROM complaint") == [
        ("0", "Bank"), ("1", "Bank"), ("2", "Bank"),
    ]  # fmt: skip


def test_no_complaints_are_a_skip(folder, monkeypatch):
    answering(monkeypatch, lambda url: {"hits": {"hits": []}})
    run = complaints.complaints_etl.run()
    assert run.is_success()
    assert run.tasks["parse_complaints"].state.is_skipped()


def test_failures_are_alerted(folder, monkeypatch):
    answering(monkeypatch, lambda url: {"hits": {"hits": [{"_source": {}}]}})
    run = alerts.complaints_with_alerts.run()
    assert isinstance(run.state.result, KeyError)
    assert rows("alerts.db", "SELECT who, state FROM alert ORDER BY number") == [
        ("parse_complaints", "Failed"),
        ("store_complaints", "TriggerFailed"),
        ("complaints with alerts", "Failed"),
    ]


def test_the_typo_raises_nothing_and_loses_the_date(folder, monkeypatch):
    answering(monkeypatch, lambda url: {"hits": {"hits": HITS}})
    assert silent_null.complaints_with_a_typo.run().result() == 3
    assert rows("complaints.db", "SELECT DISTINCT date_received FROM complaint") == [(None,)]


def test_an_order_leaves_a_row_for_each_step(folder):
    assert orders.order.run(item="a lamp").is_success()
    assert rows("orders.db", "SELECT step, undone FROM entry ORDER BY number") == [
        ("book", None),
        ("charge", None),
        ("ship", None),
    ]


def test_posts_are_joined(folder, monkeypatch):
    answering(monkeypatch, lambda url: POSTS[url.rpartition("/")[2]])
    assert posts.posts_etl.run().result() == 2
    assert rows("posts.db", "SELECT * FROM post ORDER BY id") == [(1, "One", "Ada", 2), (2, "Two", "Ada", 0)]


async def test_get_json_raises_what_a_policy_can_tell_apart():
    async def answer(request):
        match request.path:
            case "/json":
                return web.json_response({"size": request.query["size"]})
            case "/late":
                return web.Response(status=429, headers={"Retry-After": "7"})
            case _:
                return web.Response(text="<html>", content_type="application/json")

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        assert await http.get_json(f"http://{host}:{port}/json", {"size": 3}) == {"size": "3"}
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await http.get_json(f"http://{host}:{port}/late")
        assert caught.value.headers["Retry-After"] == "7"
        with pytest.raises(ValueError, match="Expecting value"):
            await http.get_json(f"http://{host}:{port}/html")
    finally:
        await runner.cleanup()
