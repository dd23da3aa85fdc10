"""Modes, moves by hand, growing open times, and what a circuit remembers of the failure that opened it."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from asyncflow.ambient import World, entered
from asyncflow.errors import AsyncflowError, BreakerOpen, InvalidPolicy, UsageError
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.likeness import likeness
from asyncflow.signals import FAIL
from asyncflow.sim.clock import Clock
from tests.policy.bench import Bench

KINDS = ({"failures": 2}, {"window": 2}, {"window_for": 100, "min_calls": 2, "slow_after": 50})


@pytest.fixture
def clock():
    clock = Clock()
    with entered(World(monotonic=clock.monotonic)):
        yield clock


def admits(breaker):
    """Whether the circuit of the current world would admit a call now; it is not made."""
    circuit = breaker.circuit()
    permit = circuit.admit(circuit.clock())
    if isinstance(permit, BreakerOpen):
        return False
    circuit.release(permit)
    return True


@pytest.mark.parametrize("settings", KINDS)
def test_it_is_opened_and_closed_by_hand(clock, settings):
    breaker = Breaker("b", **settings, open_for=5)
    breaker.open()
    assert not admits(breaker)
    assert repr(breaker.circuit()) == "<Breaker b open by hand, half-open in 5.0s, 1 refused>"
    clock.now += 5
    assert admits(breaker)
    assert breaker.circuit().state == "half-open"
    breaker.close()
    assert (breaker.circuit().state, breaker.circuit().openings) == ("closed", 0)


@pytest.mark.parametrize(
    ("lasting", "still", "over"),
    [(60, 59, 1), (timedelta(minutes=2), 119, 1), (0, 0, 0), (math.inf, 1e9, None)],
)
def test_it_stays_open_for_as_long_as_it_is_told(clock, lasting, still, over):
    breaker = Breaker("b", open_for=5)
    breaker.open(lasting)
    clock.now += still
    if still:
        assert not admits(breaker)
    if over is not None:
        clock.now += over
        assert admits(breaker)


def test_opening_an_open_circuit_again_begins_its_time_anew(clock):
    breaker = Breaker("b", open_for=5)
    breaker.open()
    clock.now += 4
    breaker.open(5)
    clock.now += 4
    assert not admits(breaker)


@pytest.mark.parametrize("lasting", [-1, "5"])
def test_an_open_time_by_hand_is_a_length_of_time(clock, lasting):
    breaker = Breaker("b")
    with pytest.raises(InvalidPolicy, match="lasting="):
        breaker.open(lasting)
    assert breaker.circuit().state == "closed"


@pytest.mark.parametrize("end", ["close", "reset", "switch"])
def test_an_isolated_circuit_stays_open_until_somebody_ends_it(clock, end):
    breaker = Breaker("b", open_for=5)
    breaker.isolate()
    clock.now += 1e9
    assert not admits(breaker)
    assert repr(breaker.circuit()) == "<Breaker b forced-open, open by force, for good, 1 refused>"
    getattr(breaker, end)(*(["normal"] if end == "switch" else []))
    assert admits(breaker)
    assert (breaker.circuit().mode, breaker.circuit().state) == ("normal", "closed")


@pytest.mark.parametrize("mode", ["forced-open", "disabled", "metrics-only"])
def test_only_a_circuit_in_normal_mode_is_opened_by_hand(clock, mode):
    breaker = Breaker("b", mode=mode)
    with pytest.raises(UsageError, match=f"is {mode} and can't be opened; switch it to 'normal' first"):
        breaker.open()


def test_a_reset_forgets_all_and_restores_the_mode(clock):
    breaker = Breaker("b", failures=2, mode="metrics-only")
    circuit = breaker.circuit()
    for _ in range(3):
        circuit.record(circuit.admit(0.0), "failure", 0.0)
    breaker.switch("normal")
    for _ in range(2):
        circuit.record(circuit.admit(0.0), "failure", 0.0)
    assert circuit.state == "open"
    breaker.reset()
    assert (circuit.state, circuit.mode, circuit.exceeded) == ("closed", "metrics-only", False)
    assert repr(circuit) == "<Breaker b metrics-only, closed, 0/2 failures>"


def test_a_misspelt_mode_is_answered_with_the_right_one(clock):
    with pytest.raises(InvalidPolicy, match="Did you mean 'disabled'"):
        Breaker("b").switch("disable")


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("mode", ["disabled", "metrics-only", "normal", "forced-open"])
def test_calls_from_before_a_switch_count_nothing_after_it(settings, mode):
    bench = Bench(**settings)
    bench.tell("+a +b +c F")
    bench.circuit.switch(mode)
    before = bench.reading
    bench.tell("a:F b:S c:C")
    assert bench.reading == before
    assert before.calls == 0


def test_a_disabled_breaker_wants_to_hear_nothing():
    circuit = Bench(failures=1, mode="disabled").tell("F F F")
    assert circuit.quiet
    assert circuit.free
    assert repr(circuit) == "<Breaker b disabled, closed, nothing is counted>"


@pytest.mark.parametrize(
    ("settings", "quiet", "free"),
    [
        ({}, True, True),
        ({"on_result": bool}, False, True),
        ({"window": 10}, False, True),
        ({"window_for": 10}, False, True),
        ({"window": 10, "slow_after": 1}, False, False),
    ],
)
def test_what_needs_no_telling_depends_on_what_is_counted(settings, quiet, free):
    circuit = Bench(**settings).tell("S F S")
    assert (circuit.quiet, circuit.free) == (quiet, free)
    circuit.move("open", 0.0)
    assert (circuit.quiet, circuit.free) == (False, False)
    circuit.move("closed", 0.0)
    assert (circuit.quiet, circuit.free) == (quiet, free)


# -- open times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({"open_for": 5}, [5, 5, 5, 5]),
        ({"open_for": 5, "grow": 2}, [5, 10, 20, 40]),
        ({"open_for": 5, "grow": 2, "max_open_for": 15}, [5, 10, 15, 15]),
        ({"open_for": 0, "grow": 2}, [0, 0, 0, 0]),
        ({"open_for": lambda reading: timedelta(seconds=reading.openings)}, [1, 2, 3, 4]),
    ],
)
def test_openings_in_a_row_last_so_long(settings, times):
    bench = Bench(failures=1, **settings)
    for expected in times:
        bench.tell("F")
        assert bench.circuit.retry_after(bench.clock.now) == expected
        bench.clock.now += expected
    bench.tell("S F")
    assert bench.circuit.retry_after(bench.clock.now) == times[0], "a circuit that was well begins anew"


def test_the_two_thousandth_opening_does_not_overflow():
    bench = Bench(failures=1, open_for=5, grow=2)
    bench.circuit.openings = 2000
    bench.tell("F")
    assert bench.circuit.retry_after(bench.clock.now) == 365 * 24 * 3600


@pytest.mark.parametrize("returns", [-1, None, "5"])
def test_a_function_that_returns_no_length_of_time_is_named_and_the_circuit_opens(returns):
    def open_time(reading):
        return returns

    bench = Bench(failures=1, open_for=open_time)
    with pytest.raises(InvalidPolicy, match=r"open_time\(reading\)="):
        bench.tell("F")
    assert bench.circuit.retry_after(bench.clock.now) == 30


def test_probes_are_given_up_at_the_moment_at_which_the_patience_ends_not_when_somebody_asks():
    bench = Bench(failures=1, open_for=5, half_open_for=10)
    bench.tell("F 5 +a 13")
    assert bench.call().retry_after == 2
    bench.tell("2 +b 1000 +c")  # a long silence: given up, open, and half-open again since
    assert bench.state == "half-open"


# -- what is remembered ------------------------------------------------------------------------------------


class Picky(Exception):
    def __init__(self, code, *, reason):
        super().__init__(code)
        self.code = code
        self.reason = reason

    def __str__(self):
        return f"{self.code}: {self.reason}"


class Wordless(Exception):
    def __str__(self):
        raise LookupError("no words")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        KeyError("name"),
        FileNotFoundError(2, "No such file", "x.txt"),
        ConnectionError(),
        Picky(503, reason="busy"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
        Wordless(),
        RuntimeError(object()),
        FAIL("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_likeness_has_the_class_and_the_text_or_at_least_names_them(error):
    try:
        raise error
    except BaseException as caught:
        twin = likeness(caught)
    assert twin is not error
    assert twin.__traceback__ is None
    if type(twin) is type(error):
        assert str(twin) == str(error)
    else:
        assert type(twin) is AsyncflowError
        assert str(twin).startswith(type(error).__name__)


def test_a_likeness_of_an_error_made_of_plain_values_has_its_class():
    assert type(likeness(Picky(503, reason="busy"))) is Picky
    assert likeness(Picky(503, reason="busy")).reason == "busy"
    assert type(likeness(OSError(2, "No such file"))) is FileNotFoundError


def test_the_failure_that_opened_it_is_named_until_it_is_closed():
    bench = Bench(failures=2, open_for=5)
    errors = [ValueError("first"), ValueError("second"), ValueError("probe")]
    for error in errors[:2]:
        bench.circuit.record(bench.begin(), "failure", bench.clock.now, error)
    assert str(bench.call().__cause__) == "second"
    bench.clock.now += 5
    bench.circuit.record(bench.begin(), "failure", bench.clock.now, errors[2])
    assert str(bench.call().__cause__) == "probe"
    bench.tell("5 S S")
    bench.circuit.open(bench.clock.now)
    assert bench.call().__cause__ is None


@pytest.mark.parametrize("settings", KINDS)
def test_a_forked_process_keeps_the_state_and_waits_for_no_call_of_its_parents(settings):
    bench = Bench(**settings, open_for=5)
    bench.tell("S +before")
    bench.circuit.forked()
    bench.tell("before:F")
    assert (bench.state, bench.reading.failures) == ("closed", 0)
    bench.circuit.open(bench.clock.now)
    bench.circuit.forked()
    bench.tell("? 5 +probe ?")
    bench.circuit.forked()
    assert bench.tell("S probe:F").state == "closed"
