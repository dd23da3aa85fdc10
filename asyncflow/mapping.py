"""What a call of `task.map` says beyond its arguments: `unmapped`, `flatten`, window and tolerance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar, overload

from asyncflow.errors import UsageError
from asyncflow.handles import Handle, Item, find_handles

T = TypeVar("T")

WINDOW = 1_000
"""How many elements of a map are in flight at once when nothing else is said."""


@dataclass(frozen=True, slots=True, eq=False)
class Unmapped(Generic[T]):
    """An argument that every element of a map gets whole; `unmapped(value)` makes one."""

    value: T


def unmapped(value: T) -> Unmapped[T]:
    """Give every element of a map this argument as it is: `fetch.map(urls, session=unmapped(session))`.

    Args:
        value: any value, or the handle of one.
    """
    return Unmapped(value)


class Flat(Item):
    """A handle's value, a list of lists, as one list."""

    __slots__ = ()

    def __init__(self, base: Handle[Any]) -> None:
        super().__init__(base, None)

    @property
    def name(self) -> str:
        """The name of the base."""
        return self.base.name

    def pick(self, value: Any) -> Any:
        """Return the value with one level of lists taken away."""
        return flatten(value)


@overload
def flatten(value: Handle[Iterable[Iterable[T]]]) -> Handle[list[T]]: ...


@overload
def flatten(value: Iterable[Iterable[T]]) -> Iterable[T]: ...


def flatten(value: Any) -> Any:
    """Take one level of lists away: `store.map(flatten(pages))` for pages that are lists.

    Args:
        value: a handle whose value is an iterable of iterables, mapped or not; or such a value itself. An
            iterator is flattened bit by bit, as it is consumed.

    Raises:
        UsageError: for a list that holds handles, since what they stand for is not known yet.
    """
    if isinstance(value, Handle):
        return Flat(value)
    if isinstance(value, Iterator):
        return chain.from_iterable(value)
    held: list[Handle[Any]] = []
    find_handles(value, held)
    if held:
        raise UsageError(
            f"flatten takes a handle or plain values, not a list that holds the handle of {held[0].name!r}; "
            "let a task make the list of lists"
        )
    return list(chain.from_iterable(value))


@dataclass(frozen=True, slots=True)
class MapPlan:
    """How a map goes about its elements.

    Attributes:
        max_running: how many elements are in flight at once.
        tolerate: how many elements may fail: a count (int) or a share of all (float).
    """

    max_running: int = WINDOW
    tolerate: float = 0

    def __post_init__(self) -> None:
        window, tolerate = self.max_running, self.tolerate
        if isinstance(window, bool) or not isinstance(window, int) or window < 1:
            raise UsageError(f"max_running={window!r} must be a whole number of elements, 1 or more")
        if isinstance(tolerate, float) and not 0 <= tolerate <= 1:
            raise UsageError(f"tolerate={tolerate!r} must be a share from 0.0 to 1.0, or a count such as 3")
        if isinstance(tolerate, bool) or not isinstance(tolerate, int | float) or tolerate < 0:
            raise UsageError(f"tolerate={tolerate!r} must be a count, 0 or more, or a share such as 0.05")

    def allows(self, total: int) -> int:
        """Return how many of `total` elements may fail."""
        if isinstance(self.tolerate, int):
            return self.tolerate
        return int(round(self.tolerate * total, 9))


def check_inputs(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Check what can be told of a map's arguments before they are consumed.

    Args:
        name: the task's name.
        args: the positional arguments of `map`.
        kwargs: its keyword arguments.

    Raises:
        UsageError: when nothing is mapped over, when something can't be, or when lengths differ.
    """
    mapped = [value for value in (*args, *kwargs.values()) if not isinstance(value, Unmapped)]
    if not mapped:
        raise UsageError(f"{name}.map() needs something to map over; call {name}(...) for a single run")
    for value in mapped:
        if not isinstance(value, Handle):
            check_iterable(name, value)
    same_length(name, [len(value) for value in mapped if is_sized(value)])


def is_sized(value: Any) -> bool:
    """Whether a value has a length now."""
    return isinstance(value, Sized) and not isinstance(value, Handle)


def check_iterable(name: str, value: Any) -> None:
    """Raise UsageError unless a value can be mapped over.

    Texts and mappings are refused although they are iterable, since letters and keys are hardly ever meant.
    """
    if isinstance(value, str | bytes | bytearray | Mapping):
        raise UsageError(
            f"{name}.map() won't go over a {type(value).__name__} bit by bit; say list(...) if that is "
            "meant, or unmapped(...) to give it to every element"
        )
    if not any(hasattr(value, method) for method in ("__iter__", "__aiter__", "__getitem__")):
        raise UsageError(
            f"{name}.map() can't go over a value of type {type(value).__name__}; pass an iterable, "
            "or unmapped(...) to give it to every element"
        )


def same_length(name: str, lengths: Iterable[int]) -> int | None:
    """Return the one length of a map's inputs, None when none is known.

    Raises:
        UsageError: when they differ.
    """
    known = list(dict.fromkeys(lengths))
    if len(known) > 1:
        raise UsageError(
            f"{name}.map() needs inputs of one length, not of {' and '.join(map(str, known))}; "
            "cut them, zip them, or wrap in unmapped(...) what is for every element"
        )
    return known[0] if known else None


def is_iterator(value: Any) -> bool:
    """Whether a value can be consumed only once."""
    return isinstance(value, Iterator | AsyncIterator)
