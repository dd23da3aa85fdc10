"""What the tables of a scenario file are made of: words, counts, durations, delays, references to code.

A class of values that are written as text has a `rule` for people, a JSON Schema for editors, and `parse`,
which raises ValueError with a sentence for people.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec import NODEFAULT, Meta, Struct, structs

Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Nth = Positive | Annotated[list[Positive], Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1)]
Names = Annotated[list[Name], Meta(min_length=1)]
Share = Annotated[float, Meta(gt=0, le=1)]
StateName = Literal[
    "Pending",
    "Scheduled",
    "Retrying",
    "Paused",
    "Running",
    "Success",
    "Cached",
    "Skipped",
    "Failed",
    "TimedOut",
    "TriggerFailed",
    "ValidationFailed",
    "Cancelled",
    "Crashed",
]
SignalName = Literal[
    "SUCCESS", "FAIL", "SKIP", "RETRY", "PAUSE", "LOOP", "TRIGGERFAIL", "VALIDATIONFAIL", "ENDRUN"
]
StateNames = StateName | Annotated[list[StateName], Meta(min_length=1)]
BreakerState = Literal["closed", "open", "half-open"]
Jitter = Literal["none", "full", "equal", "decorrelated"]


class Table(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A table of the file: closed, and immutable once read."""


def said(table: Any) -> dict[str, Any]:
    """Return what a table says beyond its defaults, by the keys of the file."""
    fields = [(known, getattr(table, known.name)) for known in structs.fields(table)]
    return {known.encode_name: value for known, value in fields if value != _unsaid(known)}


def _unsaid(known: structs.FieldInfo) -> Any:
    return known.default if known.default_factory is NODEFAULT else known.default_factory()


class Range(Table, frozen=True):
    """A number that is not known exactly."""

    min: Natural | None = None
    max: Natural | None = None


Count = Natural | Range


def counts(expected: int | Range, number: int) -> bool:
    """Return whether `number` is what was expected."""
    if isinstance(expected, int):
        return number == expected
    return (expected.min or 0) <= number and (expected.max is None or number <= expected.max)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_DURATION = r"(\d+(\.\d+)?(ms|s|m|h|d))+"
_TEN_YEARS = 3652 * 86400.0


def shown(value: object) -> str:
    """Return a value of a TOML file as people would name it."""
    match value:
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 1 << 64:
            return "a very large number"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {_short(value)!r}"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
    return f"the date or time {value}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


class Duration(float):
    """A length of time in seconds that remembers how it was written; a plain number means seconds."""

    rule: ClassVar[str] = "a duration such as 200ms, 3s, 5m"
    signed: ClassVar[bool] = False
    nonzero: ClassVar[bool] = False

    text: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the duration that `value` says.

        Args:
            value: text of numbers with units (`ms`, `s`, `m`, `h`, `d`), or a number of seconds.

        Raises:
            ValueError: when it says none, or one outside what this kind of duration may be.
        """
        seconds = cls._seconds(value)
        if seconds is None or not math.isfinite(seconds):
            raise ValueError(f"expected {cls.rule}, got {shown(value)}")
        if abs(seconds) > _TEN_YEARS:
            raise ValueError(f"{shown(value)} is more than ten years; write {cls.rule}")
        if (seconds < 0 and not cls.signed) or (seconds == 0 and cls.nonzero):
            raise ValueError(f"expected {cls.rule}, got {shown(value)}")
        duration = cls(seconds)
        duration.text = value if isinstance(value, str) else f"{value}s"
        return duration

    @classmethod
    def _seconds(cls, value: object) -> float | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return math.inf
        if not isinstance(value, str):
            return None
        sign = -1.0 if cls.signed and value.startswith("-") else 1.0
        digits = value[1:] if cls.signed and value[:1] in ("-", "+") else value
        if not re.fullmatch(_DURATION, digits, re.ASCII):
            return None
        return sign * math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(digits))

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of what `parse` takes."""
        number: dict[str, Any] = {"type": "number"}
        if not cls.signed:
            number["exclusiveMinimum" if cls.nonzero else "minimum"] = 0
        pattern = f"^[+-]?{_DURATION}$" if cls.signed else f"^{_DURATION}$"
        return {"description": cls.rule, "anyOf": [{"type": "string", "pattern": pattern}, number]}

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__


class Span(Duration):
    """A duration above zero, for limits: a limit of zero would forbid everything."""

    rule = "a duration above zero, such as 200ms, 3s, 5m"
    nonzero = True


class Shift(Duration):
    """A duration that may be negative, for clocks that are set back."""

    rule = "a duration such as 200ms, 3s, 5m or -1h"
    signed = True


DelayKind = Literal["constant", "linear", "exponential", "decorrelated", "custom"]

_DELAY_TEXT = re.compile(
    r"(?:(?P<kind>constant|linear|exponential|decorrelated) +)?(?P<base>\S+)(?: +cap +(?P<cap>\S+))?"
)


class Delay:
    """How long a retry waits: `200ms`, `constant 1s`, `linear 1s cap 10s`, `exponential 200ms cap 5s`.

    It is no dataclass, since msgspec would read a table into one.

    Args:
        kind: the shape; `custom` is a list of delays, one per retry.
        base: the first delay.
        cap: no delay is longer than this.
        delays: the delays of the kind `custom`.
    """

    __slots__ = ("base", "cap", "delays", "kind")

    rule: ClassVar[str] = "a delay such as '200ms', 'linear 1s cap 10s' or 'exponential 200ms cap 5s'"

    def __init__(
        self, kind: DelayKind, base: Duration, cap: Duration | None = None, delays: tuple[Duration, ...] = ()
    ) -> None:
        self.kind = kind
        self.base = base
        self.cap = cap
        self.delays = delays

    @classmethod
    def parse(cls, value: object) -> Delay:
        """Return the delay that `value` says.

        Args:
            value: text, a number of seconds, or a list of durations.

        Raises:
            ValueError: when it says none.
        """
        try:
            if isinstance(value, list) and value:
                delays = tuple(Duration.parse(item) for item in value)
                return cls("custom", delays[0], delays=delays)
            return cls._of_text(value) if isinstance(value, str) else cls("constant", Duration.parse(value))
        except ValueError:
            raise ValueError(f"expected {cls.rule}, got {shown(value)}") from None

    @classmethod
    def _of_text(cls, text: str) -> Delay:
        found = _DELAY_TEXT.fullmatch(text.strip())
        if found is None:
            raise ValueError(text)
        kind: Any = found["kind"] or "constant"
        cap = Span.parse(found["cap"]) if found["cap"] else None
        return cls(kind, Duration.parse(found["base"]), cap)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of what `parse` takes."""
        kinds = "constant|linear|exponential|decorrelated"
        pattern = f"^ *(({kinds}) +)?{_DURATION}( +cap +{_DURATION})? *$"
        one = Duration.schema()
        return {
            "description": cls.rule,
            "anyOf": [
                {"type": "string", "pattern": pattern},
                {"type": "number", "minimum": 0},
                {"type": "array", "items": one, "minItems": 1},
            ],
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delay) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        if self.kind == "custom":
            return ", ".join(str(delay) for delay in self.delays)
        return f"{self.kind} {self.base}" + (f" cap {self.cap}" if self.cap else "")


class Reference(str):
    """A name of something in Python code, written `module:name`, or `file.py:name` for a file."""

    __slots__ = ()

    rule: ClassVar[str] = "'module:name' or 'file.py:name', such as 'my_package.flows:nightly_load'"
    pattern: ClassVar[str] = r"([^\W\d]\w*(\.[^\W\d]\w*)*|.+\.py):[^\W\d]\w*"

    @classmethod
    def parse(cls, value: object) -> Reference:
        """Return the reference that `value` says.

        Raises:
            ValueError: when it has neither of the two forms.
        """
        if not isinstance(value, str) or not re.fullmatch(cls.pattern, value):
            raise ValueError(f"expected {cls.rule}, got {shown(value)}")
        return cls(value)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of what `parse` takes."""
        # Wider than `pattern`: editors read it as ECMAScript does, where a word is ASCII.
        return {"type": "string", "description": cls.rule, "pattern": r"^.+:[^:\s]+$"}


_TASK_KEY = re.compile(r"(?P<task>.+?)(?:#[1-9]\d*)?(?:\[\d+\])?", re.DOTALL)


def task_of(key: str) -> str:
    """Return the task's name of an expectation's key: `parse`, `parse#2` (its second call), `parse[0]`."""
    found = _TASK_KEY.fullmatch(key)
    return found["task"] if found else key
