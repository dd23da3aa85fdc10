"""The cache in memory: results of a world's runs, as data, the least recently used of them let go first."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from asyncflow import ambient
from asyncflow.entries import CacheEntry, CacheKey, Shelf
from asyncflow.store.cache_values import kept_text, unpack

MOST_ENTRIES = 10_000


class MemoryCache:
    """Keeps results as long as the world lives: for a plain program as long as its process.

    Args:
        most: how many entries it keeps; the least recently used ones beyond are let go.
    """

    def __init__(self, *, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self._kept: OrderedDict[CacheKey, CacheEntry] = OrderedDict()
        self._codes: dict[tuple[str, str], int] = {}
        self._families: dict[str, int] = {}
        self._tidy_at = 64

    def __len__(self) -> int:
        return len(self._kept)

    async def find(self, key: CacheKey) -> Shelf:
        """Return what it has for a key."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return Shelf(kept)
        return Shelf(None, (key.family, key.inputs) in self._codes, key.family in self._families)

    async def keep(self, key: CacheKey, entry: CacheEntry) -> None:
        """Keep an entry in the place of an older one; now and then, drop those whose time is over.

        Raises:
            NotStorable: when its value would not come back as what it is.
        """
        text = kept_text(entry.value())
        self._drop(key)
        self._kept[key] = entry._replace(value=partial(unpack, text))
        self._codes[key[:2]] = self._codes.get(key[:2], 0) + 1
        self._families[key.family] = self._families.get(key.family, 0) + 1
        # Looking through all of them only when they have doubled keeps each call cheap.
        if len(self._kept) > self._tidy_at:
            for over in [held for held, kept in self._kept.items() if kept.gone <= entry.made]:
                self._drop(over)
            self._tidy_at = max(64, 2 * len(self._kept))
        while len(self._kept) > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: CacheKey) -> None:
        if self._kept.pop(key, None) is None:
            return
        for counts, name in ((self._codes, key[:2]), (self._families, key.family)):
            counts[name] -= 1  # type: ignore[index]
            if not counts[name]:  # type: ignore[index]
                del counts[name]  # type: ignore[arg-type]


def cache_in_memory() -> MemoryCache:
    """Return the cache of the current world, which all memory stores in it share."""
    return ambient.world().shared("cache", "memory", None, MemoryCache)
