"""Reads a scenario file: TOML text becomes a Scenario, or one error that names everything wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from asyncflow.errors import ScenarioInvalid
from asyncflow.scenario.format import Address, Scenario
from asyncflow.scenario.locate import Source
from asyncflow.scenario.rules import RULES
from asyncflow.scenario.shape import Problem, Shape
from asyncflow.scenario.values import shown

FORMAT = 1
"""The number of the format that this version reads."""

MAX_BYTES = 1_000_000
"""A larger file is no scenario, and is not read."""

_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


def load(path: Path | str) -> Scenario:
    """Return the scenario that the file at `path` holds.

    Raises:
        ScenarioInvalid: when the file can't be read or does not say a scenario; one line for each problem,
            each of the form `file:line: path: reason`.
    """
    return loads(_read(Path(path), str(path)), str(path))


def loads(text: str, file: str = "scenario") -> Scenario:
    """Return the scenario that a TOML text says.

    Args:
        text: the text.
        file: the name that errors give it.

    Raises:
        ScenarioInvalid: as `load`.
    """
    source = Source(file, text)
    data = _parse(source)
    _check_format(source, data)
    report(source, Shape(RULES).problems(data, Scenario))
    try:
        scenario = msgspec.convert(data, Scenario, dec_hook=_from_text)
    except msgspec.ValidationError as error:
        raise ScenarioInvalid(f"{file}:1: {error}") from None
    scenario.__dict__["source"] = source
    return scenario


def report(source: Source, problems: Iterable[Problem]) -> None:
    """Raise ScenarioInvalid with a line for each problem, in the order of the file, if there is any."""
    lines = sorted((source.line(path), source.locate(path, reason)) for path, reason in problems)
    if lines:
        raise ScenarioInvalid("\n".join(text for _, text in lines))


def _read(path: Path, name: str) -> str:
    """Return a file's text; a mark of the byte order, which some editors write, is left out."""
    try:
        if path.is_dir():
            raise ScenarioInvalid(f"{name}: is a folder; name a scenario file in it")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioInvalid(f"{name}: there is no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ScenarioInvalid(f"{name}: can't be read: {reason}") from None
    if len(data) > MAX_BYTES:
        raise ScenarioInvalid(f"{name}: is larger than {MAX_BYTES:,} bytes, which no scenario needs")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScenarioInvalid(f"{name}:{line}: is not UTF-8 text; save it with that encoding") from None


def _parse(source: Source) -> dict[str, Any]:
    if not source.text.strip():
        raise ScenarioInvalid(f"{source.file}:1: the file is empty; it starts with format = {FORMAT}")
    try:
        return tomllib.loads(source.text)
    except RecursionError:
        raise ScenarioInvalid(f"{source.file}:1: not valid TOML: values are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(_broken(source, str(error))) from None
    except ValueError:
        raise ScenarioInvalid(f"{source.file}:1: not valid TOML: a number has too many digits") from None


def _broken(source: Source, message: str) -> str:
    """Return the line of an error of `tomllib`, whose message names the place at its end."""
    found = _PLACE.fullmatch(message)
    if found is None:
        return f"{source.file}:1: not valid TOML: {message}"
    reason, line, column = found.groups()
    if line is None:
        last = source.text.rstrip().count("\n") + 1
        return f"{source.file}:{last}: not valid TOML: {reason} at the end of the file"
    return f"{source.file}:{line}: not valid TOML: {reason} at column {column}"


def _check_format(source: Source, data: dict[str, Any]) -> None:
    """Refuse a file of no format or another one; the rest of it would only be misread."""
    if "format" not in data:
        report(source, [(("format",), f"is missing; a scenario starts with format = {FORMAT}")])
    number = data["format"]
    if isinstance(number, bool) or number != FORMAT:
        reason = f"this version reads format {FORMAT}, and the file says {shown(number)}"
        report(source, [(("format",), reason)])


def _from_text(kind: type[Any], value: Any) -> Any:
    if kind is Address:
        return msgspec.convert(value, Address.table_for(value))
    return kind.parse(value)
