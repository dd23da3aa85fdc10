"""Whether what a cache has may stand in for the body, and if not, why not, in plain words."""

from __future__ import annotations

from typing import Literal, NamedTuple

from asyncflow.caching.options import Caching
from asyncflow.entries import CacheEntry, Shelf
from asyncflow.human import ago

Reason = Literal["no entry", "expired", "other code", "other inputs", "never used", "no key", "unreadable"]
"""Why no entry was used."""


class Miss(NamedTuple):
    """No entry may stand in for the body.

    Attributes:
        reason: why, in a word or two.
        text: why, in a sentence.
        stale: an expired entry that may stand in if the computation fails.
    """

    reason: Reason
    text: str
    stale: CacheEntry | None = None


NEVER_USED = Miss("never used", "cache_validator=never_use computes afresh each time.")


def judge(shelf: Shelf, caching: Caching, now: float) -> CacheEntry | Miss:
    """Return the entry to use, or why there is none.

    An entry is valid until it expires, and no longer than the task's own `cache_for` after it was made: a
    shorter one that was declared since, or by another task of the same name, holds.

    Args:
        shelf: what the cache has.
        caching: what the task asks for.
        now: UTC epoch seconds.
    """
    entry = shelf.entry
    if entry is None:
        return _without(shelf)
    until = valid_until(entry, caching)
    if now < until:
        return entry
    stale = entry if now < until + caching.stale_if_error else None
    return Miss("expired", f"The cache entry expired {ago(now - until)}.", stale)


def valid_until(entry: CacheEntry, caching: Caching) -> float:
    """Return until when a task may use an entry, UTC epoch seconds."""
    return min(entry.expires, entry.made + caching.cache_for)


def _without(shelf: Shelf) -> Miss:
    if shelf.other_code:
        return Miss("other code", "The cache entry for these inputs was computed by other code.")
    if shelf.other_inputs:
        return Miss("other inputs", "The cache has entries of this task for other inputs only.")
    return Miss("no entry", "There is no cache entry yet.")


def hit_text(entry: CacheEntry, now: float) -> str:
    """Return the sentence of a state for which a valid entry stood in."""
    return f"Computed {ago(now - entry.made)} by run {entry.run}."


def stale_text(entry: CacheEntry, caching: Caching, now: float, why: str) -> str:
    """Return the sentence of a state for which an expired entry stood in."""
    over = ago(now - valid_until(entry, caching))
    return f"Computing failed ({why}); the entry that expired {over}, computed by run {entry.run}, stands in."
