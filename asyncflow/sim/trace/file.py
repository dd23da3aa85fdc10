"""Traces as files: a header that says what was played, an empty line, and the lines.

    asyncflow trace 1
    scenario fail_parse
    variant none
    seed 7
    python 3.11
    asyncflow 0.1.0
    aiohttp 3.12.15
    hash_seed 0
    lines 214

Values are written as the fields of a line are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from asyncflow.errors import NotFound, UsageError
from asyncflow.sim.trace.text import Scrubber, field_of, parsed, value_of

FORMAT = 1
"""The version of the file format."""

_FIRST = "asyncflow trace "


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceHeader:
    """What a trace is the trace of: as long as all of it is the same, the lines are.

    Attributes:
        scenario: the scenario's name.
        variant: the variant that was played, or None.
        seed: the seed of all chance.
        python: the Python minor, such as `3.11`.
        asyncflow: the version of this package.
        aiohttp: the version of that package.
        hash_seed: PYTHONHASHSEED of the process, or `random`; it decides the order of sets of texts.
    """

    scenario: str
    variant: str | None
    seed: int
    python: str = ""
    asyncflow: str = ""
    aiohttp: str = ""
    hash_seed: str = ""

    @classmethod
    def of_this_process(
        cls, scenario: str, variant: str | None, seed: int, *, asyncflow: str, aiohttp: str
    ) -> TraceHeader:
        """Return the header of a trace that was made in this process."""
        return cls(
            scenario=scenario,
            variant=variant,
            seed=seed,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            asyncflow=asyncflow,
            aiohttp=aiohttp,
            hash_seed=os.environ.get("PYTHONHASHSEED", "random"),
        )


@dataclass(frozen=True, slots=True)
class TraceFile:
    """A trace that was read.

    Attributes:
        header: what it is the trace of.
        lines: what happened.
        first: the number of the first line of them in the file, from 1.
    """

    header: TraceHeader
    lines: Sequence[str]
    first: int = 1


def write(path: Path | str, header: TraceHeader, lines: Sequence[str]) -> None:
    """Write a trace to a file, in place of one that may be there.

    Raises:
        OSError: when that can't be done.
    """
    told = {**asdict(header), "lines": len(lines)}
    head = [f"{_FIRST}{FORMAT}", *(f"{name} {field_of(value, Scrubber())}" for name, value in told.items())]
    with Path(path).open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in [*head, "", *lines])


def read(path: Path | str) -> TraceFile:
    """Return the trace that a file holds.

    Raises:
        NotFound: when there is no such file.
        UsageError: when it can't be read or is not a trace: `file:line: reason`.
    """
    text = _text(Path(path))
    if not text.startswith(_FIRST):
        raise UsageError(f"{path}:1: is not a trace: a trace begins with {_FIRST + str(FORMAT)!r}")
    head, gap, body = text.partition("\n\n")
    if not gap:
        raise UsageError(f"{path}: ends in its header; write the trace anew")
    first = head.count("\n") + 3
    header, count = _header(path, head.split("\n"))
    lines = body.split("\n")
    whole = lines.pop() == ""
    if not whole or len(lines) != count:
        raise UsageError(
            f"{path}: holds {len(lines):,} lines, and its header says {count:,}; it was cut short or changed"
        )
    for number, line in enumerate(lines, first):
        try:
            parsed(line)
        except ValueError as error:
            raise UsageError(f"{path}:{number}: {error}") from None
    return TraceFile(header, lines, first)


def _text(path: Path) -> str:
    try:
        # Whoever checks a file out on Windows may get other line ends.
        return path.read_bytes().decode("ascii").replace("\r\n", "\n")
    except FileNotFoundError:
        raise NotFound(f"there is no file {str(path)!r}; `scenario --trace FILE` writes one") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not a trace: a trace is ASCII text") from None
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {(error.strerror or str(error)).lower()}") from None


def _header(path: Path | str, lines: Sequence[str]) -> tuple[TraceHeader, int]:
    """Return what the header says, and how many lines follow it."""
    number = lines[0].removeprefix(_FIRST)
    if number != str(FORMAT):
        raise UsageError(f"{path}:1: is a trace of format {number}, and this version reads format {FORMAT}")
    told: dict[str, Any] = {}
    for at, line in enumerate(lines[1:], 2):
        name, _, value = line.partition(" ")
        try:
            told[name] = value_of(value)
        except ValueError as error:
            raise UsageError(f"{path}:{at}: {error}") from None
    wanted = {"lines": int, **{field.name: str for field in fields(TraceHeader)}, "seed": int}
    for name, kind in wanted.items():
        if not isinstance(told.get(name), kind) and not (name == "variant" and told.get(name, 0) is None):
            raise UsageError(f"{path}: its header does not say {name}; write the trace anew")
    count = told.pop("lines")
    return TraceHeader(**{name: told[name] for name in wanted if name != "lines"}), count
