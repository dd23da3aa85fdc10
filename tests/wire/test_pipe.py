from __future__ import annotations

from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import UsageError
from asyncflow.wire.pipe import Pipe, Step
from asyncflow.wire.rules import Bandwidth, Corrupt, Cut, Flap, Latency, Outage, Slice, Stall

TEN = b"0123456789"


class Wire:
    """A pipe that remembers what came out and where its rules struck."""

    def __init__(self, *rules, seed=7):
        self.strikes = []
        self.pipe = Pipe(rules, Random(seed), lambda rule: self.strikes.append((rule, self.pipe.offset)))
        self.steps = []

    def push(self, now, data):
        self.steps += self.pipe.push(now, data)
        return self

    def end(self, now):
        self.steps += self.pipe.end(now)
        return self

    @property
    def data(self):
        return b"".join(step.data for step in self.steps)

    @property
    def told(self):
        """The steps in short: when, and the data or the kind."""
        return [(round(step.when, 6), step.data or step.kind) for step in self.steps]

    @property
    def struck(self):
        return [at for _, at in self.strikes]


# ------------------------------------------------------------------ what each rule does


@pytest.mark.parametrize(
    ("rules", "told", "struck"),
    [
        # Ten bytes are sent at second 1, and the end at second 2.
        ([], [(1, TEN), (2, "half-close")], []),
        ([Latency(0.5)], [(1.5, TEN), (2.5, "half-close")], [0]),
        ([Latency(0.5), Latency(1)], [(2.5, TEN), (3.5, "half-close")], [0, 0]),
        ([Latency(0)], [(1, TEN), (2, "half-close")], []),
        ([Latency(5, at=4)], [(1, b"0123"), (6, b"456789"), (7, "half-close")], [4]),
        ([Latency(5, at=10)], [(1, TEN), (7, "half-close")], [10]),
        ([Bandwidth(50)], [(1.1, b"01234"), (1.2, b"56789"), (2, "half-close")], [0]),
        ([Bandwidth(5)], [(1 + n / 5, b"%d" % (n - 1)) for n in range(1, 11)] + [(3, "half-close")], [0]),
        ([Bandwidth(20, at=8)], [(1, b"01234567"), (1.1, b"89"), (2, "half-close")], [8]),
        ([Bandwidth(50, at=10)], [(1, TEN), (2, "half-close")], []),
        ([Bandwidth(1000), Bandwidth(50)], [(1.1, b"01234"), (1.2, b"56789"), (2, "half-close")], [0]),
        ([Slice(4)], [(1, b"0123"), (1, b"4567"), (1, b"89"), (2, "half-close")], [4]),
        ([Slice(4, 0.5)], [(1, b"0123"), (1.5, b"4567"), (2, b"89"), (2, "half-close")], [4]),
        ([Slice(4, 0.5, 3)], [(1, b"012"), (1, b"3456"), (1.5, b"789"), (2, "half-close")], [3]),
        ([Slice(10, 0.5)], [(1, TEN), (2, "half-close")], []),
        ([Stall(4, 3)], [(1, b"0123"), (4, b"456789"), (4, "half-close")], [4]),
        ([Stall(0, 3)], [(4, TEN), (4, "half-close")], [0]),
        ([Stall(10, 3)], [(1, TEN), (5, "half-close")], [10]),
        ([Stall(11, 3)], [(1, TEN), (2, "half-close")], []),
        ([Stall(4, inf)], [(1, b"0123")], [4]),
        ([Corrupt(2, 3, 0xFF)], [(1, b"01\xcd\xcc\xcb56789"), (2, "half-close")], [2]),
        ([Corrupt(9, 5, 1)], [(1, b"0123456788"), (2, "half-close")], [9]),
        ([Corrupt(10)], [(1, TEN), (2, "half-close")], []),
        ([Corrupt(3, 1, 1), Corrupt(3, 1, 2)], [(1, b"0120456789"), (2, "half-close")], [3, 3]),
        ([Cut(4)], [(1, b"0123"), (1, "reset")], [4]),
        ([Cut(4, "eof")], [(1, b"0123"), (1, "eof")], [4]),
        ([Cut(4, "half-close")], [(1, b"0123"), (1, "half-close")], [4]),
        ([Cut(4, "blackhole")], [(1, b"0123")], [4]),
        ([Cut(0)], [(1, "reset")], [0]),
        # Behind the last byte a cut comes in the place of the end.
        ([Cut(10)], [(1, TEN), (2, "reset")], [10]),
        ([Cut(10, "blackhole")], [(1, TEN)], [10]),
        ([Cut(11)], [(1, TEN), (2, "half-close")], []),
        # The first of several cuts strikes.
        ([Cut(6, "eof"), Cut(4)], [(1, b"0123"), (1, "reset")], [4]),
        ([Outage(0, 3)], [(3, TEN), (3, "half-close")], [0]),
        ([Outage(1.5, 3)], [(1, TEN), (3, "half-close")], [10]),
        ([Outage(0, 0.5)], [(1, TEN), (2, "half-close")], []),
        ([Outage(0, inf)], [], [0]),
        ([Flap(0.5, 1)], [(1.5, TEN), (3, "half-close")], [0]),
        # What is under way when the link goes down waits as well.
        ([Latency(1), Outage(1.9, 4)], [(4, TEN), (4, "half-close")], [0, 0]),
        # Together: a cut is as late as the byte would be in whose place it comes.
        ([Latency(0.5), Cut(4)], [(1.5, b"0123"), (1.5, "reset")], [0, 4]),
        ([Stall(4, 3), Cut(4)], [(1, b"0123"), (4, "reset")], [4, 4]),
        ([Outage(0, 3), Cut(0)], [(3, "reset")], [0, 0]),
        ([Cut(4), Stall(6, 3), Corrupt(5)], [(1, b"0123"), (1, "reset")], [4]),
        ([Slice(5, 2), Bandwidth(50)], [(1.1, b"01234"), (3.2, b"56789"), (3.2, "half-close")], [0, 5]),
        # Strikes come in the order of the bytes.
        ([Corrupt(8), Stall(5, 1), Corrupt(2)], None, [2, 5, 8]),
        ([Corrupt(8), Corrupt(2)], None, [2, 8]),
        # A rule that is limited in time acts on what is sent in that time.
        ([Cut(4, start=2)], [(1, TEN), (2, "half-close")], []),
        ([Cut(10, start=2)], [(1, TEN), (2, "reset")], [10]),
        ([Latency(5, start=0, end=2)], [(6, TEN), (6, "half-close")], [0]),
        ([Stall(4, 3, end=1)], [(1, TEN), (2, "half-close")], []),
        ([Corrupt(4, end=1), Slice(4, end=1), Bandwidth(5, end=1)], [(1, TEN), (2, "half-close")], []),
    ],
)
def test_each_rule_does_what_it_says(rules, told, struck):
    wire = Wire(*rules).push(1, TEN).end(2)
    if told is not None:
        assert wire.told == told
    assert wire.struck == struck


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ([Cut(4)], "reset"),
        ([Cut(4, "eof")], "eof"),
        ([Cut(4, "half-close")], "half-close"),
        ([Cut(4, "blackhole")], "blackhole"),
        ([Stall(4, inf)], "never"),
        ([Outage(0, inf)], "never"),
    ],
)
def test_a_dead_pipe_says_why_and_gives_nothing(rules, why):
    wire = Wire(*rules).push(1, TEN)
    assert (wire.pipe.dead, wire.pipe.plain) == (why, False)
    steps = list(wire.steps)
    assert wire.push(2, TEN).end(3).steps == steps


def test_a_pipe_whose_sender_has_ended_gives_nothing():
    wire = Wire().end(1)
    assert wire.pipe.dead == "end"
    assert wire.push(2, TEN).end(3).told == [(1, "half-close")]


def test_a_cut_between_two_pushes_waits_for_the_second():
    wire = Wire(Cut(10)).push(1, TEN)
    assert (wire.pipe.dead, wire.struck) == (None, [])
    assert wire.push(5, TEN).told == [(1, TEN), (5, "reset")]


def test_offset_counts_what_was_sent():
    pipe = Pipe([Latency(3)])
    pipe.push(0, TEN), pipe.push(0, b""), pipe.push(1, b"ab")
    assert pipe.offset == 12


def test_nothing_is_said_of_no_bytes():
    assert Pipe().push(1, b"") == Pipe([Stall(0, 5)]).push(1, b"") == []


@pytest.mark.parametrize("rules", [[], [Stall(4, 1)]])
def test_the_sender_may_use_its_buffer_again(rules):
    buffer = bytearray(TEN)
    steps = Pipe(rules).push(1, memoryview(buffer))
    buffer[:] = b"x" * 10
    assert b"".join(step.data for step in steps) == TEN
    assert all(type(step.data) is bytes for step in steps)


def test_nothing_overtakes_what_was_sent_before():
    wire = Wire(Latency(5, end=2)).push(1, b"slow").push(3, b"fast")
    assert wire.told == [(6, b"slow"), (6, b"fast")]


def test_pieces_of_a_drip_do_not_care_about_the_sender_s_pieces():
    wire = Wire(Slice(4, 1)).push(0, b"01").push(0, b"23456").push(0, b"789")
    assert wire.told == [(0, b"01"), (0, b"23"), (1, b"456"), (1, b"7"), (2, b"89")]


# ------------------------------------------------------------------ rules that come later


def test_a_rule_that_is_added_acts_from_now_on():
    wire = Wire().push(1, TEN)
    wire.pipe.add(Cut(14))
    assert not wire.pipe.plain
    assert wire.push(2, TEN).told == [(1, TEN), (2, b"0123"), (2, "reset")]


def test_a_byte_that_has_passed_is_not_struck():
    wire = Wire().push(1, TEN)
    for rule in (Cut(9), Stall(9, 5), Corrupt(0, 10)):
        wire.pipe.add(rule)
    assert wire.push(2, TEN).end(3).told == [(1, TEN), (2, TEN), (3, "half-close")]
    assert wire.strikes == []


def test_corruption_that_has_begun_goes_on():
    wire = Wire().push(1, TEN)
    wire.pipe.add(Corrupt(5, 7, 1))
    assert wire.push(2, TEN).data == TEN + b"1023456789"[:2] + TEN[2:]
    assert wire.struck == [10]


@pytest.mark.parametrize(
    ("rules", "before", "after"),
    [
        ([], True, True),
        # A latency whose strike somebody waits for is no short cut before it struck.
        ([Latency(1)], False, True),
        ([Latency(0)], True, True),
        ([Latency(1, 0.5)], False, False),
        ([Latency(1, at=20)], False, False),
        ([Latency(1, end=9)], False, False),
        ([Latency(1, start=1)], False, False),
        # Rules that nothing can meet any more are let go.
        ([Cut(9, start=2)], False, True),
        ([Cut(10)], False, False),
        ([Stall(3, 1)], False, True),
        ([Corrupt(3)], False, True),
        ([Corrupt(3, 100)], False, False),
        ([Slice(100)], False, False),
        ([Bandwidth(100)], False, False),
        ([Outage(5, 6)], False, False),
    ],
)
def test_bytes_go_the_short_way_while_nothing_can_strike_them(rules, before, after):
    wire = Wire(*rules)
    assert wire.pipe.plain is before
    assert wire.push(1, TEN).pipe.plain is after


def test_a_latency_is_plain_when_nobody_listens():
    assert Pipe([Latency(1), Latency(2)]).push(1, TEN) == [Step(4, "data", TEN)]
    assert Pipe([Latency(1), Latency(2)]).plain
    assert not Pipe([Latency(1, at=20)]).plain


def test_each_rule_strikes_once_and_equal_rules_are_two():
    wire = Wire(Latency(1), Latency(1), Outage(0, 9), Outage(10, 12)).push(1, TEN).push(2, TEN).push(9, TEN)
    assert [rule for rule, _ in wire.strikes] == [Latency(1), Latency(1), Outage(0, 9), Outage(10, 12)]


# ------------------------------------------------------------------ chance


def test_jitter_is_drawn_around_the_latency_and_never_leads_into_the_past():
    pipe = Pipe([Latency(1, 2)], Random(3))
    delays = [pipe.push(now, b"x")[0].when - now for now in range(0, 5000, 5)]
    assert min(delays) == 0
    assert 2.9 < max(delays) <= 3
    assert len(set(delays)) > 600


def test_jitter_needs_chance():
    with pytest.raises(UsageError, match="chance"):
        Pipe([Latency(1, 2)])


def test_a_rule_that_does_not_apply_draws_nothing():
    chance = Random(3)
    pipe = Pipe([Latency(1, 2, at=10), Latency(1, 2, start=5)], chance)
    pipe.push(1, TEN)
    assert chance.getstate() == Random(3).getstate()
    pipe.push(1, TEN)
    assert chance.getstate() != Random(3).getstate()


# ------------------------------------------------------------------ what always holds

TIMES = st.floats(0, 100)
BYTES = st.binary(max_size=60)
PLACES = st.integers(0, 130)
SPANS = st.one_of(
    st.just({}), st.tuples(TIMES, st.floats(1, 50)).map(lambda t: {"start": t[0], "end": t[0] + t[1]})
)


def limited(rule, *values):
    """Rules of that class, some of which act only for a time."""
    return st.builds(lambda span, *drawn: rule(*drawn, **span), SPANS, *values)


DELAYS = st.one_of(
    limited(Latency, st.floats(0, 5), st.floats(0, 3), PLACES),
    limited(Bandwidth, st.floats(1, 1000), PLACES),
    limited(Slice, st.integers(1, 50), st.floats(0, 5), PLACES),
    limited(Stall, PLACES, st.floats(0, 20)),
    st.builds(lambda start, long: Outage(start, start + long), TIMES, st.floats(0.1, 50)),
    st.builds(Flap, st.floats(0.5, 9), st.floats(0.5, 9), TIMES),
)
CORRUPTS = st.builds(Corrupt, PLACES, st.integers(1, 40), st.integers(1, 255))
CUTS = st.builds(Cut, PLACES, st.sampled_from(["reset", "eof", "half-close", "blackhole"]))
RULES = st.one_of(DELAYS, CORRUPTS, CUTS)
SENDINGS = st.lists(st.tuples(st.floats(0, 9), BYTES), max_size=5)


def played(wire, sendings):
    """Push each piece so much later than the one before; then end."""
    now = 0.0
    for later, data in sendings:
        now += later
        wire.push(now, data)
    return wire.end(now)


@given(st.lists(DELAYS, max_size=5), SENDINGS)
def test_without_cuts_and_corruption_every_byte_arrives_in_order(rules, sendings):
    wire = played(Wire(*rules), sendings)
    assert wire.data == b"".join(data for _, data in sendings)
    assert wire.steps[-1].kind == "half-close"


@given(st.lists(RULES, max_size=6), SENDINGS)
def test_times_never_decrease_and_lie_after_the_sending(rules, sendings):
    wire = played(Wire(*rules), sendings)
    times = [step.when for step in wire.steps]
    assert times == sorted(times)
    pipe, now = Pipe(rules, Random(7)), 0.0
    for later, data in sendings:
        now += later
        assert all(now <= step.when < inf for step in pipe.push(now, data))


@given(st.lists(RULES, max_size=6), BYTES, st.data())
def test_the_sender_s_pieces_change_neither_bytes_nor_strikes(rules, data, draw):
    rules = [rule for rule in rules if not isinstance(rule, Outage | Flap)]  # they strike by time
    edges = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    whole = Wire(*rules).push(1, data).end(1)
    pieces = Wire(*rules)
    for low, high in zip([0, *edges], [*edges, len(data)], strict=True):
        pieces.push(1, data[low:high])
    pieces.end(1)
    assert pieces.data == whole.data
    assert pieces.strikes == whole.strikes
    assert [step.kind for step in pieces.steps if not step.data] == [
        step.kind for step in whole.steps if not step.data
    ]


@given(st.lists(DELAYS, max_size=5), BYTES, st.data())
def test_the_sender_s_pieces_do_not_change_when_the_last_byte_arrives(rules, data, draw):
    rules = [rule for rule in rules if not getattr(rule, "jitter", 0)]
    rules = [rule for rule in rules if not isinstance(rule, Outage | Flap)]  # a piece waits as a whole
    edge = draw.draw(st.integers(0, len(data)))
    whole = Wire(*rules).push(1, data).end(1)
    pieces = Wire(*rules).push(1, data[:edge]).push(1, data[edge:]).end(1)
    assert pieces.steps[-1].when == pytest.approx(whole.steps[-1].when)


@given(CUTS, st.lists(DELAYS, max_size=3), SENDINGS)
def test_a_cut_lets_exactly_the_bytes_before_it_pass(cut, rules, sendings):
    sent = b"".join(data for _, data in sendings)
    wire = played(Wire(cut, *rules), sendings)
    assert wire.data == sent[: cut.at]
    assert ((cut, cut.at) in wire.strikes) == (cut.at <= len(sent))
    assert wire.pipe.dead == (cut.how if cut.at <= len(sent) else "end")


@given(CORRUPTS, st.lists(DELAYS, max_size=3), SENDINGS)
def test_corruption_flips_exactly_the_mask_in_exactly_its_bytes(corrupt, rules, sendings):
    sent = b"".join(data for _, data in sendings)
    wire = played(Wire(corrupt, *rules), sendings)
    assert len(wire.data) == len(sent)
    for position, (before, after) in enumerate(zip(sent, wire.data, strict=True)):
        is_struck = corrupt.at <= position < corrupt.at + corrupt.count
        assert after == before ^ (corrupt.mask if is_struck else 0)
    assert ((corrupt, corrupt.at) in wire.strikes) == (corrupt.at < len(sent))


AFAR = st.sampled_from(
    [
        *(
            Cut(1000),
            Stall(1000, 5),
            Corrupt(1000),
            Slice(5, 1, 1000),
            Bandwidth(1, 1000),
            Latency(5, 1, 1000),
        ),
        *(Cut(0, start=900), Stall(0, 5, start=900), Slice(1, 1, start=900), Bandwidth(1, start=900)),
        *(Latency(5, 1, start=900), Corrupt(0, start=900), Outage(9000, inf), Flap(1, 1, 9000)),
    ]
)


@given(st.lists(AFAR, min_size=1, max_size=4), st.lists(RULES, max_size=3), SENDINGS)
def test_a_rule_that_does_not_apply_changes_nothing_at_all(afar, rules, sendings):
    without, with_them = played(Wire(*rules), sendings), played(Wire(*afar, *rules), sendings)
    assert with_them.steps == without.steps
    assert with_them.strikes == without.strikes


@given(st.lists(RULES, max_size=6), SENDINGS, st.integers(0, 99))
def test_the_same_seed_gives_the_same_steps(rules, sendings, seed):
    first, second = (played(Wire(*rules, seed=seed), sendings) for _ in range(2))
    assert (first.steps, first.strikes) == (second.steps, second.strikes)
