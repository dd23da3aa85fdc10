"""Faults of the network, played in the simulated world: what a task with aiohttp makes of each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.scenario.support import BUILT
from asyncflow.scenario.verdict import Report
from tests.scenario.rehearsing import fired, rehearse

ETL = "asyncflow.examples.complaints:complaints_etl"
HOST = "www.consumerfinance.gov"
TIMEOUT = 10.0

HEAD = f"""
world = "simulated"

[service."{HOST}"]
replica = "cfpb"
records = 10

[policy.get_complaints]
retry   = {{ max_attempts = 2, delay = "1ms", on = ["Exception"] }}
timeout = {TIMEOUT}
"""


def network_fault(at: str, do: str, more: str = "") -> str:
    keys = f", {at}" if at else ""
    return f'[[fault]]\nat = {{ service = "{HOST}"{keys} }}\ndo = "{do}"\n{more}\n'


def played(folder: Path, text: str) -> Report:
    return rehearse(folder, HEAD + text, ETL)


def first_error(report: Report) -> str | None:
    """Return what the first attempt to get the complaints failed with, or None when it did not."""
    error = next(task for task in report.history.tasks if task.name == "get_complaints").attempts[0].error
    return None if error is None else error.type


# Of what breaks before the answer begins two connections are struck: aiohttp repeats a GET once by itself.
BOTH = "connection = [1, 2]"
BODY = 'connection = 1, part = "body", byte = 100'

SEEN = [
    ("nxdomain", "lookup = 1", "", "ClientConnectorDNSError"),
    ("servfail", "lookup = 1", "", "ClientConnectorDNSError"),
    ("dns-timeout", "lookup = 1", "", "ClientConnectorDNSError"),
    ("dns-timeout", "lookup = 1", "seconds = 20", "AttemptTimedOut"),
    ("dns-wrong", "lookup = 1", "", "ClientConnectorError"),
    ("refuse", "connection = 1", "", "ClientConnectorError"),
    ("unreachable", "connection = 1", "", "ClientConnectorError"),
    ("hang", "connection = 1", "", "AttemptTimedOut"),
    ("reset", BOTH, "", "ClientOSError"),
    ("reset", f'{BOTH}, part = "head", byte = 30', "", "ClientOSError"),
    ("reset", f'{BOTH}, direction = "up"', "", "ClientOSError"),
    ("reset", BODY, "", "ClientPayloadError"),
    ("eof", f"{BOTH}, byte = 0", "", "ServerDisconnectedError"),
    ("eof", f'{BOTH}, part = "head", byte = 30', "", "ServerDisconnectedError"),
    ("eof", BODY, "", "ClientPayloadError"),
    ("half-close", BODY, "", "ClientPayloadError"),
    ("blackhole", BODY, "", "AttemptTimedOut"),
    ("stall", BODY, "seconds = 20", "AttemptTimedOut"),
    ("drip", "connection = 1", "seconds = 20", "AttemptTimedOut"),
    ("bandwidth", "connection = 1", "rate = 10", "AttemptTimedOut"),
    ("latency", "connection = 1", "seconds = 20", "AttemptTimedOut"),
    ("clog", "connection = 1", "seconds = 20", "AttemptTimedOut"),
    ("clog", "connection = 1", "window = { to = '20s' }", "AttemptTimedOut"),
    ("partition", "connection = 1", "window = { to = '20s' }", "AttemptTimedOut"),
    ("corrupt", 'connection = 1, part = "head", byte = 0', "", "ClientResponseError"),
    ("corrupt", 'connection = 1, part = "body", byte = 0', "", "JSONDecodeError"),
]
"""A word, its address, its keys, and the error that ends the attempt which it strikes."""


@pytest.mark.parametrize(("do", "at", "more", "error"), SEEN)
def test_what_breaks_is_an_error_of_the_attempt_and_the_next_one_is_spared(
    tmp_path: Path, do: str, at: str, more: str, error: str
) -> None:
    report = played(tmp_path, network_fault(at, do, more))
    assert first_error(report) == error
    assert report.verdict == "held"
    assert report.history.state.name == "Success"


ONLY_LATE = [
    ("dns-slow", "lookup = 1", "seconds = 3", 3.0),
    ("stall", BODY, "seconds = 3", 3.0),
    ("latency", "connection = 1", "seconds = 3", 3.0),
    ("clog", "connection = 1", "seconds = 3", 3.0),
    ("clog", "connection = 1", "window = { to = '3s' }", 3.0),
    ("partition", "connection = 1", "window = { to = '3s' }", 3.0),
    ("drip", f"{BODY}, task = 'get_complaints'", "bytes = 4000\nseconds = 1", 1.0),
    ("bandwidth", "connection = 1", "rate = 5000", 1.0),
    ("slice", "connection = 1", "bytes = 7", 0.0),
    ("flap", "connection = 1", "up = '1ms'\ndown = '2s'", 2.0),
    ("half-close", 'connection = 1, direction = "up", byte = 9999', "optional = true", 0.0),
]
"""A word, its address, its keys, and how many seconds later everything is there, at the least."""


@pytest.mark.parametrize(("do", "at", "more", "seconds"), ONLY_LATE)
def test_what_only_comes_late_within_the_timeout_is_no_error(
    tmp_path: Path, do: str, at: str, more: str, seconds: float
) -> None:
    report = played(tmp_path, network_fault(at, do, more))
    assert first_error(report) is None
    assert report.verdict == "held"
    assert seconds <= report.history.ended < TIMEOUT


def test_the_tables_have_every_word_that_is_built() -> None:
    assert {row[0] for row in (*SEEN, *ONLY_LATE)} | {"reset-all"} == set(BUILT["network"])


def test_all_open_connections_can_be_reset_at_a_time(tmp_path: Path) -> None:
    drip = f'[[fault]]\nat = {{ service = "{HOST}", request = 1 }}\ndo = "drip"\nseconds = 4\n'
    report = played(tmp_path, drip + network_fault("", "reset-all", "window.from = '2s'"))
    assert (first_error(report), fired(report)) == ("ClientPayloadError", [1, 1])
    assert 2.0 <= report.history.ended < 4.0


def test_a_connection_that_breaks_before_the_answer_is_repeated_by_the_client_unseen(tmp_path: Path) -> None:
    report = played(tmp_path, network_fault("connection = 1", "reset"))
    assert (first_error(report), fired(report)) == (None, [1])


def test_a_fault_that_never_comes_is_not_reached(tmp_path: Path) -> None:
    for at in ("connection = 9", "lookup = 9", "byte = 1000000", "task = 'store_complaints', byte = 0"):
        do = "nxdomain" if "lookup" in at else "refuse" if at == "connection = 9" else "reset"
        assert played(tmp_path, network_fault(at, do)).verdict == "not-reached"


def test_a_window_that_is_over_spares_the_next_attempt(tmp_path: Path) -> None:
    text = network_fault("", "refuse", "window = { to = '0.1ms' }")
    report = played(tmp_path, text)
    assert (first_error(report), fired(report)) == ("ClientConnectorError", [1])


def test_probability_is_drawn_from_the_seed(tmp_path: Path) -> None:
    text = HEAD.replace("max_attempts = 2", "max_attempts = 50")
    text += network_fault("", "refuse", "probability = 0.8")
    strikes = [fired(rehearse(tmp_path, text, ETL, seed=seed))[0] for seed in (*range(8), *range(8))]
    assert strikes[:8] == strikes[8:]
    assert len(set(strikes)) > 2
