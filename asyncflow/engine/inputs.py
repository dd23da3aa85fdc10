"""What a map goes over: its arguments, consumed row by row and not before a row is wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from asyncflow.errors import UsageError
from asyncflow.handles import Handle
from asyncflow.mapping import Unmapped, check_iterable, same_length

END = object()
"""Stands for the element after the last one."""

Row = tuple[tuple[Any, ...], dict[str, Any]]


class Followed(Protocol):
    """A map whose elements another map follows."""

    def downstream(self, index: int) -> Any:
        """Return what the element with that index hands down."""


class Link:
    """Stands in the arguments of a map for another map that it follows element by element."""

    __slots__ = ("upstream",)

    def __init__(self, upstream: Followed) -> None:
        self.upstream = upstream


class Column:
    """One argument of a map.

    Attributes:
        waits: whether `at` returns what has to be awaited.
        length: how many elements it has, None while nobody knows.
    """

    waits = False
    length: int | None = None

    def at(self, index: int) -> Any:
        """Return the element with that index, or END."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of an input that was not consumed whole."""


class _Fixed(Column):
    """The same for every element."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def at(self, index: int) -> Any:
        del index
        return self._value


class _Linked(Column):
    """The elements of another map, asked for when they are final."""

    def __init__(self, upstream: Followed) -> None:
        self._upstream = upstream

    def at(self, index: int) -> Any:
        return self._upstream.downstream(index)


class _Listed(Column):
    """What lies there whole."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self.length = len(values)

    def at(self, index: int) -> Any:
        return self._values[index] if index < len(self._values) else END


class _Drawn(Column):
    """An iterable that is consumed as the window moves; values drawn ahead of their row are held for it."""

    def __init__(self, name: str, values: Iterator[Any], length: int | None) -> None:
        self._name = name
        self._values = values
        self.length = length
        self._drawn = 0
        self._early: dict[int, Any] = {}

    def at(self, index: int) -> Any:
        for early in range(self._drawn, index):
            self._early[early] = self._draw()
        return self._draw() if self._drawn == index else self._early.pop(index)

    def _draw(self) -> Any:
        self._drawn += 1
        return _plain(self._name, next(self._values, END))


class _Awaited(Column):
    """An async iterable that is consumed as the window moves."""

    waits = True

    def __init__(self, name: str, values: AsyncIterator[Any]) -> None:
        self._name = name
        self._values = values
        self._drawn = 0
        self._early: dict[int, Any] = {}

    async def at(self, index: int) -> Any:
        for early in range(self._drawn, index):
            self._early[early] = await self._draw()
        return await self._draw() if self._drawn == index else self._early.pop(index)

    async def _draw(self) -> Any:
        value = await anext(self._values, END)
        self._drawn += 1
        return _plain(self._name, value)

    async def close(self) -> None:
        close = getattr(self._values, "aclose", None)
        if close is not None:
            await close()


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Handle):
        raise UsageError(
            f"an iterator that {name}.map() consumes gave the handle of {value.name!r}, which nobody waits "
            "for; put handles into a list"
        )
    return value


def _column(name: str, value: Any) -> Column:
    if isinstance(value, Unmapped):
        return _Fixed(value.value)
    if isinstance(value, Link):
        return _Linked(value.upstream)
    if isinstance(value, BaseException) or value is None:
        raise UsageError(f"{name}.map() can't go over {value!r}, which is what its input came to")
    check_iterable(name, value)
    if isinstance(value, list | tuple | range):
        return _Listed(value)
    if hasattr(value, "__aiter__"):
        return _Awaited(name, aiter(value))
    return _Drawn(name, iter(value), len(value) if hasattr(value, "__len__") else None)


class Rows:
    """The arguments of a map's elements.

    Args:
        name: the task's name.
        args: the positional arguments of `map`, with Links for maps that are followed.
        kwargs: its keyword arguments.

    Attributes:
        length: how many rows there are, None while nobody knows.

    Raises:
        UsageError: when something can't be mapped over, or when lengths differ.
    """

    def __init__(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._name = name
        self._columns = [_column(name, value) for value in (*args, *kwargs.values())]
        self._positional = len(args)
        self._names = tuple(kwargs)
        self._follows = any(isinstance(column, _Linked) for column in self._columns)
        self._ending = sum(not isinstance(column, _Fixed | _Linked) for column in self._columns)
        self.length = same_length(
            name, [column.length for column in self._columns if column.length is not None]
        )

    async def at(self, index: int) -> Row | None:
        """Return the arguments of one element, or None after the last.

        Raises:
            UsageError: when one input is over before another.
        """
        values = []
        ended = 0
        for column in self._columns:
            value = column.at(index)
            if column.waits:
                value = await value
            ended += value is END
            values.append(value)
        if ended:
            if self._follows or ended < self._ending:
                raise UsageError(self.uneven(index))
            return None
        if not self._names:
            return tuple(values), {}
        names = dict(zip(self._names, values[self._positional :], strict=True))
        return tuple(values[: self._positional]), names

    async def check_over(self, index: int) -> None:
        """Check that no input has an element with that index, since the maps that are followed have none.

        Raises:
            UsageError: when one has.
        """
        for column in self._columns:
            if not isinstance(column, _Fixed | _Linked):
                value = column.at(index)
                if (await value if column.waits else value) is not END:
                    raise UsageError(self.uneven(index))

    def uneven(self, index: int) -> str:
        """Say that the inputs differ in length, which showed at one element."""
        return (
            f"{self._name}.map() needs inputs of one length, but one of them ended after {index} "
            f"element{'' if index == 1 else 's'}; wrap in unmapped(...) what is for every element"
        )

    async def close(self) -> None:
        """Let go of inputs that were not consumed whole."""
        for column in self._columns:
            await column.close()
