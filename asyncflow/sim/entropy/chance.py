"""What draws from the operating system in the standard library, drawing from the world's seed instead."""

from __future__ import annotations

import os
import random
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from random import Random
from typing import Any

from asyncflow.sim.entropy import inside
from asyncflow.sim.entropy.swaps import Swap

_MULTICAST = 1 << 40
"""Marks a node number of uuid1 as drawn, not read from a network card (RFC 9562, section 6.10)."""

_UUID_MEMORY = ("_last_timestamp", "_last_timestamp_v6", "_last_timestamp_v7", "_last_counter_v7")
"""What `uuid` remembers of the last one it made, by which it keeps them in order."""


def stand_ins() -> Iterator[Swap]:
    """Give a stand-in for each function that draws from the operating system.

    Each has the real function as its `__wrapped__`. `secrets`, `uuid4` and `SystemRandom` draw through these.
    """
    for name in ("urandom", "getrandom"):
        if hasattr(os, name):
            yield os, name, _drawing(getattr(os, name))
    yield Random, "seed", _seeding(Random.seed)
    yield random, "seed", _reseeding(random.seed)


def values(node: int) -> Iterator[Swap]:
    """Give what modules have drawn before, or remember, that is to begin afresh.

    Args:
        node: 48 bits that stand for the network card.
    """
    yield uuid, "_node", node | _MULTICAST
    yield uuid, "_generate_time_safe", None  # made by C, from the machine's clock and card
    yield uuid, "_UuidCreate", None
    for name in _UUID_MEMORY:
        yield uuid, name, None
    yield tempfile, "_name_sequence", None


@contextmanager
def reseeded(seed: int) -> Iterator[None]:
    """Seed the generator behind `random`'s functions inside the `with` block; then it goes on as before.

    Args:
        seed: the same in each simulation of one seed.
    """
    before = random.getstate()
    try:
        random.seed(seed)
        yield
    finally:
        random.setstate(before)


def _drawing(real: Callable[..., bytes]) -> Callable[..., bytes]:
    @wraps(real)
    def stand_in(size: int, *flags: Any, **named: Any) -> bytes:
        here = inside.here()
        return real(size, *flags, **named) if here is None else here.octets.randbytes(size)

    return stand_in


def _seeding(real: Callable[..., None]) -> Callable[..., None]:
    @wraps(real)
    def stand_in(self: Random, a: Any = None, version: int = 2) -> None:
        here = inside.here()
        if a is None and here is not None:
            a = here.seeds.getrandbits(64)
        real(self, a, version)

    return stand_in


def _reseeding(real: Any) -> Callable[..., None]:
    @wraps(real)
    def stand_in(a: Any = None, version: int = 2) -> None:
        real.__self__.seed(a, version)  # the generator that is shared, whose class has the stand-in

    return stand_in
