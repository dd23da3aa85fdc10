"""Tasks that the tests of control flow are made of, and every way to write a flow of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asyncflow import Flow, flow, task
from asyncflow.engine import FlowRun
from tests.engine.kit import play


@task
async def give(value: Any = 1) -> Any:
    return value


@task
async def fail(*_: Any) -> Any:
    raise ValueError("no")


def as_def(wire: Callable[[], Any]) -> FlowRun:
    @flow(name="wired")
    def wired():
        return wire()

    return play(wired)


def as_async(wire: Callable[[], Any]) -> FlowRun:
    @flow(name="awaiting")
    async def awaiting():
        return wire()

    return play(awaiting)


def as_recorded(wire: Callable[[], Any]) -> FlowRun:
    with Flow("recorded") as recorded:
        wire()
    return play(recorded)


EVERY_WAY = pytest.mark.parametrize("played", [as_def, as_async, as_recorded])
"""Gives `played`, which plays what a function wires as a flow of each kind."""
