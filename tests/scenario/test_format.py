from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from asyncflow import signals, states
from asyncflow.errors import ScenarioInvalid
from asyncflow.scenario.actions import ACTIONS, find_action
from asyncflow.scenario.format import ADDRESSES, Fault, Scenario
from asyncflow.scenario.load import loads
from asyncflow.scenario.rules import COMMON
from asyncflow.scenario.support import unsupported
from asyncflow.scenario.values import Delay, Duration, Range, SignalName, StateName, counts, said
from tests.scenario.strategies import scenarios
from tests.scenario.toml import write, write_tables

relaxed = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def data_of(value: Any) -> Any:
    """The data of a file that would be read as `value`."""
    if isinstance(value, Struct):
        return {key: data_of(item) for key, item in said(value).items()} | (
            {"format": 1} if isinstance(value, Scenario) else {}
        )
    if isinstance(value, dict):
        return {key: data_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [data_of(item) for item in value]
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, Delay):
        return [str(one) for one in value.delays] if value.delays else str(value)
    return str(value) if isinstance(value, str) else value


@relaxed
@given(scenarios())
def test_every_valid_scenario_survives_reading_writing_and_reading_again(data: dict[str, Any]) -> None:
    first = loads(write(data))
    again = loads(write_tables(data_of(first)))
    assert again == first
    assert unsupported(again) == [] or unsupported(again)[0].startswith("scenario:")


def refusal(text: str) -> str:
    """Why a text is no scenario; empty when it is one. Any other error comes out."""
    try:
        loads(text)
    except ScenarioInvalid as error:
        return str(error)
    return ""


ALPHABET = "[]{}=\"',.#\n format1atdo_-\\é\0"


@relaxed
@given(st.one_of(st.text(ALPHABET, max_size=60), st.text(max_size=60)))
def test_garbage_is_refused_with_scenario_invalid_and_nothing_else(text: str) -> None:
    for candidate in (text, f'format = 1\nflow = "m:f"\n{text}'):
        assert (refusal(candidate) or "scenario:").startswith("scenario:")


@relaxed
@given(scenarios(), st.data())
def test_a_scenario_with_one_value_replaced_is_read_or_refused_with_scenario_invalid(
    data: dict[str, Any], more: st.DataObject
) -> None:
    holder: Any = data
    while True:
        key = more.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or more.draw(st.booleans()):
            break
        holder = inner
    holder[key] = more.draw(st.sampled_from((3, -1, 2.5, True, "text", "", [], [1], {}, {"a": 1}, 2**70)))
    # What the comparison of shapes lets through, the conversion takes: no message is msgspec's own.
    assert "at `$" not in refusal(write(data))


def test_the_words_of_states_and_signals_are_those_of_the_library() -> None:
    assert set(get_args(StateName)) == set(states.BY_NAME)
    built = {name for name in signals.__all__ if name != "Signal"}
    assert built <= set(get_args(SignalName))


def test_every_key_of_an_action_is_a_key_of_a_fault_and_the_other_way_round() -> None:
    keys = {key for action in ACTIONS for key in action.known}
    fields = {field.encode_name for field in structs.fields(Fault)}
    assert keys == fields - set(COMMON)


def test_an_action_word_stands_once_in_its_layer() -> None:
    words = [(action.layer, action.do) for action in ACTIONS]
    assert len(words) == len(set(words))
    assert {layer for layer, _ in words} == {
        *("task", "signal", "http", "network", "store", "process", "clock", "policy")
    }


@pytest.mark.parametrize(
    ("at", "do", "layer"),
    [
        ({"task": "t"}, "raise", "task"),
        ({"task": "t"}, "signal", "signal"),
        ({"task": "t"}, "crash", "process"),
        ({"service": "s"}, "hang", "http"),
        ({"service": "s", "request": 1}, "reset", "http"),
        ({"service": "s"}, "refuse", "network"),
        ({"service": "s", "connection": 1}, "hang", "network"),
        ({"service": "s", "byte": 0}, "reset", "network"),
        ({"service": "s", "task": "t"}, "status", "http"),
        ({"service": "s", "connection": 1}, "status", None),
        ({"store": "commit", "task": "t"}, "busy", "store"),
        ({"store": "commit"}, "crash", "process"),
        ({"process": "step"}, "block", "process"),
        ({"clock": "wall", "task": "t"}, "tie", "clock"),
        ({"policy": "t"}, "tie", "policy"),
        ({"policy": "t"}, "raise", None),
        ({}, "raise", None),
    ],
)
def test_the_address_decides_what_an_action_word_means(
    at: dict[str, Any], do: str, layer: str | None
) -> None:
    found = find_action(at, do)
    assert (found.layer if found else None) == layer


@pytest.mark.parametrize(
    ("expected", "number", "holds"),
    [(2, 2, True), (2, 3, False), (Range(min=2), 2, True), (Range(min=2), 1, False), (Range(max=2), 3, False),
     (Range(min=1, max=2), 2, True), (Range(max=0), 0, True)],
)  # fmt: skip
def test_a_count_is_a_number_or_a_range(expected: int | Range, number: int, holds: bool) -> None:
    assert counts(expected, number) is holds


def test_a_changed_scenario_keeps_its_source() -> None:
    scenario = loads('format = 1\nflow = "m:f"\n', "a.toml")
    changed = scenario.changed(world="simulated", seed=9)
    assert (changed.world, changed.seed, changed.source.file) == ("simulated", 9, "a.toml")
    assert scenario.world == "real"
    assert Scenario(format=1, flow=scenario.flow).source.line(("flow",)) == 1


S = 'service = "api"'
TAXONOMY = {
    # task
    "raise at task and attempt": '{ task = "t", attempt = 2 }, do = "raise", error = "ValueError: no"',
    "raise after the effect": '{ task = "t", when = "after" }, do = "raise", error = "OSError"',
    "slow": '{ task = "t" }, do = "delay", seconds = "5s"',
    "hang for ever": '{ task = "t" }, do = "hang"',
    "cancel at an attempt": '{ task = "t", attempt = [1, 2] }, do = "cancel"',
    "cancel while committing": '{ task = "t", when = "commit" }, do = "cancel"',
    "wrong result: None": '{ task = "t" }, do = "wrong-result"',
    "wrong result: wrong type": '{ task = "t" }, do = "wrong-result", value = "text"',
    "wrong result: truncated list": '{ task = "t" }, do = "wrong-result", keep = 3',
    "raise BaseException": '{ task = "t" }, do = "raise", error = "BaseException: no"',
    "raise in a TaskGroup": '{ task = "t" }, do = "raise", error = "ValueError: no", grouped = true',
    "one element of a mapped task": '{ task = "t", index = 0 }, do = "hang"',
    # signal
    "SUCCESS with a payload": '{ task = "t" }, do = "signal", signal = "SUCCESS", result = [1, 2]',
    "FAIL": '{ task = "t", call = 2 }, do = "signal", signal = "FAIL", message = "why"',
    "SKIP": '{ task = "t" }, do = "signal", signal = "SKIP"',
    "RETRY after": '{ task = "t" }, do = "signal", signal = "RETRY", delay = "2s"',
    "PAUSE": '{ task = "t" }, do = "signal", signal = "PAUSE"',
    "LOOP": '{ task = "t" }, do = "signal", signal = "LOOP", result = 1',
    "ENDRUN": '{ task = "t" }, do = "signal", signal = "ENDRUN", state = "Failed", message = "no"',
    "SUCCESS in an ExceptionGroup": '{ task = "t" }, do = "signal", signal = "SUCCESS", grouped = true',
    "swallowed by except Exception": (
        '{ task = "t", when = "inside", step = 2 }, do = "signal", signal = "SUCCESS"'
    ),
    "raised after the timeout fired": '{ task = "t", when = "timeout" }, do = "signal", signal = "SUCCESS"',
    # policy
    "retry budget empty": '{ policy = "t", attempt = 1 }, do = "empty-budget"',
    "jitter at its least": '{ policy = "t", edge = "backoff" }, do = "jitter", draw = 0',
    "jitter at its most": '{ policy = "t", edge = "backoff" }, do = "jitter", draw = 1.0',
    "Retry-After beyond the deadline": f'{{ {S} }}, do = "status", status = 503, retry_after = "1h"',
    "breaker at threshold": '{ task = "t", attempt = [1, 2, 3, 4, 5] }, do = "raise", error = "OSError"',
    "trip during half-open": '{ policy = "t", edge = "probe" }, do = "force-breaker", to = "open"',
    "open while retry sleeps": '{ policy = "t", edge = "backoff" }, do = "force-breaker", to = "open"',
    "reset timer tie": '{ policy = "t", edge = "probe" }, do = "tie"',
    "timeout and completion tie": '{ policy = "t", edge = "timeout" }, do = "tie"',
    "cancellation during backoff": '{ policy = "t", edge = "backoff", attempt = 1 }, do = "cancel"',
    "rejected": '{ policy = "t", edge = "admit" }, do = "reject", retry_after = "2s"',
    # network
    "nxdomain": f'{{ {S}, lookup = 1 }}, do = "nxdomain"',
    "servfail": f'{{ {S} }}, do = "servfail"',
    "dns timeout": f'{{ {S} }}, do = "dns-timeout"',
    "dns slow": f'{{ {S} }}, do = "dns-slow", seconds = "2s"',
    "dns wrong address": f'{{ {S} }}, do = "dns-wrong", address = "127.0.0.9"',
    "refuse": f'{{ {S}, connection = 1 }}, do = "refuse"',
    "connect hang": f'{{ {S}, connection = 1 }}, do = "hang"',
    "host unreachable": f'{{ {S} }}, do = "unreachable"',
    "reset in the head": f'{{ {S}, connection = 1, direction = "down", byte = 12 }}, do = "reset"',
    "eof in the head": f'{{ {S}, request = 1, direction = "down", byte = 12, part = "head" }}, do = "eof"',
    "reset in a body": f'{{ {S}, connection = [1, 3], direction = "down", byte = 300 }}, do = "reset"',
    "half-close": f'{{ {S}, connection = 1, direction = "up", byte = 0 }}, do = "half-close"',
    "blackhole": f'{{ {S}, connection = 1, byte = 9 }}, do = "blackhole"',
    "stall": f'{{ {S}, connection = 1, byte = 9 }}, do = "stall", seconds = "1m"',
    "drip": f'{{ {S}, connection = 1 }}, do = "drip", bytes = 1, seconds = "10ms"',
    "slice": f'{{ {S} }}, do = "slice", bytes = 7',
    "bandwidth": f'{{ {S} }}, do = "bandwidth", rate = 1024',
    "latency and jitter": f'{{ {S} }}, do = "latency", seconds = "80ms", jitter = "20ms"',
    "partition one way": (
        f'{{ {S}, direction = "up" }}, do = "partition", window = {{ from = "5s", to = "9s" }}'
    ),
    "partition both ways": f'{{ {S} }}, do = "partition", window = {{ from = "5s" }}',
    "flapping": f'{{ {S} }}, do = "flap", up = "1s", down = "200ms"',
    "clog": f'{{ {S} }}, do = "clog", seconds = "2s"',
    "reset of all pooled connections": f'{{ {S} }}, do = "reset-all", window = {{ from = "3s" }}',
    # http
    "429 with Retry-After": f'{{ {S}, request = 1 }}, do = "status", status = 429, retry_after = 2',
    "500 without": f'{{ {S}, request = [1, 3], path = "/api" }}, do = "status", status = 500',
    "200 with an error body": f'{{ {S} }}, do = "status", status = 200, body = "oops"',
    "204 with a body": f'{{ {S} }}, do = "status", status = 204, body = "x", headers = {{ X-Odd = "1" }}',
    "corrupt status line": f'{{ {S}, request = 1, byte = 9, part = "head" }}, do = "corrupt", mask = 32',
    "corrupt body byte": f'{{ {S}, request = 1, byte = 30, part = "body" }}, do = "corrupt", bytes = 2',
    "malformed JSON": f'{{ {S}, method = "GET" }}, do = "malformed-json"',
    "truncated JSON": f'{{ {S} }}, do = "truncate", keep = 40',
    "malformed NDJSON": f'{{ {S} }}, do = "malformed-line", line = 3',
    "wrong content type": f'{{ {S} }}, do = "wrong-content-type", content_type = "text/html; charset=utf-16"',
    "Content-Length too small": f'{{ {S} }}, do = "wrong-length", off = -5',
    "Content-Length too large": f'{{ {S} }}, do = "wrong-length", off = 5',
    "bad chunk size": f'{{ {S} }}, do = "bad-chunk"',
    "bad gzip": f'{{ {S} }}, do = "bad-gzip"',
    "giant header": f'{{ {S} }}, do = "giant-header", bytes = 100000',
    "redirect loop": f'{{ {S} }}, do = "redirect-loop"',
    "stale keep-alive": f'{{ {S}, request = 2 }}, do = "stale-keep-alive"',
    "extra bytes after the body": f'{{ {S} }}, do = "extra-bytes", bytes = 3',
    "slow answer": f'{{ {S} }}, do = "slow", seconds = 0.5',
    "no answer": f'{{ {S} }}, do = "hang"',
    "reset instead of an answer": f'{{ {S} }}, do = "reset"',
    "slow body": f'{{ {S} }}, do = "drip", seconds = "2s"',
    "the exchange of one attempt": f'{{ {S}, task = "t", attempt = 2 }}, do = "status", status = 500',
    "TLS: bad certificate": f'{{ {S} }}, do = "bad-certificate", certificate = "expired"',
    "TLS: handshake reset": f'{{ {S}, connection = 1 }}, do = "tls-reset"',
    "TLS: handshake stall": f'{{ {S} }}, do = "tls-stall"',
    "TLS: record flip": f'{{ {S} }}, do = "tls-corrupt"',
    # store
    "busy": '{ store = "write", nth = 2, table = "event" }, do = "busy"',
    "full": '{ store = "write" }, do = "full"',
    "I/O error": '{ store = "read", nth = [1, 2] }, do = "io-error"',
    "read-only": '{ store = "open" }, do = "read-only"',
    "malformed": '{ store = "any", database = "complaints.db" }, do = "malformed"',
    "slow store": '{ store = "commit", task = "t", attempt = 1 }, do = "slow", seconds = "1s"',
    "connection lost": '{ store = "commit" }, do = "disconnect"',
    "commit fails before it took effect": '{ store = "commit", when = "before" }, do = "io-error"',
    "commit fails after it took effect": '{ store = "commit", nth = 2, when = "after" }, do = "io-error"',
    # process
    "crash at step n": '{ process = "step", nth = 114 }, do = "crash"',
    "crash at a named site": '{ process = "site", site = "journal-written" }, do = "crash"',
    "crash before a store operation": '{ store = "write", nth = 3, when = "before" }, do = "crash"',
    "crash after byte n sent": f'{{ {S}, direction = "up", byte = 120 }}, do = "crash"',
    "crash after the commit of a task": '{ store = "commit", task = "t", when = "after" }, do = "crash"',
    "crash during recovery": '{ process = "recovery" }, do = "crash", boot = 2',
    "crash loop": '{ process = "start" }, do = "crash", boot = [1, 2, 3]',
    "power loss": '{ process = "step", nth = 9 }, do = "power-loss", keep = 4096',
    "SIGTERM grace": '{ task = "t", attempt = 1 }, do = "sigterm", grace = "5s"',
    "second runner": '{ process = "start" }, do = "second-runner"',
    "loop blocked": '{ task = "t" }, do = "block", seconds = "2s"',
    # clock
    "wall clock steps back": '{ clock = "wall", task = "t" }, do = "step", shift = "-1h"',
    "skew between hosts": '{ clock = "wall", host = "api" }, do = "skew", shift = "3s"',
    "drift": '{ clock = "monotonic" }, do = "drift", factor = 1.01',
    "suspend": '{ clock = "monotonic" }, do = "suspend", seconds = "8h", window = { from = "1s" }',
    "late timers": '{ clock = "timers" }, do = "late", seconds = "50ms"',
    "coarse resolution": '{ clock = "wall" }, do = "coarse", seconds = "16ms"',
    "equal deadlines": '{ clock = "timers" }, do = "tie"',
}  # fmt: skip


def read_fault(row: str) -> Fault:
    """Read a row of the table above: the keys of its fault come to stand on lines of their own."""
    at, keys = row.split("}, do = ", 1)
    depth, lines = 0, ""
    for char in keys:
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(char, 0)
        lines += "\n" if char == "," and depth == 0 else char
    head = 'format = 1\nflow = "m:f"\n[service.api]\nreplica = "cfpb"\n'
    return loads(f"{head}[[fault]]\nat = {at}}}\ndo = {lines}\n").faults[0]


@pytest.mark.parametrize("row", TAXONOMY.values(), ids=TAXONOMY.keys())
def test_every_kind_of_fault_can_be_written_down(row: str) -> None:
    fault = read_fault(row)
    assert fault.action.do == fault.do


def test_the_kinds_of_faults_use_every_action_word() -> None:
    met = {(action.layer, action.do) for action in (read_fault(row).action for row in TAXONOMY.values())}
    assert met == {(action.layer, action.do) for action in ACTIONS}


def test_addresses_are_told_apart_by_the_first_of_their_keys() -> None:
    assert list(ADDRESSES) == ["service", "store", "process", "clock", "policy", "task"]
