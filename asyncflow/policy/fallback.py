"""Fallback: what stands in for an answer that can't be had."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, NamedTuple

from asyncflow.ambient import World
from asyncflow.errors import InvalidPolicy, Rejected
from asyncflow.policy.checks import checked_whole
from asyncflow.policy.homes import Stateful
from asyncflow.policy.matching import Errors, checked, counts, is_failure
from asyncflow.policy.seconds import Seconds, seconds


class _NoValue:
    def __repr__(self) -> str:
        return "<no value>"

    def __reduce__(self) -> str:
        return "NO_VALUE"


NO_VALUE: Final = _NoValue()
"""Says that no value was given; None is one."""


@dataclass(frozen=True, slots=True, repr=False)
class Fallback(Stateful):
    """Give a value in the place of a failure, after retries and hedges, and after the deadline.

    It stands in for whatever keeps the answer away: failures of the body, timeouts, and rejections by a
    policy, such as an open breaker. A cancellation is never covered.

    Args:
        value: what is returned; always this very object.
        function: gets the error and returns the value, with `def` or `async def`; what it raises takes the
            error's place.
        cached: whether the last good result of the same function with the same arguments is given, if there
            is one. Only then `value` and `function` are second best.
        on: the failures that are covered: an exception type, a tuple of types, or a predicate.
        keep: how many results `cached` remembers, in memory; the one that was of no use for longest goes.
        max_age: seconds (or a timedelta) after which a result is too old to be given.

    Raises:
        InvalidPolicy: when settings contradict each other or are out of range.
    """

    value: Any = field(default=NO_VALUE, hash=False)
    _: KW_ONLY
    function: Callable[[BaseException], Any] | None = None
    cached: bool = False
    on: Errors = Exception
    keep: int = 1000
    max_age: Seconds | None = None
    name: None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.has_value and self.function is not None:
            raise InvalidPolicy("a Fallback has a value or a function, not both; let the function return it")
        if not self.has_value and self.function is None and not self.cached:
            raise InvalidPolicy("a Fallback needs something to give: value=..., function=... or cached=True")
        if self.function is not None and not callable(self.function):
            raise InvalidPolicy(f"function={self.function!r} is not callable; pass the function itself")
        checked(self.on, "on")
        checked_whole(self.keep, "keep", 1, "use cached=False to keep none")
        if self.max_age is not None:
            object.__setattr__(self, "max_age", seconds(self.max_age, "max_age", zero=False))
            if not self.cached:
                raise InvalidPolicy("max_age= is about cached results; give cached=True as well")

    @property
    def has_value(self) -> bool:
        """Whether there is a value to give."""
        return self.value is not NO_VALUE

    def covers(self, error: BaseException) -> bool:
        """Whether the fallback stands in for such a failure."""
        # A rejection is neutral for what counts failures. For whoever wants an answer it is one.
        if isinstance(error, Rejected) and is_failure(error):
            types = (self.on,) if isinstance(self.on, type) else self.on
            return isinstance(error, types) if isinstance(types, tuple) else bool(types(error))
        return counts(error, self.on)

    def results(self, where: World | None = None) -> Results:
        """Return the results that are kept in a world, by default the current one; made on first use."""
        return self._state("fallback", lambda: Results(self), where)

    def __str__(self) -> str:
        parts = ["the last good result"] if self.cached else []
        if self.has_value:
            parts.append("a value")
        if self.function is not None:
            parts.append(getattr(self.function, "__name__", "a function"))
        return " or ".join(parts)

    def __repr__(self) -> str:
        return f"<Fallback to {self}>"


class Kept(NamedTuple):
    """A good result.

    Attributes:
        value: the result.
        at: when it was returned, on the world's monotonic clock.
    """

    value: Any
    at: float


class Results:
    """The last good results, by what was called.

    Args:
        spec: the fallback's settings.
    """

    __slots__ = ("_kept", "spec")

    def __init__(self, spec: Fallback) -> None:
        self.spec = spec
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def keep(self, key: Hashable, value: Any, now: float) -> None:
        """Keep a result, in the place of an older one of the same call.

        Args:
            key: what was called.
            value: what it returned.
            now: the world's monotonic time.
        """
        self._kept[key] = Kept(value, now)
        self._kept.move_to_end(key)
        if len(self._kept) > self.spec.keep:
            self._kept.popitem(last=False)

    def find(self, key: Hashable, now: float) -> Kept | None:
        """Return the last result of that call, unless there is none or it is too old.

        Args:
            key: what was called.
            now: the world's monotonic time.
        """
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        max_age = self.spec.max_age
        if max_age is not None and now - kept.at > seconds(max_age, "max_age"):
            return None
        return kept

    def __repr__(self) -> str:
        return f"<Results: {len(self._kept)} of at most {self.spec.keep}>"
