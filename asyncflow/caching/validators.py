"""Which arguments and parameters have to be the same for an entry to be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from asyncflow.caching.canonical import Unkeyable
from asyncflow.errors import InvalidTask

Of = Literal["inputs", "parameters", "nothing"]


@dataclass(frozen=True)
class Validator:
    """A rule for `cache_validator=`; use those of `asyncflow.caching`.

    Attributes:
        name: what it is called, part of the key.
        of: what is looked at: the task's inputs, the flow's parameters, or nothing.
        names: those that count; None for all of them.
        reads: whether entries are used at all.
    """

    name: str
    of: Of
    names: tuple[str, ...] | None = None
    reads: bool = True

    def picks(self, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what has to be the same.

        Args:
            inputs: the task's arguments by name.
            parameters: the parameters of the flow run.

        Raises:
            Unkeyable: when one of the names is not there: half a key would find wrong entries.
        """
        if self.of == "nothing":
            return {}
        given = inputs if self.of == "inputs" else parameters
        if self.names is None:
            return given
        for name in self.names:
            if name not in given:
                word = "argument" if self.of == "inputs" else "flow parameter"
                raise Unkeyable(f"there is no {word} {name!r}, which cache_validator={self} looks at")
        return {name: given[name] for name in self.names}

    def __str__(self) -> str:
        return self.name if self.names is None else f"{self.name}({list(self.names)!r})"


all_inputs = Validator("all_inputs", "inputs")
"""An entry is used for the same arguments."""

all_parameters = Validator("all_parameters", "parameters")
"""An entry is used in runs of a flow with the same parameters."""

duration_only = Validator("duration_only", "nothing")
"""An entry is used until it expires, whatever the arguments are."""

never_use = Validator("never_use", "inputs", reads=False)
"""Entries are written, for others to read, and never read: the task is computed afresh each time."""


def partial_inputs_only(validate_on: Sequence[str]) -> Validator:
    """Return the rule that an entry is used for the same values of these arguments.

    Args:
        validate_on: the names of the arguments.
    """
    return Validator("partial_inputs_only", "inputs", _names(validate_on))


def partial_parameters_only(validate_on: Sequence[str]) -> Validator:
    """Return the rule that an entry is used in runs with the same values of these parameters.

    Args:
        validate_on: the names of the flow's parameters.
    """
    return Validator("partial_parameters_only", "parameters", _names(validate_on))


def _names(given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not given or not all(isinstance(name, str) for name in given):
        raise InvalidTask(
            f"validate_on={given!r} must be a list of names, at least one; duration_only looks at none"
        )
    return tuple(sorted(set(given)))
