"""What a fire comes to whose time came while a run was going on, or that nobody was there for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from asyncflow.errors import InvalidSchedule, did_you_mean

Overlap = Literal["skip", "queue", "cancel"]
"""When a run is still going on: leave the fire out, let it wait for its turn, or cancel that run."""

Missed = Literal["skip", "once", "all"]
"""Of the fires that were missed: run none, one for all of them, or each."""

_USUAL_QUEUE = 100


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one schedule, which contradict each other nowhere.

    Attributes:
        overlap: what a fire comes to while a run is going on.
        missed: what becomes of missed fires.
        queue: how many fires may wait for their turn; 0 unless `overlap="queue"`.
    """

    overlap: Overlap
    missed: Missed
    queue: int


def checked_rules(overlap: Any, missed: Any, queue: Any) -> Rules:
    """Return the rules, `queue` being None for the usual bound.

    Raises:
        InvalidSchedule: for an unknown word, or rules that contradict each other.
    """
    _check_word("overlap", overlap, get_args(Overlap))
    _check_word("missed", missed, get_args(Missed))
    if missed == "all" and overlap != "queue":
        lost = "leaves out" if overlap == "skip" else "cancels"
        raise InvalidSchedule(
            f'missed="all" and overlap="{overlap}" contradict each other: missed fires are due all at once, '
            f'and overlap="{overlap}" {lost} all but one; use overlap="queue", or missed="once"'
        )
    if queue is not None and overlap != "queue":
        raise InvalidSchedule(f'queue={queue!r} has a meaning with overlap="queue" only; leave it out')
    if queue is not None and (isinstance(queue, bool) or not isinstance(queue, int) or queue < 1):
        raise InvalidSchedule(f"queue={queue!r} must be a whole number of 1 or more")
    if overlap != "queue":
        return Rules(overlap, missed, 0)
    return Rules(overlap, missed, _USUAL_QUEUE if queue is None else queue)


def _check_word(name: str, word: Any, known: tuple[str, ...]) -> None:
    if word not in known:
        hint = did_you_mean(str(word), known)
        raise InvalidSchedule(f"{name}={word!r} is not one of {', '.join(map(repr, known))}.{hint}")
