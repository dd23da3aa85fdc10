"""Classes with import paths, for values in keys and stores."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum

Point = namedtuple("Point", "x y")
Line = namedtuple("Line", "x y")


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Right(Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Fruit:
    name: str
    price: float
    seen: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.price < 0:
            raise ValueError("a price is not negative")


@dataclass
class Basket:
    fruits: list[Fruit]
    owner: str | None = None


@dataclass(slots=True)
class Slotted:
    a: int


def plain_function() -> None:
    """Have an import path."""
