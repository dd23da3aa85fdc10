"""The words of floor 0 are used: errors are raised, kinds of events emitted and described."""

from __future__ import annotations

import ast
import inspect
import re
from typing import get_args

import pytest

from asyncflow import errors, events
from tests.shape.source import MODULES

ERRORS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]
KINDS = get_args(events.Kind)


def made() -> set[str]:
    """Return the names of the errors of `asyncflow.errors` that are made, or raised as bare classes."""
    names = {name for module in MODULES for _, name in module.calls() if module.name != "asyncflow.errors"}
    names |= {
        module.dotted(node.exc)
        for module in MODULES
        for node in module.nodes
        if isinstance(node, ast.Raise) and node.exc is not None
    }
    return {name.removeprefix("asyncflow.errors.") for name in names if name.startswith("asyncflow.errors.")}


def emitted() -> set[str]:
    """Return the kinds of events that are given to `emit` and `note`; a trace has words of its own."""
    return {
        call.args[0].value
        for module in MODULES
        if module.part != "sim"
        for call, name in module.calls()
        if (name.endswith((".emit", ".note")) or name in ("emit", "note"))
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def test_every_error_is_raised_somewhere_or_is_the_root_of_some_that_are():
    raised = made()
    never = [
        error.__name__
        for error in ERRORS
        if not any(other.__name__ in raised for other in ERRORS if issubclass(other, error))
    ]
    assert never == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_is_emitted(kind: str):
    assert kind in emitted()


def test_no_event_is_emitted_that_has_no_kind():
    assert emitted() <= set(KINDS)


def described() -> list[str]:
    """Return the kinds that the text below `Kind` describes, in its order."""
    source = inspect.getsource(events)
    text = source.split('"""What can happen.', 1)[1].split('"""', 1)[0]
    return re.findall(r"^(\w+) +detail:", text, re.MULTILINE)


def test_every_kind_of_event_is_described_where_it_is_declared():
    assert described() == list(KINDS)
