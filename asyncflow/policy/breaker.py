"""The circuit breaker: stops calling what keeps failing, and probes whether it is well again.

What is declared here is immutable; the state, a `Circuit`, lives in the world.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Literal, cast

from asyncflow.ambient import World, world
from asyncflow.outcomes import Outcome, Refused, Returned
from asyncflow.policy.backoff import exponential
from asyncflow.policy.breaker_settings import FAILURES, checked_mode, settled
from asyncflow.policy.circuit import OPEN_FOR, Circuit, Verdict
from asyncflow.policy.matching import Errors, counts, excluded, failure_of
from asyncflow.policy.rates import Rates
from asyncflow.policy.reading import Mode, Reading
from asyncflow.policy.seconds import Seconds, seconds
from asyncflow.policy.watched import WatchedCircuit
from asyncflow.policy.windows import CountWindow, Streak, TimeWindow, Window
from asyncflow.signals import SUCCESS


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
    open_for: Seconds | Callable[[Reading], Seconds] = OPEN_FOR
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
        for setting, value in settled(self).items():
            object.__setattr__(self, setting, value)

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
        self.circuit().switch(checked_mode(mode))

    def __repr__(self) -> str:
        """Return what is declared otherwise than by default."""
        told = [repr(self.name)]
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if value != each.default:
                told.append(f"{each.name}={value!r}")
        return f"Breaker({', '.join(told)})"
