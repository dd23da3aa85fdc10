"""Flows that are named on the command line, and values for their parameters."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from asyncflow.errors import ParameterError, UsageError
from asyncflow.flow import Flow
from asyncflow.parameters import Spec


def flow_of(target: str) -> Flow[..., Any]:
    """Return the flow that a target names.

    Raises:
        UsageError: when the module can't be imported.
        NotFound: when there is no such module, file or flow.
    """
    from asyncflow.targets import load_flow

    with importing(target):
        return load_flow(target)


def lasting_target(target: str) -> str:
    """Return a target as it can be kept with a run: a file by its whole path."""
    source, colon, name = target.rpartition(":")
    if not colon or not source.lower().endswith(".py"):
        source, colon, name = target, "", ""
    return f"{Path(source).resolve()}{colon}{name}" if source.lower().endswith(".py") else target


@contextmanager
def importing(target: str) -> Iterator[None]:
    """Turn the end of the process, which importing a script may ask for, into an error."""
    try:
        yield
    except SystemExit as end:
        raise UsageError(
            f"importing {target!r} ended with sys.exit({end.code!r}); put what a script does behind "
            "`if __name__ == '__main__':`"
        ) from end


def parameter_options(target: Any) -> Any:
    """Add the options for parameters to a command."""
    target = click.option(
        "--params",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A .json or .toml file with parameters; -p wins over it.",
    )(target)
    return click.option(
        "-p",
        "--param",
        "pairs",
        metavar="NAME=VALUE",
        multiple=True,
        help="A parameter, converted to its annotated type; lists and tables are written as JSON.",
    )(target)


def parameters_from(
    flow: Flow[..., Any], pairs: Sequence[str], file: Path | None, *, partly: bool = False
) -> dict[str, Any]:
    """Return a flow's parameters, converted and checked.

    Args:
        flow: the flow.
        pairs: `name=value` texts, which win over the file.
        file: a file with more of them.
        partly: whether required ones may be missing.

    Raises:
        ParameterError: naming everything that is wrong with them.
        UsageError: when the file can't be read.
    """
    from asyncflow.parameters import convert

    table = _from_file(file) if file else {}
    told = [pair.partition("=") for pair in pairs]
    broken = [pair for pair, (name, sign, _) in zip(pairs, told, strict=True) if not sign or not name.strip()]
    texts = {name.strip(): text for name, sign, text in told if sign and name.strip()}
    given = {**table, **{name: _value(text, flow.parameters.get(name)) for name, text in texts.items()}}
    specs = {
        name: spec
        for name, spec in flow.parameters.items()
        if not partly or not spec.required or name in given
    }
    wrong = f"-p takes NAME=VALUE, not {', '.join(map(repr, broken))}" if broken else ""
    try:
        converted = convert(flow.name, specs, given)
    except ParameterError as error:
        raise ParameterError(f"{error}; {wrong}" if wrong else str(error)) from error
    if wrong:
        raise ParameterError(wrong)
    return converted


def _value(text: str, spec: Spec | None) -> Any:
    """Return lists and tables from their JSON, unless the parameter is a text; other text as it stands."""
    if text[:1] not in ("[", "{") or (spec is not None and spec.type is str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _from_file(file: Path) -> dict[str, Any]:
    """Return the table that a file holds."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        found = tomllib.loads(text) if file.suffix.lower() == ".toml" else json.loads(text)
    except ValueError as error:  # both parsers' errors and a wrong encoding
        raise UsageError(f"{file}: not valid {file.suffix.lstrip('.').upper() or 'JSON'}: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(
            f"{file}: holds a {type(found).__name__}; parameters are a table of names and values"
        )
    return found


def flows_of(source: str) -> list[tuple[str, Flow[..., Any]]]:
    """Return the flows of a module or a file, each with the name of its variable.

    Raises:
        UsageError: when it can't be imported, or declares no flow.
        NotFound: when there is no such module or file.
    """
    from asyncflow.targets import flows_in, load_module

    with importing(source):
        found = flows_in(load_module(source))
    if not found:
        raise UsageError(
            f"{source!r} declares no flow; write @flow above a function, or `with Flow(...) as f:`"
        )
    return list(found.items())
