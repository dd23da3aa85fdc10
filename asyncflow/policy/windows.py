"""What a circuit remembers of its calls: failures in a row, the newest calls, or the newest seconds.

Adding a call costs the same however long a window is: it keeps its sums instead of counting them up.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from itertools import cycle
from typing import Final

from asyncflow.policy.rates import Rates, Sums, percent

FAILED: Final = 1
SLOW: Final = 2
"""What a call may be besides a plain success (0); both at once is `FAILED | SLOW`."""

SLICES: Final = 10
"""In how many slices a window of time moves on: it covers the one that runs and the nine before it."""


class Window(ABC):
    """The calls that decide whether a circuit opens.

    Attributes:
        calls: how many there are.
        failures: how many of them failed.
        slow: how many of them were slow.
        is_calm: whether one more success would change nothing.
    """

    __slots__ = ("calls", "failures", "is_calm", "slow")

    def __init__(self) -> None:
        self.calls = self.failures = self.slow = 0
        self.is_calm = False

    @abstractmethod
    def count(self, kind: int, now: float) -> int:
        """Add a call that has ended, and return 0 when nothing in the window can be too much.

        Args:
            kind: 0 for a plain success, or `FAILED`, `SLOW`, both.
            now: when it ended, in monotonic seconds.
        """

    @abstractmethod
    def why(self, hanging: int) -> str:
        """Return what is too much, in words; empty when nothing is.

        Args:
            hanging: calls in flight that are slow already.
        """

    @abstractmethod
    def forget(self) -> None:
        """Begin anew, without a call."""

    @abstractmethod
    def story(self, sums: Sums, hanging: int) -> str:
        """Return the numbers in a few words."""

    def shares(self, sums: Sums, hanging: int) -> tuple[float | None, float | None]:  # noqa: ARG002
        """Return the share of failures and that of slow calls, each None while there are too few calls."""
        return None, None

    def move_on(self, now: float) -> None:  # noqa: B027 - most windows don't age
        """Let go of what is too old by now."""

    def sums(self, now: float) -> Sums:  # noqa: ARG002 - most windows don't age
        """Return the sums as they are at a time, without changing anything."""
        return self.calls, self.failures, self.slow


class Streak(Window):
    """Failures in a row; neutral calls neither count nor end a streak.

    Args:
        limit: how many are too many.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.is_calm = True

    def count(self, kind: int, now: float) -> int:  # noqa: ARG002 - a streak does not age
        """Lengthen the streak or end it."""
        self.failures = self.calls = self.failures + 1 if kind & FAILED else 0
        self.is_calm = not self.failures
        return self.failures

    def why(self, hanging: int) -> str:  # noqa: ARG002 - durations don't matter
        """Return that the streak is too long, if it is."""
        if self.failures < self.limit:
            return ""
        return f"after {self.failures} failures in a row" if self.failures > 1 else "after a failure"

    def forget(self) -> None:
        """End the streak."""
        self.calls = self.failures = 0
        self.is_calm = True

    def story(self, sums: Sums, hanging: int) -> str:  # noqa: ARG002 - durations don't matter
        """Return the length of the streak and its limit."""
        return f"{sums[1]}/{self.limit} failures"


class Blind(Window):
    """What a disabled breaker remembers: nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.is_calm = True

    def count(self, kind: int, now: float) -> int:  # noqa: ARG002
        """Take no notice."""
        return 0

    def why(self, hanging: int) -> str:  # noqa: ARG002
        """Return that nothing is too much."""
        return ""

    def forget(self) -> None:
        """Forget nothing, since there is nothing."""

    def story(self, sums: Sums, hanging: int) -> str:  # noqa: ARG002
        """Return that nothing is counted."""
        return "nothing is counted"


class Rated(Window):
    """A window in which shares decide."""

    __slots__ = ("rates",)

    def __init__(self, rates: Rates) -> None:
        super().__init__()
        self.rates = rates

    def why(self, hanging: int) -> str:
        """Return which share is too high, if one is."""
        return self.rates.why((self.calls, self.failures, self.slow), hanging, self.rates.min_calls)

    def shares(self, sums: Sums, hanging: int) -> tuple[float | None, float | None]:
        """Return the shares as far as there are enough calls to speak of them."""
        return self.rates.shares(sums, hanging, self.rates.min_calls)

    def story(self, sums: Sums, hanging: int) -> str:
        """Return how many calls there are and their shares."""
        failed, slow = self.shares(sums, hanging)
        told = [f"{sums[0]} calls"]
        if failed is None:
            told.append(f"{sums[1]} failed")
        else:
            told.append(f"{percent(failed)} failed (limit {percent(self.rates.failure_rate)})")
        if slow is not None:
            told.append(f"{percent(slow)} slow (limit {percent(self.rates.slow_rate)})")
        if hanging:
            told.append(f"{hanging} hanging")
        return ", ".join(told)


class CountWindow(Rated):
    """The newest so many calls, in a ring.

    Args:
        size: how many.
        rates: which shares of them are too many.
    """

    __slots__ = ("_places", "_ring", "_size")

    def __init__(self, size: int, rates: Rates) -> None:
        super().__init__(rates)
        self._size = size
        self.forget()

    def count(self, kind: int, now: float) -> int:  # noqa: ARG002 - calls are counted, not seconds
        """Put a call in the place of the oldest."""
        place = next(self._places)
        if self._ring[place] != kind:
            self._replace(place, kind)
        if self.calls < self._size:
            self.calls += 1
        return self.failures or self.slow

    def _replace(self, place: int, kind: int) -> None:
        old, self._ring[place] = self._ring[place], kind
        self.failures += (kind & FAILED) - (old & FAILED)
        self.slow += (kind >> 1) - (old >> 1)

    def forget(self) -> None:
        """Empty the ring."""
        self.calls = self.failures = self.slow = 0
        self._ring = bytearray(self._size)
        self._places = cycle(range(self._size))


class TimeWindow(Rated):
    """The calls that ended in the newest so many seconds, in slices.

    Args:
        length: how many seconds.
        rates: which shares of them are too many.
    """

    __slots__ = ("_before", "_edge", "_number", "_width")

    def __init__(self, length: float, rates: Rates) -> None:
        super().__init__(rates)
        self._width = length / SLICES
        self._number = 0  # of the slice that runs; slices are numbered from the beginning of time
        self._edge = -math.inf  # when it ends
        self._before: deque[Sums] = deque()  # the sums of the slices before it

    def count(self, kind: int, now: float) -> int:
        """Add a call to the slice that runs."""
        if now >= self._edge:
            self.move_on(now)
        self.calls += 1
        if kind:
            self.failures += kind & FAILED
            self.slow += kind >> 1
        return self.failures or self.slow

    def forget(self) -> None:
        """Empty all slices."""
        self.calls = self.failures = self.slow = 0
        self._before.clear()

    def move_on(self, now: float) -> None:
        """Begin the slices that have begun since, and let the oldest go."""
        number = int(now // self._width)
        passed = number - self._number
        self._number, self._edge = number, (number + 1) * self._width
        if passed >= SLICES:
            self.forget()
            return
        for _ in range(passed):
            self._before.append(self._running())
            if len(self._before) == SLICES:
                calls, failures, slow = self._before.popleft()
                self.calls -= calls
                self.failures -= failures
                self.slow -= slow

    def sums(self, now: float) -> Sums:
        """Add up the slices that are not too old by now."""
        slices = [*self._before, self._running()]
        gone = len(slices) + int(now // self._width) - self._number - SLICES
        return _added(slices[max(0, gone) :])

    def _running(self) -> Sums:
        """Return the sums of the slice that runs: what is not in those before it."""
        calls, failures, slow = _added(self._before)
        return self.calls - calls, self.failures - failures, self.slow - slow


def _added(slices: Iterable[Sums]) -> Sums:
    calls = failures = slow = 0
    for one in slices:
        calls += one[0]
        failures += one[1]
        slow += one[2]
    return calls, failures, slow
