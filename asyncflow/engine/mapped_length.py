"""How many elements a map will have, as far as that is known when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asyncflow.engine.mapped import MappedRun
from asyncflow.mapping import is_sized, same_length


def known_length(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int | None:
    """Return how many elements a map will have, None while nobody knows.

    Raises:
        UsageError: when its inputs differ in length.
    """
    lengths: list[int] = []
    for value in (*args, *kwargs.values()):
        if isinstance(value, MappedRun):
            lengths += [] if value.length is None else [value.length]
        elif is_sized(value):
            lengths.append(len(value))
    return same_length(name, lengths)
