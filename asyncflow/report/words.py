"""The signs and words of the views: each state has a sign, an ASCII sign, a word and a style, told here once.

A state is never told by colour alone: sign and word stand beside it, and bars differ by their filling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from asyncflow.history.elements import Elements
from asyncflow.history.record import Outcome, Standing, TaskHistory
from asyncflow.human import ago, duration, plural

__all__ = [
    "EVERY_SIGN",
    "MARKS",
    "SIGNS",
    "STYLES",
    "WORST_FIRST",
    "Mark",
    "ago",
    "counts_of",
    "duration",
    "fill",
    "mark",
    "mark_of",
    "plural",
]


class Mark(NamedTuple):
    """How a state is shown.

    Attributes:
        sign: one cell wide.
        ascii: the sign where the terminal can't show it.
        word: what is written beside it.
        style: a key of `STYLES`.
    """

    sign: str
    ascii: str
    word: str
    style: str


MARKS: Mapping[str, Mark] = {
    "Pending": Mark("○", "-", "Pending", "pending"),
    "Scheduled": Mark("◇", "@", "Scheduled", "pending"),
    "Retrying": Mark("⧗", "~", "Retrying", "waiting"),
    "Paused": Mark("‖", "|", "Paused", "waiting"),
    "Running": Mark("▸", ">", "Running", "running"),
    "Success": Mark("✓", "+", "Success", "success"),
    "Cached": Mark("≡", "=", "Cached", "cached"),
    "Skipped": Mark("»", "s", "Skipped", "signal"),
    "Failed": Mark("✗", "x", "Failed", "failed"),
    "TimedOut": Mark("◷", "t", "TimedOut", "timed_out"),
    "TriggerFailed": Mark("⇡", "^", "TriggerFailed", "blocked"),
    "ValidationFailed": Mark("≠", "?", "ValidationFailed", "failed"),
    "Cancelled": Mark("■", "/", "Cancelled", "cancelled"),
    "Crashed": Mark("‼", "X", "Crashed", "failed"),
}
"""Every state by name."""

_ROADS: Mapping[str, Mark] = {
    "after retry": Mark("↻", "+", "Success after retry", "success"),
    "by fallback": Mark("↪", "+", "Success by fallback", "success"),
    "by hedge": Mark("⇉", "+", "Success by hedge", "success"),
    "by signal": Mark("✓", "+", "Success by signal", "signal"),
    "by handler": Mark("✓", "+", "Success by handler", "success"),
}

ROLLED_BACK = Mark("↶", "<", "Success, rolled back", "signal")
"""A success that was undone."""

WORST_FIRST = (
    "Crashed", "Failed", "TimedOut", "ValidationFailed", "TriggerFailed", "Cancelled", "Retrying", "Paused",
    "Running", "Scheduled", "Pending", "Skipped", "Cached", "Success",
)  # fmt: skip
"""The states in the order in which a summary of many tasks names them."""

STYLES: Mapping[str, str] = {
    "pending": "dim",
    "waiting": "yellow",
    "running": "bright_blue",
    "success": "green",
    "cached": "color(67)",
    "signal": "cyan",
    "failed": "red",
    "timed_out": "magenta",
    "blocked": "color(166)",
    "refused": "color(166)",
    "cancelled": "dim",
    "fault": "bold red",
    "name": "bold",
    "dim": "dim",
    "plain": "",
    "command": "bold",
}
"""What each style looks like: the terminal's own colours, which follow its theme; it has no brown."""


class Sign(NamedTuple):
    """A sign that is not a state's, and what stands for it in ASCII."""

    sign: str
    ascii: str


SIGNS: Mapping[str, Sign] = {
    "fault": Sign("⚡", "!"),
    "refused": Sign("⊘", "o"),
    "wait": Sign("╌", "."),
    "grid": Sign("┊", " "),
    "closed": Sign("─", "-"),
    "open": Sign("█", "="),
    "half-open": Sign("▞", "/"),
    "cut": Sign("…", "~"),
    "times": Sign("\u00d7", "x"),
    "dot": Sign("·", "-"),
    "levels": Sign("▁▂▃▄▅▆▇█", "_.:-=+*#"),
}

_FILLS: Mapping[str, tuple[str, str, str]] = {
    "running": ("▸", ">", "running"),
    "succeeded": ("█", "#", "success"),
    "failed": ("▒", "x", "failed"),
    "timed out": ("░", "t", "timed_out"),
    "refused": ("⊘", "o", "refused"),
    "signalled": ("▓", "s", "signal"),
    "skipped": ("▓", "s", "signal"),
    "paused": ("▓", "|", "waiting"),
    "cancelled": ("\u2571", "/", "cancelled"),
    "crashed": ("▒", "X", "failed"),
}

_TABLES: tuple[Mapping[str, tuple[str, ...]], ...] = (MARKS, _ROADS, SIGNS, _FILLS)
EVERY_SIGN = ROLLED_BACK.sign + "".join(row[0] for table in _TABLES for row in table.values())
"""All signs that are not ASCII, for asking whether an encoding has them."""


def mark(state: Standing | str) -> Mark:
    """Return how a state is shown; a name that is not known is shown as it stands."""
    if isinstance(state, str):
        return MARKS.get(state) or Mark("?", "?", state or "?", "plain")
    return (_ROADS.get(state.how) if state.name == "Success" else None) or mark(state.name)


def counts_of(elements: Elements, *, unicode: bool) -> str:
    """Return how the elements of a map stand: `97 ✓ 2 ↻ 1 ✗`, the best first."""
    told = []
    for name in reversed(WORST_FIRST):
        count = elements.states.get(name, 0)
        roads = [(count, MARKS[name])]
        if name == "Success" and unicode:  # in ASCII both roads have one sign
            roads = [(count - elements.retried, MARKS[name]), (elements.retried, _ROADS["after retry"])]
        told += [(number, found) for number, found in roads if number]
    return " ".join(f"{number:,} {found.sign if unicode else found.ascii}" for number, found in told)


def mark_of(task: TaskHistory) -> Mark:
    """Return how a task's state is shown, with what became of it later."""
    return ROLLED_BACK if task.rolled_back and task.state.name == "Success" else mark(task.state)


def fill(outcome: Outcome, *, unicode: bool) -> tuple[str, str]:
    """Return the character that fills the bar of an attempt with that outcome, and its style."""
    sign, plain, style = _FILLS[outcome]
    return sign if unicode else plain, style
