from __future__ import annotations

import json
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import UsageError
from asyncflow.wire.plan import WireFault, WirePlan

HOST = "api.example.org"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
ANSWER = HEAD + b"0123456789"
EOF_HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Planned:
    """A plan that remembers where its faults struck. Faults are given as dicts, or as words alone."""

    def __init__(self, *faults, seed=7):
        self.strikes = []
        made = [
            WireFault(**{"id": f"f{number}", "host": HOST, **({"do": one} if isinstance(one, str) else one)})
            for number, one in enumerate(faults, 1)
        ]
        self.plan = WirePlan(made, Random(seed), lambda fault, where: self.strikes.append((fault.id, where)))

    def lookups(self, count, now=0, by=None):
        struck = [self.plan.lookup(HOST, now, by) for _ in range(count)]
        return [fault and fault.do for fault in struck]

    def connect(self, now=0, by=None):
        return self.plan.connect(HOST, now, by)

    def refusals(self, count, now=0, by=None):
        return [made.refusal and made.refusal.do for made in (self.connect(now, by) for _ in range(count))]

    @property
    def fired(self):
        return dict(self.plan.fired)


def sent(pipe, *pieces, end=True):
    """Send pieces a second apart, then the end; return what arrives, data joined."""
    steps = [step for now, piece in enumerate(pieces) for step in pipe.push(now, piece)]
    steps += pipe.end(len(pieces)) if end else []
    return b"".join(step.data for step in steps), [step.kind for step in steps if not step.data]


# ------------------------------------------------------------------ which look-up, which connection


@pytest.mark.parametrize("word", ["nxdomain", "servfail", "dns-timeout", "dns-wrong"])
def test_a_look_up_is_struck_by_number(word):
    planned = Planned({"do": word, "lookups": (2, 3)})
    assert planned.lookups(4) == [None, word, word, None]
    assert planned.strikes == [("f1", {"service": HOST, "lookup": n}) for n in (2, 3)]
    assert planned.fired == {"f1": 2}


def test_of_several_faults_for_a_look_up_the_first_strikes_and_all_count():
    planned = Planned({"do": "nxdomain", "lookups": (1,)}, {"do": "servfail", "lookups": (1, 2)})
    assert planned.lookups(3) == ["nxdomain", "servfail", None]
    assert planned.fired == {"f1": 1, "f2": 1}


@pytest.mark.parametrize("word", ["refuse", "unreachable", "hang"])
def test_a_connection_is_refused_by_number(word):
    planned = Planned({"do": word, "connections": (2,)})
    assert planned.refusals(3) == [None, word, None]
    assert planned.strikes == [("f1", {"service": HOST, "connection": 2})]


def test_numbers_count_what_the_task_and_attempts_let_through():
    planned = Planned({"do": "refuse", "connections": (2,), "task": "load", "attempts": (1,)})
    load, again, parse = ("load", 1), ("load", 2), ("parse", 1)
    made = [planned.connect(0, by) for by in (load, parse, again, None, load, load)]
    assert [connection.refusal is not None for connection in made] == [False] * 4 + [True, False]
    assert [connection.number for connection in made] == [1, 2, 3, 4, 5, 6]


def test_look_ups_and_connections_are_counted_apart_and_for_each_host():
    planned = Planned({"do": "refuse", "connections": (1,)}, {"do": "nxdomain", "lookups": (1,)})
    assert planned.plan.connect("other.example.org", 0).refusal is None
    assert planned.plan.lookup("other.example.org", 0) is None
    assert planned.lookups(1) == ["nxdomain"]
    assert planned.refusals(2) == ["refuse", None]
    assert planned.plan.connect("other.example.org", 0).number == 2


def test_a_host_is_known_in_any_case():
    plan = WirePlan([WireFault(id="f", host="API.Example.org", do="refuse")])
    assert plan.connect("api.EXAMPLE.org.", 0).refusal is not None


def test_a_window_lets_look_ups_and_connections_be():
    planned = Planned({"do": "refuse", "window": (2, 4)}, {"do": "nxdomain", "window": (2, 4)})
    assert [planned.refusals(1, now)[0] for now in (1, 2, 4)] == [None, "refuse", None]
    assert [planned.lookups(1, now)[0] for now in (1, 2, 4)] == [None, "nxdomain", None]


def test_probability_draws_from_the_seed():
    runs = [Planned({"do": "refuse", "probability": 0.3}, seed=seed).refusals(1000) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert 250 < runs[0].count("refuse") < 350


def test_a_fault_that_is_not_due_draws_nothing():
    chance = Random(7)
    plan = WirePlan([WireFault(id="f", host=HOST, do="refuse", probability=0.5, connections=(2,))], chance)
    plan.connect(HOST, 0)
    assert chance.getstate() == Random(7).getstate()


@pytest.mark.parametrize(
    "options", [{"do": "refuse", "probability": 0.5}, {"do": "latency", "seconds": 1, "jitter": 1}]
)
def test_what_is_drawn_needs_chance(options):
    with pytest.raises(UsageError, match=r"f: .*`chance`"):
        WirePlan([WireFault(id="f", host=HOST, **options)])


def test_two_faults_can_t_have_one_id():
    with pytest.raises(UsageError, match="id 'f'"):
        WirePlan([WireFault(id="f", host=HOST, do="refuse"), WireFault(id="f", host=HOST, do="hang")])


def test_without_faults_nothing_is_planned():
    plan = WirePlan()
    connection = plan.connect(HOST, 5)
    assert (connection.refusal, connection.opens_at, connection.resets_at) == (None, None, None)
    assert connection.up.plain
    assert connection.down.plain
    assert plan.lookup(HOST, 5) is None
    assert plan.fired == {}


# ------------------------------------------------------------------ which bytes


@pytest.mark.parametrize(
    ("direction", "up", "down"),
    [
        ("up", (b"012", ["reset"]), (b"0123456789", ["half-close"])),
        ("down", (b"0123456789", ["half-close"]), (b"012", ["reset"])),
        ("both", (b"012", ["reset"]), (b"012", ["reset"])),
    ],
)
def test_a_fault_strikes_in_its_direction(direction, up, down):
    planned = Planned({"do": "reset", "byte": 3, "direction": direction, "connections": (2,)})
    first, second = planned.connect(), planned.connect()
    assert sent(first.up, b"0123456789") == sent(first.down, b"0123456789") == (b"0123456789", ["half-close"])
    assert planned.strikes == []
    assert sent(second.up, b"0123456789") == up
    assert sent(second.down, b"0123456789") == down
    struck = ("up", "down") if direction == "both" else (direction,)
    assert planned.strikes == [
        ("f1", {"service": HOST, "connection": 2, "direction": way, "byte": 3}) for way in struck
    ]
    assert planned.fired == {"f1": len(struck)}


def test_a_fault_strikes_when_its_byte_comes_and_not_before():
    planned = Planned({"do": "reset", "byte": 5})
    down = planned.connect().down
    down.push(0, b"01234")
    assert planned.fired == {"f1": 0}
    down.push(0, b"5")
    assert planned.fired == {"f1": 1}


def test_a_rule_that_somebody_else_adds_is_nobody_s_strike():
    from asyncflow.wire.rules import Latency

    planned = Planned({"do": "latency", "seconds": 1})
    down = planned.connect().down
    down.add(Latency(1.0))
    assert [step.when for step in down.push(0, b"x")] == [2]
    assert planned.fired == {"f1": 1}


def test_where_a_fault_struck_is_ready_for_json_and_nobody_else_s():
    planned = Planned({"do": "reset", "part": "body"})
    sent(planned.connect().down, ANSWER)
    where = planned.strikes[0][1]
    assert json.loads(json.dumps(where)) == where
    where.clear()
    sent(planned.connect().down, ANSWER)
    assert planned.strikes[1][1]["connection"] == 2


def test_strikes_of_one_connection_do_not_share_their_place():
    planned = Planned({"do": "partition", "window": (0, 5)}, {"do": "reset-all", "window": (10, 20)})
    connection = planned.connect(1)
    planned.strikes[0][1].clear()
    connection.reset()
    assert planned.strikes == [("f1", {}), ("f2", {"service": HOST, "connection": 1})]


TWO = ANSWER + ANSWER


@pytest.mark.parametrize(
    ("options", "stream", "arrives", "kinds"),
    [
        ({"part": "head"}, TWO, b"", ["reset"]),
        ({"part": "head", "byte": 5}, TWO, HEAD[:5], ["reset"]),
        ({"part": "body"}, TWO, HEAD, ["reset"]),
        ({"part": "body", "byte": 4}, TWO, HEAD + b"0123", ["reset"]),
        ({"part": "body", "request": (2,)}, TWO, ANSWER + HEAD, ["reset"]),
        ({"part": "head", "byte": 5, "request": (2,)}, TWO, ANSWER + HEAD[:5], ["reset"]),
        ({"part": "body", "request": (3,)}, TWO, TWO, ["half-close"]),
        # At the exact end of a part a cut comes before whatever is next, be it the end.
        ({"part": "head", "byte": len(HEAD)}, TWO, HEAD, ["reset"]),
        ({"part": "body", "byte": 10}, TWO, ANSWER, ["reset"]),
        ({"part": "body", "byte": 10}, ANSWER, ANSWER, ["reset"]),
        ({"part": "body", "byte": 3}, EOF_HEAD + b"abc", EOF_HEAD + b"abc", ["reset"]),
        ({"part": "body", "byte": 3, "do": "blackhole"}, EOF_HEAD + b"abc", EOF_HEAD + b"abc", []),
        ({"part": "body", "byte": 0}, EOF_HEAD, EOF_HEAD, ["reset"]),
        # A byte that the part does not have is never struck.
        ({"part": "body", "byte": 11}, TWO, TWO, ["half-close"]),
        ({"part": "body", "byte": 4}, EOF_HEAD + b"abc", EOF_HEAD + b"abc", ["half-close"]),
        ({"part": "head", "byte": 99}, TWO, TWO, ["half-close"]),
        ({"part": "body"}, b"\x16\x03\x01" + TWO, b"\x16\x03\x01" + TWO, ["half-close"]),
        ({"part": "body", "byte": 10, "do": "corrupt"}, TWO, TWO, ["half-close"]),
        ({"part": "body", "byte": 10, "do": "stall", "seconds": inf}, TWO, TWO, ["half-close"]),
        (
            {"part": "body", "byte": 1, "do": "corrupt", "mask": 1, "request": (1, 2)},
            TWO,
            (HEAD + b"0023456789") * 2,
            ["half-close"],
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_bytes_are_counted_in_the_part_of_a_message(options, stream, arrives, kinds, size):
    planned = Planned({"do": "reset", **options})
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert sent(planned.connect().down, *pieces) == (arrives, kinds)
    numbers = len(options.get("request", (1,)))
    assert planned.fired == {"f1": 0 if arrives == stream and kinds == ["half-close"] else numbers}


def test_a_rule_in_a_part_is_there_once():
    down = Planned({"do": "latency", "seconds": 1, "part": "body", "byte": 2}).connect().down
    times = [
        step.when
        for now, piece in enumerate([HEAD, b"0123", b"456", b"789"])
        for step in down.push(now, piece)
    ]
    assert times == [0, 1, 2, 3, 4]


def test_a_strike_in_a_part_says_which():
    planned = Planned({"do": "reset", "part": "body", "byte": 4, "request": (2,)})
    sent(planned.connect().down, TWO)
    at = len(ANSWER + HEAD) + 4
    where = {"service": HOST, "connection": 1, "direction": "down", "byte": at, "part": "body", "request": 2}
    assert planned.strikes == [("f1", where)]


def test_a_response_to_head_has_no_body_to_strike():
    planned = Planned({"do": "reset", "part": "body", "byte": 3})
    connection = planned.connect()
    sent(connection.up, b"HEAD / HTTP/1.1\r\n\r\n", end=False)
    assert sent(connection.down, HEAD, ANSWER) == (HEAD + ANSWER, ["half-close"])


def test_a_part_of_a_request_counts_up():
    post = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"
    planned = Planned({"do": "reset", "part": "body", "byte": 1, "direction": "up"})
    assert sent(planned.connect().up, post + b"abc") == (post + b"a", ["reset"])


@given(st.integers(0, 130), st.sampled_from(["head", "body"]), st.integers(1, 3), st.data())
def test_the_sender_s_pieces_change_no_strike_in_a_part(byte, part, request, draw):
    edges = sorted(draw.draw(st.lists(st.integers(0, len(TWO)), max_size=8)))
    pieces = [TWO[low:high] for low, high in zip([0, *edges], [*edges, len(TWO)], strict=True)]
    runs = []
    for chosen in ([TWO], pieces):
        planned = Planned({"do": "reset", "part": part, "byte": byte, "request": (request,)})
        runs.append((sent(planned.connect().down, *chosen), planned.strikes))
    assert runs[0] == runs[1]


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_a_pipe_that_looks_for_messages_changes_nothing_by_that(pieces):
    planned = Planned({"do": "reset", "part": "body", "request": (99,)})
    watched, free = planned.connect().down, WirePlan().connect(HOST, 0).down
    assert not watched.plain
    for now, piece in enumerate([ANSWER, *pieces]):
        assert watched.push(now, piece) == free.push(now, piece)
    assert watched.end(9) == free.end(9)
    assert planned.strikes == []


# ------------------------------------------------------------------ which times


def test_a_partition_holds_bytes_and_new_connections_until_it_is_healed():
    planned = Planned({"do": "partition", "direction": "both", "window": (10, 20)})
    early, late, after = planned.connect(5), planned.connect(12), planned.connect(20)
    assert [made.opens_at for made in (early, late, after)] == [None, 20, None]
    assert [step.when for now in (9, 10, 19, 20) for step in early.up.push(now, b"x")] == [9, 20, 20, 20]
    assert [step.when for now in (11, 25) for step in early.down.push(now, b"x")] == [20, 25]
    assert [where.get("direction") for _, where in planned.strikes] == [None, "up", "down"]


def test_a_partition_without_an_end_is_for_ever():
    connection = Planned({"do": "partition", "direction": "down"}).connect(1)
    assert connection.opens_at == inf
    assert sent(connection.down, b"x") == (b"", [])


def test_a_flapping_link_is_up_and_down_in_turn():
    planned = Planned({"do": "flap", "up": 2, "down": 3, "window": (10, 30)})
    connection = planned.connect(0)
    times = [step.when for now in (9, 11, 12, 16, 18, 31) for step in connection.down.push(now, b"x")]
    assert times == [9, 11, 15, 16, 20, 31]
    assert [planned.connect(now).opens_at for now in (11, 13, 17)] == [None, 15, 20]


def test_clogged_data_arrives_at_once():
    by_time = Planned({"do": "clog", "window": (10, 20)}).connect(12)
    assert by_time.opens_at is None
    assert [step.when for now in (12, 15, 21) for step in by_time.down.push(now, b"x")] == [20, 20, 21]
    by_byte = Planned({"do": "clog", "seconds": 4, "byte": 1}).connect(12).down
    assert [step.when for now in (12, 13, 14, 21) for step in by_byte.push(now, b"x")] == [12, 17, 17, 21]


def test_reset_all_resets_what_is_open_when_its_window_begins():
    planned = Planned({"do": "reset-all", "window": (10, 20)}, {"do": "reset-all", "window": (5, 6)})
    early, between, late = planned.connect(1), planned.connect(7), planned.connect(10)
    assert [made.resets_at for made in (early, between, late)] == [5, 10, None]
    assert planned.fired == {"f1": 0, "f2": 0}
    early.reset(), early.reset(), between.reset()
    assert planned.strikes == [
        ("f2", {"service": HOST, "connection": 1}),
        ("f1", {"service": HOST, "connection": 2}),
    ]
    assert (early.up.dead, early.down.dead, early.down.push(6, b"x")) == ("reset", "reset", [])


def test_the_same_seed_gives_the_same_bytes():
    def steps(seed):
        planned = Planned(
            {"do": "latency", "seconds": 1, "jitter": 0.5, "direction": "both"},
            {"do": "stall", "seconds": 3, "probability": 0.5},
            seed=seed,
        )
        made = [planned.connect() for _ in range(20)]
        return [
            step
            for connection in made
            for pipe in (connection.up, connection.down)
            for step in pipe.push(0, b"x")
        ]

    assert steps(1) == steps(1) != steps(2)


@pytest.mark.parametrize("asked", ["MÜNCHEN.example.", "xn--mnchen-3ya.example"])
def test_a_name_beyond_ascii_is_the_one_that_goes_over_the_wire(asked):
    plan = WirePlan([WireFault(id="f", host="München.example", do="nxdomain")])
    assert plan.lookup(asked, 0) is not None
