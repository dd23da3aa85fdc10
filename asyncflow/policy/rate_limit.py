"""The rate limit: so many calls in so much time, with reservations for those that can wait.

The generic cell rate algorithm (ITU-T I.371, for ATM networks) keeps one number, the time at which the next
call would be due if calls came evenly. A call takes that time for itself and moves it on by a step; it may be
made as long before its time as the burst allows. So a wait is known when it begins: each call that waits has
a time of its own, is woken once, and nobody comes in between. It never waits and never reads a clock itself.
"""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import KW_ONLY, dataclass

from asyncflow.ambient import World
from asyncflow.errors import InvalidPolicy, RateLimited
from asyncflow.human import named, plural
from asyncflow.policy.checks import checked_name, checked_whole
from asyncflow.policy.homes import Stateful
from asyncflow.policy.seconds import Seconds, seconds, spoken

# An instant that was reached by adding a wait to another instant may fall short of it by rounding, and a
# loop's timer by the resolution of its clock. Waiting exactly as long as was said must be enough.
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class RateLimit(Stateful):
    """Let `calls` calls be made in `per` seconds, evenly in the long run and up to `burst` of them at once.

    A call for which there is no permit waits, when it may, for one that is kept for it; otherwise it is not
    made and `RateLimited` is raised, whose `retry_after` says when there is a permit.

    Args:
        calls: how many calls may be made in that time.
        per: the time, in seconds or a timedelta.
        burst: how many may be made at once after a pause; None for `calls`. With 1 they are evenly spaced.
        name: uses of the same name share the permits; without one they are this object's own.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    calls: int
    per: Seconds = 1.0
    _: KW_ONLY
    burst: int | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        checked_whole(self.calls, "calls", 1, "for less than one a second give a longer `per`")
        if self.burst is not None:
            checked_whole(self.burst, "burst", 1, "use 1 for calls that are evenly spaced, None for `calls`")
        checked_name(self.name, may_lack=True)
        object.__setattr__(self, "per", seconds(self.per, "per", zero=False))

    def limiter(self, where: World | None = None) -> Limiter:
        """Return the limiter in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        return self._state("rate limit", lambda: Limiter(self), where)


class Limiter:
    """The state of a rate limit.

    A frame in a hurry may leave out `reserve` for one permit that is there now: when
    `tat - now <= tolerance`, its slot is `max(tat, now)`, and `tat` becomes `slot + step`.

    Args:
        spec: its settings.

    Attributes:
        tat: the theoretical arrival time: when the next call would be due if calls came evenly.
        step: seconds between two calls that come evenly.
        tolerance: how many seconds before its time a call may be made.
        burst: how many calls may be made at once.
        slot: the time of the permits that were reserved last, by which they are given back.
    """

    __slots__ = ("_ahead", "_no_permit", "_returned", "burst", "slot", "spec", "step", "tat", "tolerance")

    def __init__(self, spec: RateLimit) -> None:
        self.spec = spec
        self.burst = spec.calls if spec.burst is None else spec.burst
        self.step = seconds(spec.per, "per") / spec.calls
        self._ahead = (self.burst - 1) * self.step
        self.tolerance = self._ahead + _SLACK
        self.tat = self.slot = -math.inf
        self._no_permit = f"{self._label} lets {self._rate} through and has no permit now; ask again in "
        # What was given back and can still be used, in order: (time of the first, how many in a row).
        self._returned: list[tuple[float, int]] = []

    def reserve(self, now: float, *, within: float = 0.0, permits: int = 1) -> float | RateLimited:
        """Take permits, and return how many seconds to wait before they may be used.

        They are the caller's from now on: after the wait it asks no more. If it does not use them after all,
        it gives them back by the `slot` that is set here. Nothing is taken by a refusal.

        Args:
            now: the world's monotonic time.
            within: the longest wait that is of use, in seconds.
            permits: how many are taken together, at most `burst`.

        Raises:
            InvalidPolicy: for more permits than can ever be there at once.
        """
        tat = self.tat
        if permits == 1 and tat - now <= self.tolerance:
            self.slot = slot = tat if tat > now else now
            self.tat = slot + self.step
            return 0.0
        self._check(permits)
        self._forget(now)
        again = self._place_of(permits) if self._returned else None
        slot = max(tat, now) if again is None else self._returned[again][0]
        wait = slot + (permits - 1) * self.step - self._ahead - now
        if wait > within + _SLACK:
            return self._refusal(wait)
        if again is None:
            self.tat = slot + permits * self.step
        else:
            self._take_again(again, permits)
        self.slot = slot
        return wait if wait > _SLACK else 0.0

    def give_back(self, permits: int, now: float, slot: float | None = None) -> None:
        """Give back permits that are not used, since the wait for them was cancelled, say.

        Whoever asks next gets them; those that wait keep their times. A permit whose time is over lapses, as
        one does that nobody asked for.

        Args:
            permits: how many.
            now: the world's monotonic time.
            slot: what `slot` was after they were reserved; None when nobody reserved any since.
        """
        first = self.tat - permits * self.step if slot is None else slot
        insort(self._returned, (first, permits))
        while self._returned and self._is_last(*self._returned[-1]):
            self.tat, _ = self._returned.pop()
        self._forget(now)

    def _is_last(self, first: float, count: int) -> bool:
        """Return whether nothing is reserved after these permits."""
        return first + count * self.step > self.tat - self.step / 2

    def _place_of(self, permits: int) -> int | None:
        """Return where in the list of what was given back there are so many permits in a row."""
        return next((i for i, (_, count) in enumerate(self._returned) if count >= permits), None)

    def _take_again(self, index: int, permits: int) -> None:
        first, count = self._returned.pop(index)
        if count > permits:
            insort(self._returned, (first + permits * self.step, count - permits))

    def _forget(self, now: float) -> None:
        """Drop what was given back and lies in the past: used now, it would come on top of its successors."""
        while self._returned and self._returned[0][0] < now:
            self._take_again(0, 1)

    def _check(self, permits: int) -> None:
        if not 1 <= permits <= self.burst:
            raise InvalidPolicy(
                f"permits={permits!r} must be from 1 to {self.burst}, the burst of {self._label}; "
                "take fewer at a time, or give it a larger burst"
            )

    def _refusal(self, wait: float) -> RateLimited:
        return RateLimited(self._no_permit + spoken(wait), retry_after=wait, name=self.spec.name)

    @property
    def _label(self) -> str:
        return named("rate limit", self.spec.name)

    @property
    def _rate(self) -> str:
        burst = "" if self.burst == self.spec.calls else f" with a burst of {self.burst}"
        return f"{plural(self.spec.calls, 'call')} per {spoken(seconds(self.spec.per, 'per'))}{burst}"

    def free(self, now: float) -> int:
        """Return how many permits could be used now; below zero that many more are reserved already."""
        return math.floor((self._ahead + self.step - (max(self.tat, now) - now) + _SLACK) / self.step)

    def __repr__(self) -> str:
        name = "" if self.spec.name is None else f" {self.spec.name}"
        return f"<RateLimit{name} {self._rate}>"
