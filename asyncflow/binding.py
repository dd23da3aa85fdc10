"""Checks names and number of arguments when a task is called, without `inspect` on the call path.

At declaration a function is compiled that has the parameters of the body and does nothing. Calling it costs
about a tenth of a microsecond, and Python itself raises the TypeError that everybody knows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

_MARKS: dict[object, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}


def signature_of(fn: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a callable, or None when it has none that can be read."""
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):
        return None


def compile_check(fn: Callable[..., Any], name: str) -> Callable[..., None]:
    """Return a function that accepts exactly the arguments that `fn` accepts, and does nothing.

    Args:
        fn: the body of a task or flow.
        name: the name that a TypeError shall speak of.
    """
    signature = signature_of(fn)
    if signature is None:
        return _accept_anything
    source = f"def check({_parameters(signature)}): pass"
    namespace: dict[str, Any] = {"_given": None}
    exec(source, namespace)  # the source is made of a signature's names only
    check: Callable[..., None] = namespace["check"]
    check.__qualname__ = check.__name__ = name
    return check


def compile_inputs(fn: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Return a function that takes the arguments of a call of `fn` and gives them by name, defaults included.

    What `*args` and `**kwargs` take is a tuple and a dict under their names.

    Args:
        fn: the body of a task.
    """
    signature = signature_of(fn)
    if signature is None:
        return lambda *args, **kwargs: {"args": args, "kwargs": kwargs}
    namespace: dict[str, Any] = {"_given": None}
    exec(f"def inputs({_parameters(signature)}): return locals()", namespace)  # made of names only
    inputs: Callable[..., dict[str, Any]] = namespace["inputs"]
    parameters = signature.parameters.values()
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    inputs.__defaults__ = tuple(p.default for p in parameters if p.kind in kinds and p.default is not p.empty)
    named = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
    inputs.__kwdefaults__ = named
    return inputs


def accepted_names(fn: Callable[..., Any]) -> frozenset[str] | None:
    """Return the names of a callable's parameters; None when they can't be read."""
    signature = signature_of(fn)
    return None if signature is None else frozenset(signature.parameters)


def _accept_anything(*_args: Any, **_kwargs: Any) -> None:
    """Stand in for a body whose signature can't be read."""


def _parameters(signature: inspect.Signature) -> str:
    parts: list[str] = []
    previous: Any = None
    for parameter in signature.parameters.values():
        if previous is Parameter.POSITIONAL_ONLY and parameter.kind is not Parameter.POSITIONAL_ONLY:
            parts.append("/")
        if parameter.kind is Parameter.KEYWORD_ONLY and previous not in (
            Parameter.KEYWORD_ONLY,
            Parameter.VAR_POSITIONAL,
        ):
            parts.append("*")
        default = "" if parameter.default is Parameter.empty else "=_given"
        parts.append(_MARKS.get(parameter.kind, "") + parameter.name + default)
        previous = parameter.kind
    if previous is Parameter.POSITIONAL_ONLY:
        parts.append("/")
    return ", ".join(parts)


def argument_names(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
    """Return the name of the parameter that each argument goes to, positional ones first."""
    signature = signature_of(fn)
    if signature is None:
        return [str(position) for position in range(len(args))] + list(kwargs)
    names = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    rest = next((p.name for p in signature.parameters.values() if p.kind is Parameter.VAR_POSITIONAL), "")
    positional = [names[i] if i < len(names) else rest for i in range(len(args))]
    return positional + list(kwargs)
