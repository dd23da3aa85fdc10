"""What goes on beside a run: the live view, the log lines, and the fold for its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import click

from asyncflow.cli.interrupts import Interrupts
from asyncflow.cli.settings import Settings

if TYPE_CHECKING:
    from asyncflow.events import RunHeader
    from asyncflow.history import History
    from asyncflow.ports import Listener

_LEVELS = ("debug", "info", "warning", "error", "critical")
_FORMATS = ("auto", "console", "json")
_USUAL = "warning"


@dataclass
class Follower:
    """Goes along with a run.

    Attributes:
        interrupts: what Ctrl-C does.
        can_redraw: whether stderr is a terminal whose lines can be written anew.
        listeners: what to give to the run's world.
        history: the fold of a rehearsal's newest run, None before its first event.
    """

    interrupts: Interrupts
    can_redraw: bool = False
    listeners: list[Listener] = field(default_factory=list)
    history: History | None = None

    def hear(self, header: RunHeader, seq: int, event: Any) -> None:
        """Take an event; child runs have their place in their parent's story."""
        if header.parent is not None:
            return
        if not seq:
            from asyncflow.history import History

            self.history = History(header)
        if self.history is not None and self.history.header.id == header.id:
            self.history.add(event)


def log_options(target: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for logs to a command."""
    for option in (
        click.option(
            "--log-format",
            type=click.Choice(_FORMATS),
            metavar="FORMAT",
            default="auto",
            envvar="ASYNCFLOW_LOG_FORMAT",
            help="How they look: console, json, or auto (console on a terminal).",
        ),
        click.option(
            "--log-level",
            type=click.Choice(_LEVELS),
            metavar="LEVEL",
            envvar="ASYNCFLOW_LOG_LEVEL",
            help=f"Log to stderr what is at least: {', '.join(_LEVELS)}.",
        ),
    ):
        target = option(target)
    return target


@contextmanager
def writing_logs(level: str | None, form: Literal["auto", "console", "json"]) -> Iterator[Listener]:
    """Write log lines while the block runs, and give the view that makes lines of events.

    Args:
        level: the least that is logged; None for what is usual.
        form: how they look.
    """
    from asyncflow import logs

    logs.configure(level or _USUAL, form)
    try:
        yield logs.listener
    finally:
        logs.reset()


@contextmanager
def following(
    settings: Settings,
    level: str | None,
    form: Literal["auto", "console", "json"],
    *,
    is_rehearsal: bool,
    live: bool = True,
) -> Iterator[Follower]:
    """Follow a run while the block runs.

    Args:
        settings: how answers are written.
        level: the least that is logged; None for what is usual.
        form: how log lines look.
        is_rehearsal: whether faults are ordered; events are then logged only when a level was asked for.
        live: whether a picture of it is drawn while it goes on.
    """
    look = settings.look(sys.stderr)
    can_redraw = look.live and not settings.json and not settings.quiet
    is_live = can_redraw and live
    with ExitStack() as stack:
        follower = Follower(stack.enter_context(Interrupts(live=is_live)), can_redraw)
        if is_rehearsal:
            follower.listeners += [follower.interrupts.listener, follower.hear]
        if level is not None or not is_rehearsal:
            follower.listeners.append(stack.enter_context(writing_logs(level, form)))
        elif "structlog" in sys.modules:
            stack.enter_context(writing_logs(None, form))  # else lines of user code would go to stdout
        if is_live:
            from asyncflow.report.live import LiveView

            follower.listeners.append(stack.enter_context(LiveView(look, sys.stderr)).listener)
        yield follower
