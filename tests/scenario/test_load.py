from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec
import pytest

from asyncflow.errors import ScenarioInvalid
from asyncflow.scenario import load as loading
from asyncflow.scenario.format import TaskAt
from asyncflow.scenario.load import load, loads

EXAMPLE = """\
format = 1
title  = "A parse error stops the load, and the flow says so"
flow   = "my_package.flows:nightly_load"
world  = "real"
seed   = 7

[parameters]
size = 10

[service."www.consumerfinance.gov"]
replica = "cfpb"
records = 10

[[fault]]
at    = { task = "parse_complaints", attempt = 1 }
do    = "raise"
error = "ValueError: unexpected null in 'company'"

[[fault]]
at    = { service = "www.consumerfinance.gov", connection = 1, direction = "down", byte = 120 }
do    = "reset"

[policy.get_complaints]
retry   = { max_attempts = 4, delay = "exponential 200ms cap 5s", jitter = "full" }
timeout = "3s"

[variant.no-policy]
policy = "none"

[expect]
flow     = "Failed"
tasks    = { get_complaints = "Success", parse_complaints = "Failed" }
attempts = { get_complaints = 2, parse_complaints = { min = 1 } }
rows     = [{ database = "complaints.db", table = "complaint", where = "date_received IS NULL", count = 0 }]
within   = "30s"

[expect.before]
flow = "Success"

[[expect.always]]
attempts = { get_complaints = { max = 4 } }
"""


def test_a_scenario_says_what_its_file_says(tmp_path: Path) -> None:
    path = tmp_path / "fail_parse.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    scenario = load(path)
    first, second = scenario.faults
    assert (scenario.flow, scenario.world, scenario.seed) == ("my_package.flows:nightly_load", "real", 7)
    assert (first.at, first.action.layer) == (TaskAt(task="parse_complaints", attempt=1), "task")
    assert (second.do, second.action.layer) == ("reset", "network")
    assert scenario.services["www.consumerfinance.gov"].records == 10
    assert scenario.policies["get_complaints"].timeout == 3.0
    assert scenario.variants["no-policy"].policy == "none"
    assert scenario.expect.rows[0].where == "date_received IS NULL"
    assert scenario.expect.before is not None
    assert scenario.expect.before.flow == "Success"
    assert scenario.source.file == str(path)


HEAD = 'format = 1\nflow = "m:f"\n'  # errors below it start at line 3

WIRE = HEAD + '[service.a]\nreplica = "cfpb"\n[[fault]]\n'  # the address stands in line 6

BROKEN: dict[str, tuple[str, str]] = {
    "empty": ("", "bad.toml:1: the file is empty; it starts with format = 1"),
    "blank": (" \n\n", "bad.toml:1: the file is empty; it starts with format = 1"),
    "an unclosed string": (
        'format = 1\nflow = "m:f',
        "bad.toml:2: not valid TOML: Unterminated string at the end of the file",
    ),
    "a word without quotes": (
        "format = 1\nflow = m:f\n",
        "bad.toml:2: not valid TOML: Invalid value at column 8",
    ),
    "a table twice": (
        HEAD + "[expect]\n[expect]\n",
        "bad.toml:4: not valid TOML: Cannot declare ('expect',) twice at column 8",
    ),
    "nested without end": (
        "a = " + "[" * 9000,
        "bad.toml:1: not valid TOML: values are nested too deeply",
    ),
    "a number without end": (
        "a = " + "1" * 5000,
        "bad.toml:1: not valid TOML: a number has too many digits",
    ),
    "no format": (
        'flow = "m:f"\nwrld = 2\n',
        "bad.toml:1: format: is missing; a scenario starts with format = 1",
    ),
    "another format": (
        'format = 2\nflow = "m:f"\n',
        "bad.toml:1: format: this version reads format 1, and the file says the number 2",
    ),
    "a format as text": (
        'flow = "m:f"\nformat = "1"\n',
        "bad.toml:2: format: this version reads format 1, and the file says the text '1'",
    ),
    "a format that is true": (
        'format = true\nflow = "m:f"\n',
        "bad.toml:1: format: this version reads format 1, and the file says true",
    ),
    "no flow": ("format = 1\n", "bad.toml:1: flow: is missing"),
    "a flow without a name": (
        'format = 1\nflow = "flows"\n',
        "bad.toml:2: flow: expected 'module:name' or 'file.py:name', such as "
        "'my_package.flows:nightly_load', got the text 'flows'",
    ),
    "an unknown key": (HEAD + "sed = 3\n", "bad.toml:3: sed: unknown key. Did you mean 'seed'?"),
    "an unknown key that is like no other": (
        HEAD + "[expect.before]\nzzz = 3\n",
        "bad.toml:4: expect.before.zzz: unknown key. Known here: flow, tasks, attempts, calls, rows, result, "
        "signal, events, breaker, within, output, check.",
    ),
    "the older name of a table": (
        HEAD + "[[faults]]\ntask = 1\n",
        "bad.toml:3: faults: unknown key. Did you mean 'fault'?",
    ),
    "a text for a number": (
        HEAD + 'seed = "seven"\n',
        "bad.toml:3: seed: expected a whole number, got the text 'seven'",
    ),
    "a number with a point for a whole one": (
        HEAD + "seed = 7.5\n",
        "bad.toml:3: seed: expected a whole number, got the number 7.5",
    ),
    "true for a number": (HEAD + "seed = true\n", "bad.toml:3: seed: expected a whole number, got true"),
    "a number that is too large": (
        HEAD + f"seed = {2**70}\n",
        "bad.toml:3: seed: expected a whole number, got a very large number",
    ),
    "a misspelt word": (
        HEAD + 'world = "simulatd"\n',
        "bad.toml:3: world: unknown value 'simulatd'. Did you mean 'simulated'?",
    ),
    "a word that is like no other": (
        HEAD + 'world = "moon"\n',
        "bad.toml:3: world: expected 'real' or 'simulated', got the text 'moon'",
    ),
    "one table for several": (
        HEAD + "[fault]\ndo = 3\n",
        "bad.toml:3: fault: expected a list, got a table",
    ),
    "a text for a table": (
        HEAD + 'service = "api"\n',
        "bad.toml:3: service: expected a table, got the text 'api'",
    ),
    "a service without a replica": (
        HEAD + '[service."www.x.org"]\nrecords = 3\n',
        'bad.toml:3: service."www.x.org".replica: is missing',
    ),
    "an address that is no table": (
        HEAD + '[[fault]]\nat = "parse"\ndo = "hang"\n',
        "bad.toml:4: fault[1].at: expected a table such as { task = 'parse', attempt = 1 }, "
        "got the text 'parse'",
    ),
    "an address of nothing": (
        HEAD + '[[fault]]\nat = { tsk = "parse" }\ndo = "hang"\n',
        "bad.toml:4: fault[1].at: names none of service, store, process, clock, policy, task. "
        "Did you mean 'task'?",
    ),
    "an empty address": (
        HEAD + '[[fault]]\nat = {}\ndo = "hang"\n',
        "bad.toml:4: fault[1].at: names none of service, store, process, clock, policy, task.",
    ),
    "a misspelt key of an address": (
        HEAD + '[[fault]]\nat = { task = "parse", atempt = 1 }\ndo = "hang"\n',
        "bad.toml:4: fault[1].at.atempt: unknown key. Did you mean 'attempt'?",
    ),
    "a key of another address": (
        HEAD + '[[fault]]\nat = { task = "parse", byte = 1 }\ndo = "hang"\n',
        "bad.toml:4: fault[1].at.byte: unknown key. "
        "Known here: task, call, attempt, index, fire, when, step.",
    ),
    "attempt zero": (
        HEAD + '[[fault]]\nat = { task = "parse", attempt = 0 }\ndo = "hang"\n',
        "bad.toml:4: fault[1].at.attempt: expected a whole number of 1 or more, got the number 0",
    ),
    "attempt zero in a list": (
        HEAD + '[[fault]]\nat = { task = "parse", attempt = [\n1,\n0] }\ndo = "hang"\n',
        "bad.toml:6: fault[1].at.attempt[2]: expected a whole number of 1 or more, got the number 0",
    ),
    "no attempts": (
        HEAD + '[[fault]]\nat = { task = "parse", attempt = [] }\ndo = "hang"\n',
        "bad.toml:4: fault[1].at.attempt: expected a list of at least one, got an empty list",
    ),
    "an attempt as text": (
        HEAD + '[[fault]]\nat = { task = "parse", attempt = "first" }\ndo = "hang"\n',
        "bad.toml:4: fault[1].at.attempt: expected a whole number of 1 or more, or a list of at least one, "
        "got the text 'first'",
    ),
    "a step without inside": (
        HEAD + '[[fault]]\nat = { task = "parse", step = 2 }\ndo = "hang"\n',
        "bad.toml:4: fault[1].at.step: counts the awaits of the body; it needs when = 'inside'",
    ),
    "a site without its name": (
        HEAD + '[[fault]]\nat = { process = "site" }\ndo = "crash"\n',
        "bad.toml:4: fault[1].at.site: belongs to process = 'site', which needs it",
    ),
    "a service that nothing stands in for": (
        HEAD + '[service.api]\nreplica = "cfpb"\n[[fault]]\nat = { service = "apo" }\ndo = "hang"\n',
        "bad.toml:6: fault[1].at.service: no [service.\"apo\"] stands in for this host. Did you mean 'api'?",
    ),
    "a path that is none": (
        HEAD + '[service.a]\nreplica = "cfpb"\n[[fault]]\nat = { service = "a", path = "x" }\ndo = "hang"\n',
        "bad.toml:6: fault[1].at.path: expected a path that begins with '/', got 'x'",
    ),
    "no action": (
        HEAD + '[[fault]]\nat = { task = "parse" }\n',
        "bad.toml:3: fault[1].do: is missing",
    ),
    "a misspelt action": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "rase"\n',
        "bad.toml:5: fault[1].do: unknown action 'rase'. Did you mean 'raise'?",
    ),
    "an action that is like no other": (
        HEAD + '[[fault]]\nat = { clock = "wall" }\ndo = "xyz"\n',
        "bad.toml:5: fault[1].do: unknown action 'xyz'. "
        "Known here: step, skew, drift, suspend, late, coarse, tie, crash, power-loss, "
        "sigterm, second-runner, block.",
    ),
    "an action of another layer": (
        HEAD + '[[fault]]\nat = { store = "commit" }\ndo = "raise"\n',
        "bad.toml:5: fault[1].do: 'raise' is an action of the layer task; known here: busy, full, io-error, "
        "read-only, malformed, slow, disconnect, crash, power-loss, sigterm, second-runner, block.",
    ),
    "a key of another action": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "raise"\nerror = "OSError"\nseconds = "1s"\n',
        "bad.toml:7: fault[1].seconds: does not belong to do = 'raise' (task); its keys are error, message, "
        "grouped.",
    ),
    "a key of an action that has none": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "hang"\nseconds = "1s"\n',
        "bad.toml:6: fault[1].seconds: does not belong to do = 'hang' (task); it has no keys of its own.",
    ),
    "an action without what it needs": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "delay"\n',
        "bad.toml:3: fault[1].seconds: is missing; do = 'delay' needs it",
    ),
    "a bad duration": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "delay"\nseconds = "3 seconds"\n',
        "bad.toml:6: fault[1].seconds: expected a duration above zero, such as 200ms, 3s, 5m, "
        "got the text '3 seconds'",
    ),
    "a text said twice": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "raise"\nerror = "OSError: a"\nmessage = "b"\n',
        "bad.toml:7: fault[1].message: the text is said twice; leave it out here or after the colon in error",
    ),
    "two wrong results": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "wrong-result"\nvalue = 1\nkeep = 2\n',
        "bad.toml:7: fault[1].keep: value and keep exclude each other",
    ),
    "a misspelt signal": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "signal"\nsignal = "SUCESS"\n',
        "bad.toml:6: fault[1].signal: unknown value 'SUCESS'. Did you mean 'SUCCESS'?",
    ),
    "a signal without its name": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "signal"\n',
        "bad.toml:3: fault[1].signal: is missing; do = 'signal' needs it",
    ),
    "an error without a name": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "raise"\nerror = ""\n',
        "bad.toml:6: fault[1].error: expected a text that is not empty, got the text ''",
    ),
    "yes for true": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "hang"\noptional = "yes"\n',
        "bad.toml:6: fault[1].optional: expected true or false, got the text 'yes'",
    ),
    "a clock that stands still": (
        HEAD + '[[fault]]\nat = { clock = "wall" }\ndo = "drift"\nfactor = 0\n',
        "bad.toml:6: fault[1].factor: expected a number above 0, got the number 0",
    ),
    "a quantile of all": (
        HEAD + "[policy.get]\nhedge = { quantile = 1 }\n",
        "bad.toml:4: policy.get.hedge.quantile: expected a number above 0 and below 1, got the number 1",
    ),
    "a list where a text stands": (
        HEAD + "title = [1]\n",
        "bad.toml:3: title: expected a text, got a list",
    ),
    "a result of a signal that has none": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "signal"\nsignal = "FAIL"\nresult = 1\n',
        "bad.toml:7: fault[1].result: does not belong to the signal FAIL, which takes message",
    ),
    "ENDRUN without a state": (
        HEAD + '[[fault]]\nat = { task = "parse" }\ndo = "signal"\nsignal = "ENDRUN"\n',
        "bad.toml:3: fault[1].state: is missing; ENDRUN ends the run with this state",
    ),
    "ENDRUN with a state that is not final": (
        HEAD + '[[fault]]\nat = { task = "a" }\ndo = "signal"\nsignal = "ENDRUN"\nstate = "Running"\n',
        "bad.toml:7: fault[1].state: 'Running' is not a final state, which ENDRUN needs",
    ),
    "a probability of nothing": (
        HEAD + '[[fault]]\nat = { task = "a" }\ndo = "hang"\nprobability = 0\n',
        "bad.toml:6: fault[1].probability: expected a number above 0 and at most 1, got the number 0",
    ),
    "a window that ends before it begins": (
        HEAD + '[[fault]]\nat = { task = "a" }\ndo = "hang"\nwindow = { from = "5s", to = "3s" }\n',
        "bad.toml:6: fault[1].window.to: is not later than from = '5s'",
    ),
    "a window of nothing": (
        HEAD + '[[fault]]\nat = { task = "a" }\ndo = "hang"\nwindow = {}\n',
        "bad.toml:6: fault[1].window: says neither from nor to",
    ),
    "a status that does not exist": (
        HEAD
        + '[service.a]\nreplica = "cfpb"\n[[fault]]\nat = { service = "a" }\ndo = "status"\nstatus = 42\n',
        "bad.toml:8: fault[1].status: expected a whole number from 200 to 599, got the number 42",
    ),
    "a wrong length that is right": (
        HEAD
        + '[service.a]\nreplica = "cfpb"\n[[fault]]\nat = { service = "a" }\ndo = "wrong-length"\noff = 0\n',
        "bad.toml:8: fault[1].off: would make the length right; say a positive or a negative number",
    ),
    "a retry without attempts": (
        HEAD + '[policy.get]\nretry = { jitter = "full" }\n',
        "bad.toml:4: policy.get.retry.max_attempts: is missing",
    ),
    "a bad delay": (
        HEAD + '[policy.get]\nretry = { max_attempts = 3, delay = "often" }\n',
        "bad.toml:4: policy.get.retry.delay: expected a delay such as '200ms', 'linear 1s cap 10s' or "
        "'exponential 200ms cap 5s', got the text 'often'",
    ),
    "a timeout of zero": (
        HEAD + '[policy.get]\ntimeout = "0s"\n',
        "bad.toml:4: policy.get.timeout: expected a duration above zero, such as 200ms, 3s, 5m, "
        "got the text '0s'",
    ),
    "a policy that is there and is not": (
        HEAD + '[policy.get]\nwithout = ["timeout"]\ntimeout = "1s"\n',
        "bad.toml:5: policy.get.timeout: is also in without; say one of them",
    ),
    "a hedge without a moment": (
        HEAD + "[policy.get]\nhedge = {}\n",
        "bad.toml:4: policy.get.hedge: needs one of after, quantile",
    ),
    "two fallbacks in one": (
        HEAD + '[policy.get]\nfallback = { value = 1, function = "m:f" }\n',
        "bad.toml:4: policy.get.fallback.function: value and function exclude each other; "
        "let the function return the value",
    ),
    "a fallback to nothing": (
        HEAD + "[policy.get]\nfallback = { cached = false }\n",
        "bad.toml:4: policy.get.fallback: needs one of value, function, cached",
    ),
    "a delay that is drawn twice": (
        HEAD + '[policy.get]\nretry = { max_attempts = 2, delay = "decorrelated 1s", jitter = "full" }\n',
        "bad.toml:4: policy.get.retry.jitter: a decorrelated delay is drawn already; leave it out",
    ),
    "no policy outside a variant": (
        HEAD + 'policy = "none"\n',
        "bad.toml:3: policy: expected a table, got the text 'none'",
    ),
    "a misspelt none": (
        HEAD + '[variant.bare]\npolicy = "nothing"\n',
        "bad.toml:4: variant.bare.policy: expected 'none', got the text 'nothing'",
    ),
    "a misspelt state": (
        HEAD + '[expect]\ntasks = { get = "Succes" }\n',
        "bad.toml:4: expect.tasks.get: unknown value 'Succes'. Did you mean 'Success'?",
    ),
    "a range that holds nothing": (
        HEAD + "[expect]\nattempts = { get = { min = 3, max = 2 } }\n",
        "bad.toml:4: expect.attempts.get.max: is less than min = 3",
    ),
    "an empty range": (
        HEAD + "[expect]\nattempts = { get = {} }\n",
        "bad.toml:4: expect.attempts.get: says neither min nor max",
    ),
    "rows that claim nothing": (
        HEAD + '[[expect.rows]]\ndatabase = "a.db"\ntable = "a"\n',
        "bad.toml:3: expect.rows[1]: claims nothing; say one of count, min, max, null, not_null, unique",
    ),
    "a look-up that is refused": (
        WIRE + 'at = { service = "a", lookup = 1 }\ndo = "refuse"\n',
        "bad.toml:6: fault[1].at.lookup: does not belong to do = 'refuse' (network); its address takes "
        "service, connection, task, attempt.",
    ),
    "a byte of a look-up": (
        WIRE + 'at = { service = "a", byte = 3 }\ndo = "nxdomain"\n',
        "bad.toml:6: fault[1].at.byte: does not belong to do = 'nxdomain' (network); its address takes "
        "service, lookup, task, attempt.",
    ),
    "a look-up that is reset": (
        WIRE + 'at = { service = "a", lookup = 1 }\ndo = "reset"\n',
        "bad.toml:6: fault[1].at.lookup: does not belong to do = 'reset' (network); its address takes "
        "service, connection, direction, byte, part, request, task, attempt.",
    ),
    "a path on the wire": (
        WIRE + 'at = { service = "a", path = "/x" }\ndo = "unreachable"\n',
        "bad.toml:6: fault[1].at.path: does not belong to do = 'unreachable' (network); its address takes "
        "service, connection, task, attempt.",
    ),
    "a byte of a partition": (
        WIRE + 'at = { service = "a", byte = 3 }\ndo = "partition"\nwindow = { from = "1s" }\n',
        "bad.toml:6: fault[1].at.byte: does not belong to do = 'partition' (network); its address takes "
        "service, connection, direction, task, attempt.",
    ),
    "a request without its part": (
        WIRE + 'at = { service = "a", request = 2, byte = 3 }\ndo = "eof"\n',
        "bad.toml:6: fault[1].at.request: counts the messages of a connection; say part = 'head' or 'body' "
        "of it too",
    ),
    "half a close in both directions": (
        WIRE + 'at = { service = "a", direction = "both" }\ndo = "half-close"\n',
        "bad.toml:6: fault[1].at.direction: half-close ends one direction; say up or down, or do = 'eof' for "
        "both",
    ),
    "a partition for good": (
        WIRE + 'at = { service = "a" }\ndo = "partition"\n',
        "bad.toml:5: fault[1].window: is missing; the partition lasts as long as it, such as { from = '5s', "
        "to = '9s' }",
    ),
    "a reset of all connections at no time": (
        WIRE + 'at = { service = "a" }\ndo = "reset-all"\nwindow = { to = "3s" }\n',
        "bad.toml:8: fault[1].window: says no from above 0; connections are reset when the window begins",
    ),
    "a clog without an end": (
        WIRE + 'at = { service = "a" }\ndo = "clog"\nwindow = { from = "3s" }\n',
        "bad.toml:5: fault[1].seconds: is missing; say for how long data is held back, here or by window.to",
    ),
    "a jitter that would turn back time": (
        WIRE + 'at = { service = "a" }\ndo = "latency"\nseconds = "10ms"\njitter = "20ms"\n',
        "bad.toml:9: fault[1].jitter: is more than seconds = '10ms'; nothing arrives before it was sent",
    ),
    "a wrong length where there is none": (
        HEAD + '[service.a]\nreplica = "cfpb"\nframing = "eof"\n'
        '[[fault]]\nat = { service = "a" }\ndo = "wrong-length"\n',
        "bad.toml:8: fault[1].do: lies about a length that no answer declares with framing = 'eof'; say "
        "'truncate'",
    ),
    "rows that are counted twice": (
        HEAD + '[[expect.rows]]\ndatabase = "a.db"\ntable = "a"\ncount = 1\nmin = 1\n',
        "bad.toml:6: expect.rows[1].count: says it exactly; leave out min and max",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_with_its_line_and_the_way_out(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioInvalid) as caught:
        load("bad.toml")
    assert str(caught.value) == message


def test_all_errors_of_a_file_come_in_one_report_in_the_order_of_the_file() -> None:
    text = """\
format = 1
wrld = "real"
flow = 3

[expect]
flow = "Succes"

[[fault]]
at = { task = "a", atempt = 1 }
do = "hang"

[[fault]]
at = { task = "a" }
do = "rase"
"""
    with pytest.raises(ScenarioInvalid) as caught:
        loads(text, "x.toml")
    places = [line.split(" ")[0] for line in str(caught.value).splitlines()]
    assert places == ["x.toml:2:", "x.toml:3:", "x.toml:6:", "x.toml:9:", "x.toml:14:"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match=r"none\.toml: there is no such file$"):
        load(tmp_path / "none.toml")


def test_a_folder_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match=r"is a folder; name a scenario file in it$"):
        load(tmp_path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ScenarioInvalid, match=r"can't be read: embedded null"):
        load("a\0b")


def test_a_file_that_may_not_be_read_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(ScenarioInvalid, match=r"x\.toml: can't be read: Permission denied$"):
        load(tmp_path / "x.toml")


def test_a_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('format = 1\ntitle = "café"\n'.encode("latin-1"))
    with pytest.raises(
        ScenarioInvalid, match=r"latin\.toml:2: is not UTF-8 text; save it with that encoding$"
    ):
        load(path)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * (loading.MAX_BYTES + 1))
    with pytest.raises(ScenarioInvalid, match=r"is larger than 1,000,000 bytes, which no scenario needs$"):
        load(path)


def test_a_mark_of_the_byte_order_and_other_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode())
    assert load(path).faults == loads(EXAMPLE).faults


def test_a_message_of_tomllib_without_a_place_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: str) -> None:
        raise tomllib.TOMLDecodeError("something else")

    monkeypatch.setattr(tomllib, "loads", refuse)
    with pytest.raises(ScenarioInvalid, match=r"^x\.toml:1: not valid TOML: something else$"):
        loads(HEAD, "x.toml")


def test_what_the_comparison_overlooks_is_still_a_located_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise msgspec.ValidationError("Expected `int`, got `str` - at `$.seed`")

    monkeypatch.setattr(msgspec, "convert", refuse)
    with pytest.raises(ScenarioInvalid, match=r"^x\.toml:1: Expected `int`, got `str` - at `\$\.seed`$"):
        loads(HEAD, "x.toml")
