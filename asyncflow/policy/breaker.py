"""The circuit breaker: stops calling what keeps failing, and probes whether it is well again.

What is declared here is immutable; the state, a `Circuit`, lives in the world.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Literal, cast, get_args

from asyncflow.ambient import World, world
from asyncflow.errors import InvalidPolicy, did_you_mean
from asyncflow.outcomes import Outcome, Refused, Returned
from asyncflow.policy.backoff import exponential
from asyncflow.policy.circuit import Circuit, Mode, Reading, Verdict
from asyncflow.policy.matching import Errors, checked, counts, excluded, failure_of
from asyncflow.policy.seconds import Seconds, seconds
from asyncflow.policy.watched import WatchedCircuit
from asyncflow.policy.windows import CountWindow, Rates, Streak, TimeWindow, Window
from asyncflow.signals import SUCCESS

FAILURES = 5
"""How many failures in a row open a circuit that is not told otherwise."""

RATE = 0.5
"""The share of calls that is too much where none is given."""

MIN_CALLS = 20
"""How many calls it takes to speak of a share where nothing is said; a smaller window needs to be full."""


@dataclass(frozen=True, slots=True, repr=False)
class Breaker:
    """Stop calling what keeps failing; after `open_for`, let `probes` calls try.

    While the circuit is open, and for calls beyond the probes, the body is not called and `BreakerOpen` is
    raised. Uses of the same name share one circuit per world.

    The circuit opens after `failures` failures in a row or, with a window, when the share of failed or of
    slow calls in it reaches a rate. It closes when all probes have answered well, and opens again when one
    failed or, with a window, when the probes' shares reach a rate.

    Args:
        name: what the circuit protects, such as a service.
        failures: how many failures in a row open the circuit; 5 when there is no window.
        open_for: how long it stays open before a probe, in seconds or a timedelta; infinity means for good.
            Or a function of the `Reading` at that moment that returns the length.
        probes: how many trial calls there are, and how many at once.
        on: what counts as a failure: an exception type, a tuple of types, or a predicate. Other errors are
            neutral: neither success nor failure. Rejections by other policies are neutral unless `on` names
            their type.
        ignore: errors that are neutral even though `on` means them, in the same forms.
        on_result: a predicate of the returned value; true means that the call failed.
        window: how many of the newest calls are looked at, 2 or more.
        window_for: or how many of the newest seconds, as a number or a timedelta, in ten slices.
        failure_rate: the share of failures in the window that opens the circuit, up to 1; 0.5 by default.
        slow_after: how long a call takes that is slow, in seconds or a timedelta. A call in flight counts as
            soon as it is slow.
        slow_rate: the share of slow calls in the window that opens the circuit, up to 1; 0.5 by default.
        min_calls: how many calls it takes to speak of a share, 2 or more; 20 by default, and never more than
            the window has.
        grow: how many times longer each next opening is, until the circuit closes.
        max_open_for: what no opening that grows exceeds, in seconds or a timedelta; None for a year.
        half_open_for: how long the probes may take to answer, all together, in seconds or a timedelta; None
            for as long as they want.
        half_open_to: what becomes of the circuit then: "open" or "closed".
        mode: "normal"; "forced-open" refuses all calls; "disabled" admits all and counts none; "metrics-only"
            counts, and tells once when it would have opened.

    Raises:
        InvalidPolicy: when a setting is out of range or contradicts another one.
    """

    name: str
    failures: int | None = None
    open_for: Seconds | Callable[[Reading], Seconds] = 30.0
    _: KW_ONLY
    probes: int = 1
    on: Errors = Exception
    ignore: Errors = ()
    on_result: Callable[[Any], bool] | None = None
    window: int | None = None
    window_for: Seconds | None = None
    failure_rate: float | None = None
    slow_after: Seconds | None = None
    slow_rate: float | None = None
    min_calls: int | None = None
    grow: float = 1.0
    max_open_for: Seconds | None = None
    half_open_for: Seconds | None = None
    half_open_to: Literal["open", "closed"] = "open"
    mode: Mode = "normal"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidPolicy(
                f"name={self.name!r} must be a text that says what is protected, such as 'payments'"
            )
        _check_choice(self.mode, "mode", get_args(Mode))
        _check_choice(self.half_open_to, "half_open_to", ("open", "closed"))
        _check_count(self.probes, "probes", 1)
        checked(self.on, "on")
        checked(self.ignore, "ignore")
        self._check_on_result()
        self._settle_threshold()
        self._settle_open_time()

    def _check_on_result(self) -> None:
        if self.on_result is None:
            return
        if not callable(self.on_result) or inspect.iscoroutinefunction(self.on_result):
            raise InvalidPolicy(
                f"on_result={self.on_result!r} must be a predicate of the value that answers at once, or None"
            )

    def _settle_threshold(self) -> None:
        """Check what opens the circuit, and fill in what is not said."""
        if self.window is None and self.window_for is None:
            for setting in ("failure_rate", "slow_after", "slow_rate", "min_calls"):
                if getattr(self, setting) is not None:
                    raise InvalidPolicy(
                        f"{setting}={getattr(self, setting)!r} needs a window; "
                        "add window=100 (calls) or window_for=30.0 (seconds)"
                    )
            self._set(
                failures=_check_count(FAILURES if self.failures is None else self.failures, "failures", 1)
            )
            return
        if self.failures is not None:
            raise InvalidPolicy(
                f"failures={self.failures!r} counts failures in a row, and a window looks at shares; leave "
                "one of them out"
            )
        if self.window is not None and self.window_for is not None:
            raise InvalidPolicy(
                f"window={self.window!r} counts calls and window_for={self.window_for!r} seconds; "
                "leave one of them out"
            )
        self._settle_window()
        self._settle_slow()

    def _settle_window(self) -> None:
        least = _check_count(MIN_CALLS if self.min_calls is None else self.min_calls, "min_calls", 2)
        if self.window is not None:
            least = min(least, _check_count(self.window, "window", 2))
        else:
            self._set(window_for=seconds(cast("Seconds", self.window_for), "window_for", zero=False))
        self._set(min_calls=least, failure_rate=_rate(self.failure_rate, "failure_rate"))

    def _settle_slow(self) -> None:
        if self.slow_after is not None:
            slow_after = seconds(self.slow_after, "slow_after", zero=False)
            self._set(slow_after=slow_after, slow_rate=_rate(self.slow_rate, "slow_rate"))
        elif self.slow_rate is not None:
            raise InvalidPolicy(f"slow_rate={self.slow_rate!r} needs slow_after, the time that is slow")

    def _settle_open_time(self) -> None:
        if not callable(self.open_for):
            self._set(open_for=seconds(self.open_for, "open_for", endless=True))
        self._settle_growth()
        if self.half_open_for is not None:
            self._set(half_open_for=seconds(self.half_open_for, "half_open_for", zero=False))
        elif self.half_open_to == "closed":
            raise InvalidPolicy("half_open_to='closed' needs half_open_for, the time after which it closes")

    def _settle_growth(self) -> None:
        grow, longest = self.grow, self.max_open_for
        if isinstance(grow, bool) or not isinstance(grow, int | float) or not 1 <= grow < math.inf:
            raise InvalidPolicy(f"grow={grow!r} must be a number, 1 or more; use 2.0 to double each opening")
        if grow > 1 and (callable(self.open_for) or self.open_for == math.inf):
            raise InvalidPolicy(f"grow={grow!r} needs an open_for in seconds; {self.open_for!r} can't grow")
        if longest is None:
            return
        if grow == 1:
            raise InvalidPolicy(
                f"max_open_for={longest!r} caps an open time that grows; add grow=2.0 or leave it out"
            )
        longest = seconds(longest, "max_open_for", zero=False)
        if longest < cast("float", self.open_for):
            raise InvalidPolicy(f"max_open_for={longest:g} is less than open_for={self.open_for:g}; raise it")
        self._set(max_open_for=longest)

    def _set(self, **settled: object) -> None:
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    # -- what the circuit asks -----------------------------------------------------------------------------

    def verdict(self, outcome: Outcome) -> Verdict:
        """Return what an outcome says about the health of what is called."""
        if isinstance(outcome, Returned):
            return "failure" if self.on_result is not None and self.on_result(outcome.value) else "success"
        if isinstance(outcome, Refused):
            return "neutral"
        error = failure_of(outcome)
        if isinstance(error, SUCCESS):
            return "success"
        return "failure" if counts(error, self.on) and not excluded(error, self.ignore) else "neutral"

    @property
    def rates(self) -> Rates | None:
        """The shares that are too much; None where failures in a row are."""
        if self.failure_rate is None or self.min_calls is None:
            return None
        if self.slow_after is None or self.slow_rate is None:
            return Rates(self.failure_rate, self.min_calls)
        return Rates(
            self.failure_rate, self.min_calls, self.slow_rate, seconds(self.slow_after, "slow_after")
        )

    @property
    def patience(self) -> float:
        """How many seconds the probes may take to answer."""
        return math.inf if self.half_open_for is None else seconds(self.half_open_for, "half_open_for")

    def window_of_calls(self) -> Window:
        """Return an empty window of the kind that is declared."""
        if self.rates is None:
            return Streak(self.failures or FAILURES)
        if self.window is not None:
            return CountWindow(self.window, self.rates)
        return TimeWindow(seconds(cast("float", self.window_for), "window_for"), self.rates)

    def open_time(self, reading: Reading) -> float:
        """Return for how many seconds the circuit opens.

        Args:
            reading: the circuit at that moment, this opening counted.

        Raises:
            InvalidPolicy: when the function that was given returns no length of time.
        """
        if callable(self.open_for):
            name = getattr(self.open_for, "__qualname__", repr(self.open_for))
            return seconds(self.open_for(reading), f"{name}(reading)", endless=True, hint="return seconds")
        if self.grow == 1:
            return seconds(self.open_for, "open_for", endless=True)
        return exponential(self.open_for, factor=self.grow, cap=self.max_open_for).bound(reading.openings)

    # -- the circuit of the current world ------------------------------------------------------------------

    def circuit(self, where: World | None = None) -> Circuit:
        """Return the circuit of this name in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        home = where or world()
        kind = Circuit if self.slow_after is None else WatchedCircuit
        return home.shared("breaker", self.name, self, lambda: kind(self, home.monotonic))

    def open(self, lasting: Seconds | None = None) -> None:
        """Open the circuit of the current world by hand.

        Args:
            lasting: seconds, or a timedelta, until a probe; infinity for good, None for `open_for`.

        Raises:
            UsageError: when the mode is not "normal".
        """
        circuit = self.circuit()
        circuit.open(circuit.clock(), lasting)

    def close(self) -> None:
        """Close the circuit of the current world by hand; this ends a forced opening, too."""
        circuit = self.circuit()
        circuit.close(circuit.clock())

    def reset(self) -> None:
        """Let the circuit of the current world begin anew, in the mode that is declared."""
        self.circuit().reset()

    def isolate(self) -> None:
        """Refuse all calls until `close`, `reset` or `switch`: the same as `switch("forced-open")`."""
        self.switch("forced-open")

    def switch(self, mode: Mode) -> None:
        """Change the mode of the current world's circuit, which forgets all calls."""
        self.circuit().switch(_check_choice(mode, "mode", get_args(Mode)))

    def __repr__(self) -> str:
        """Return what is declared otherwise than by default."""
        told = [repr(self.name)]
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if value != each.default and not (each.name == "failures" and value is None):
                told.append(f"{each.name}={value!r}")
        return f"Breaker({', '.join(told)})"


def _check_count(count: object, setting: str, least: int) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < least:
        raise InvalidPolicy(
            f"{setting}={count!r} must be a whole number, {least} or more; use {least} for the strictest"
        )
    return count


def _rate(rate: float | None, setting: str) -> float:
    if rate is None:
        return RATE
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
        raise InvalidPolicy(
            f"{setting}={rate!r} must be a share of calls, more than 0 and at most 1; use 0.5"
        )
    return float(rate)


def _check_choice(word: Any, setting: str, known: tuple[Any, ...]) -> Any:
    if word not in known:
        hint = did_you_mean(str(word), known)
        raise InvalidPolicy(f"{setting}={word!r} must be one of {', '.join(map(repr, known))}.{hint}")
    return word
