"""A flow's parameters: which there are, whether a call fits them, and text turned into their types."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from asyncflow.binding import signature_of
from asyncflow.errors import ParameterError, did_you_mean

_REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Spec:
    """One parameter of a flow.

    Attributes:
        name: its name.
        default: its default; `inspect.Parameter.empty` when it is required.
        type: its annotation; Any when it has none.
    """

    name: str
    default: Any = _REQUIRED
    type: Any = Any

    @property
    def wanted(self) -> Any:
        """The type that text is converted to: the annotation, else that of a plain default."""
        kind = type(self.default)
        return kind if self.type is Any and kind in (bool, int, float, str) else self.type

    @property
    def required(self) -> bool:
        """Whether a call has to give it."""
        return self.default is _REQUIRED


def specs_of(fn: Callable[..., Any]) -> dict[str, Spec]:
    """Return the parameters of a function by name; `*args` and `**kwargs` are left out."""
    signature = signature_of(fn)
    if signature is None:
        return {}
    try:
        hints = get_type_hints(fn)
    except Exception:  # noqa: BLE001 - annotations may name what exists only for type checkers
        hints = {}
    return {
        name: Spec(name, parameter.default, hints.get(name, Any))
        for name, parameter in signature.parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


_NAMELESS = {
    inspect.Parameter.POSITIONAL_ONLY: "{}, /",
    inspect.Parameter.VAR_POSITIONAL: "*{}",
    inspect.Parameter.VAR_KEYWORD: "**{}",
}


def nameless_parameter(fn: Callable[..., Any]) -> str | None:
    """Return the first parameter that can't be given by a name of its own, as it is written; or None."""
    signature = signature_of(fn)
    for parameter in signature.parameters.values() if signature else ():
        if parameter.kind in _NAMELESS:
            return _NAMELESS[parameter.kind].format(parameter.name)
    return None


def check(flow: str, specs: Mapping[str, Spec], given: Mapping[str, Any]) -> None:
    """Raise ParameterError, naming everything that is wrong, unless `given` fits `specs`."""
    problems = _misfits(specs, given)
    if problems:
        raise ParameterError(f"flow {flow!r} {'; it '.join(problems)}")


def _misfits(specs: Mapping[str, Spec], given: Mapping[str, Any]) -> list[str]:
    unexpected = [name for name in given if name not in specs]
    missing = [spec.name for spec in specs.values() if spec.required and spec.name not in given]
    problems = []
    if unexpected:
        hints = "".join(did_you_mean(name, specs) for name in unexpected)
        problems.append(f"received the following unexpected parameters: {', '.join(unexpected)}.{hints}")
    if missing:
        problems.append(f"did not receive the following required parameters: {', '.join(missing)}")
    return problems


def convert(flow: str, specs: Mapping[str, Spec], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values from a command line, a file or a form, converted to the annotated types.

    Text is read leniently (`"10"` becomes 10 for an int). Without an annotation the
    type of a plain default counts; else a value stays as it is.

    Args:
        flow: the flow's name, for errors.
        specs: its parameters.
        given: values by name, text or plain data.

    Raises:
        ParameterError: naming all parameters that are unexpected, missing or don't convert.
    """
    import msgspec  # here, since only what comes from outside Python is converted

    problems = _misfits(specs, given)
    converted: dict[str, Any] = {}
    for name, value in given.items():
        if name in specs:
            try:
                wanted = specs[name].wanted
                converted[name] = value if wanted is Any else msgspec.convert(value, wanted, strict=False)
            except (msgspec.ValidationError, TypeError, ValueError) as error:
                problems.append(f"can't take {name}={value!r}: {error}")
    if problems:
        raise ParameterError(f"flow {flow!r} {'; it '.join(problems)}")
    return converted
