from __future__ import annotations

import pytest
from msgspec import structs

from asyncflow.scenario.actions import ACTIONS
from asyncflow.scenario.format import Fault, Scenario
from asyncflow.scenario.load import loads
from asyncflow.scenario.support import BUILT, LATER, LATER_ON_THE_WIRE, LATER_WORDS, built, unsupported
from asyncflow.scenario.wire_rules import PLACES
from tests.scenario.test_load import EXAMPLE

HEAD = 'format = 1\nflow = "m:f"\n[service.api]\nreplica = "cfpb"\n'  # what follows starts at line 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seed = 3\nfile = 'data.json'\nrecords = 0",
        "framing = 'eof'\nshape = 'ndjson'",
        "[[fault]]\nat = {task='t', call=2, attempt=[1, 2], when='after'}\ndo = 'raise'\nerror = 'OSError'",
        "[[fault]]\nat = {task='t'}\ndo = 'delay'\nseconds = '1s'\nprobability = 0.5\noptional = true",
        "[[fault]]\nat = {task='t'}\ndo = 'wrong-result'\nvalue = 3",
        "[[fault]]\nat = {task='t'}\ndo = 'signal'\nsignal = 'ENDRUN'\nstate = 'Success'\nresult = 1",
        "[[fault]]\nat = {service='api', request=[1, 3], path='/a'}\ndo = 'status'\nstatus = 429",
        "[[fault]]\nat = {service='api'}\ndo = 'reset'\nkeep = 3",
        "[[fault]]\nat = {service='api'}\ndo = 'wrong-length'\noff = -3",
        "[policy.a]\nretry = {max_attempts=3, delay=['1s', 2], jitter='equal'}",
        "[policy.a]\nretry = {max_attempts=3, on=['OSError'], never=['ValueError']}",
        "[policy.a]\ntimeout = 3\nbreaker = {name='b', failures=2, open_for=0, probes=2, on=['OSError']}",
        "[policy.a]\nwithout = ['retry', 'hedge']\nwhen_rejected = 'fail'",
        "[policy.a]\nretry = {max_attempts=3, delay='decorrelated 1s', budget={name='b', share=0.1}}",
        "[policy.a]\nbreaker = {window=9, failure_rate=0.5, slow_after='1s', slow_rate=1, min_calls=3}",
        "[policy.a]\nbreaker = {window_for='9s', ignore=['OSError'], half_open_for='1s', mode='disabled'}",
        "[policy.a]\nbreaker = {grow=2, max_open_for='9s'}\nthrottle = 0.5\ndeadline = '9s'",
        "[policy.a]\nrate_limit = {calls=3, per='1s', burst=1, name='r'}\nhedge = {after=0, max_hedges=2}",
        "[policy.a]\nbulkhead = {limit=3, queue=1, name='p', adaptive='aimd'}\nhedge = {quantile=0.9}",
        "[policy.a]\nfallback = {value=1, on=['OSError']}",
        "[variant.a]\ntitle = 'A'\npolicy = 'none'\nexpect.flow = 'Failed'",
        "[expect]\nflow = ['Success', 'Failed']\nresult = {a=1}\nwithin = '1s'\nbreaker.b = ['open']",
        "[expect]\ncalls.a = {max=3}\nbefore.flow = 'Success'",
        "[expect]\nrows = [{database='a', table='b', null='c', not_null=['d'], max=3}]",
        "[found]\nby = 'explore'\nschedules = 61\nshrunk_from = 3",
    ],
)  # fmt: skip
def test_what_is_built_is_not_complained_of(text: str) -> None:
    assert unsupported(loads(HEAD + text)) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tls = true", "x.toml:5: service.api.tls: tls is not in this version"),
        (
            "[[fault]]\nat = {task='t', when='commit'}\ndo = 'cancel'",
            "x.toml:6: fault[1].at.when: when = 'commit' is not in this version",
        ),
        (
            "[[fault]]\nat = {task='t'}\ndo = 'wrong-result'\nkeep = 3",
            "x.toml:8: fault[1].keep: keep of a wrong result is not in this version",
        ),
        (
            "[[fault]]\nat = {task='t', when='before'}\ndo = 'wrong-result'",
            "x.toml:6: fault[1].at.when: a result without the body is not in this version",
        ),
        (
            "[[fault]]\nat = {task='t'}\ndo = 'hang'\nwindow = {from='1s'}",
            "x.toml:8: fault[1].window: window is not in this version",
        ),
        (
            "[[fault]]\nat = {service='api'}\ndo = 'hang'\nprobability = 0.5",
            "x.toml:8: fault[1].probability: the probability of an http fault is not in this version",
        ),
        (
            "[[fault]]\nat = {service='api'}\ndo = 'bad-gzip'",
            "x.toml:7: fault[1].do: 'bad-gzip' (http) is not in this version; of this layer it has status, "
            "slow, hang, reset, truncate, drip, wrong-length, malformed-json, wrong-content-type",
        ),
        (
            "[[fault]]\nat = {service='api', task='t', attempt=2}\ndo = 'status'\nstatus = 500",
            "x.toml:6: fault[1].at.task: task is not in this version\n"
            "x.toml:6: fault[1].at.attempt: attempt is not in this version",
        ),
        (
            "[[fault]]\nat = {service='api', byte=3}\ndo = 'reset'",
            "x.toml:7: fault[1].do: 'reset' (network) is not in this version in the real world; play it with "
            "--world simulated",
        ),
        (
            "[[fault]]\nat = {task='t', index=3}\ndo = 'crash'",
            "x.toml:7: fault[1].do: 'crash' (process) is not in this version",
        ),
        (
            "[[expect.always]]\nflow = 'Success'\nwithin = '1s'",
            "x.toml:7: expect.always[1].within: within is known at the end only; move it out of always",
        ),
        ("[expect]\noutput = 'x'", "x.toml:6: expect.output: output is not in this version"),
        (
            "[expect]\nbefore.output = 'x'",
            "x.toml:6: expect.before.output: output is not in this version",
        ),
        (
            "[expect]\nrows = [{database='a', table='b', unique='c'}]",
            "x.toml:6: expect.rows[1].unique: unique is not in this version",
        ),
    ],
)
def test_what_is_not_built_is_answered_with_its_line(text: str, line: str) -> None:
    assert "\n".join(unsupported(loads(HEAD + text, "x.toml"))) == line


@pytest.mark.parametrize("word", BUILT["network"])
def test_a_word_of_the_network_is_built_in_the_simulated_world_alone(word: str) -> None:
    scenario = wire_scenario(word, MORE.get(word, ""))
    assert unsupported(scenario.changed(world="simulated")) == []
    assert unsupported(scenario) == [
        f"x.toml:7: fault[1].do: {word!r} (network) is not in this version in the real world; "
        "play it with --world simulated"
    ]


MORE = {
    "dns-slow": "seconds = 1",
    "stall": "seconds = 1",
    "drip": "bytes = 8\nseconds = 1",
    "slice": "bytes = 8",
    "bandwidth": "rate = 100",
    "latency": "seconds = 1\njitter = '10ms'",
    "flap": "up = 1\ndown = 2",
    "clog": "seconds = 1",
    "partition": "window.from = '1s'",
    "reset-all": "window.from = '1s'",
}


def wire_scenario(word: str, more: str, at: str = "") -> Scenario:
    address = f"{{ service = 'api', {at or PLACES[word][0] + ' = 1'} }}"
    return loads(f"{HEAD}[[fault]]\nat = {address}\ndo = '{word}'\n{more}\n", "x.toml")


@pytest.mark.parametrize("word", ["bad-certificate", "tls-reset", "tls-stall", "tls-corrupt"])
def test_tls_is_built_in_no_world(word: str) -> None:
    for world in ("real", "simulated"):
        (line,) = unsupported(wire_scenario(word, "").changed(world=world))
        assert line.startswith(
            f"x.toml:7: fault[1].do: {word!r} (network) is not in this version; of this layer"
        )


def test_what_narrows_down_a_fault_on_the_wire_is_built() -> None:
    at = "connection = [1, 2], direction = 'down', byte = 3, part = 'body', request = 2"
    at += ", task = 't', attempt = 1"
    more = "window = { from = '1s', to = '2s' }\nprobability = 0.5\noptional = true"
    assert unsupported(wire_scenario("reset", more, at).changed(world="simulated")) == []


def test_the_start_of_a_process_is_not_built_on_the_wire_either() -> None:
    scenario = wire_scenario("reset", "boot = 2").changed(world="simulated")
    assert unsupported(scenario) == ["x.toml:8: fault[1].boot: boot is not in this version"]


def test_every_word_of_the_network_has_its_places() -> None:
    assert set(PLACES) == {action.do for action in ACTIONS if action.layer == "network"}


def test_both_worlds_are_built_and_chosen_by_the_scenario() -> None:
    scenario = loads('format = 1\nflow = "m:f"\nshuffle = true\nworld = "simulated"\n', "x.toml")
    assert unsupported(scenario) == ["x.toml:3: shuffle: shuffle is not in this version"]
    for world in ("real", "simulated"):
        assert unsupported(scenario.changed(world=world, shuffle=False)) == []


def test_the_answers_come_in_the_order_of_the_file() -> None:
    text = EXAMPLE.replace('within   = "30s"', 'within   = "30s"\noutput   = "x"')
    assert [line.split(": ")[1] for line in unsupported(loads(text, "x.toml"))] == [
        "fault[2].do",
        "expect.output",
    ]


def test_the_lists_of_what_is_built_name_what_the_format_has() -> None:
    words = {(action.layer, action.do) for action in ACTIONS}
    assert {(layer, word) for layer, known in BUILT.items() for word in known} <= words
    assert sum(map(built, ACTIONS)) == sum(map(len, BUILT.values()))
    for table, keys in LATER.items():
        assert set(keys) <= {field.encode_name for field in structs.fields(table)}
    for table, key in LATER_WORDS:
        assert key in {field.encode_name for field in structs.fields(table)}
    assert {"at", "do"}.isdisjoint(LATER[Fault])
    for table, keys in LATER_ON_THE_WIRE.items():
        assert set(keys) <= set(LATER[table])
