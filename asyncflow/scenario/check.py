"""One claim of a scenario and whether it held, and the words that claims are told in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asyncflow.human import plural
from asyncflow.scenario.values import Count


@dataclass(frozen=True, slots=True)
class Check:
    """One claim and whether it held.

    Attributes:
        what: the claim, such as `parse_complaints ends Failed`.
        held: whether it is true.
        detail: what was found instead; empty when it held.
    """

    what: str
    held: bool
    detail: str = ""

    @classmethod
    def of(cls, what: str, *, held: bool, found: str) -> Check:
        """Return a check; what was found is of interest only when the claim is false."""
        return cls(what, held, "" if held else found)


def counted(count: Count, word: str) -> str:
    """Return an expected number of things: `1 row`, `at least 2 rows`, `2 to 4 rows`."""
    if isinstance(count, int):
        return plural(count, word)
    if count.max is None:
        return f"at least {plural(count.min or 0, word)}"
    if count.min is None:
        return f"at most {plural(count.max, word)}"
    return f"{count.min} to {plural(count.max, word)}"


def either(words: str | Sequence[str]) -> str:
    """Return a word, or the words of which one must hold: `Failed or TimedOut`."""
    return words if isinstance(words, str) else " or ".join(words)


def listed(words: str | Sequence[str] | None) -> Sequence[str]:
    """Return what a file says as one word, as a list of words, or not at all."""
    return () if words is None else [words] if isinstance(words, str) else words
