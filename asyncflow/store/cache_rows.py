"""The cache in a store's file: one row per entry, found by family, inputs and code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from asyncflow.entries import CacheEntry, CacheKey, Shelf
from asyncflow.store.cache_values import kept_text, unpack
from asyncflow.store.codec import readable

# One statement and one hop: the entry, or else one of the same inputs, or else one of the same family.
_FIND = """
SELECT fit, made, expires, gone, run, value FROM (
    SELECT 3 AS fit, made, expires, gone, run, value FROM cache
    WHERE family = :family AND inputs = :inputs AND code = :code
    UNION ALL
    SELECT * FROM (SELECT 2, 0, 0, 0, '', '' FROM cache WHERE family = :family AND inputs = :inputs LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT 1, 0, 0, 0, '', '' FROM cache WHERE family = :family LIMIT 1)
) ORDER BY fit DESC LIMIT 1
"""

_KEEP = "INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

Ask = Callable[[str, str, Iterable[Any]], Awaitable[list[Any]]]
"""Runs a statement: what can't be done if it fails (`read`, `written`), the statement, its parameters."""


class SQLiteCache:
    """Keeps results in a store's file until their time is over.

    Args:
        ask: runs a statement in the file, or raises StoreError.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def find(self, key: CacheKey) -> Shelf:
        """Return what it has for a key.

        Raises:
            StoreError: when the file can't be read.
        """
        family = readable(key.family)
        fields: Any = {"family": family, "inputs": key.inputs, "code": key.code}
        found = await self._ask("read", _FIND, fields)
        if not found:
            return Shelf(None)
        fit, made, expires, gone, run, value = found[0]
        if fit == 3:
            return Shelf(CacheEntry(made, expires, gone, run, partial(unpack, value)))
        return Shelf(None, other_code=fit == 2, other_inputs=True)

    async def keep(self, key: CacheKey, entry: CacheEntry) -> None:
        """Keep an entry in the place of an older one; a trigger in the file drops those whose time is over.

        Raises:
            NotStorable: when its value would not come back as what it is.
            StoreError: when the file can't be written.
        """
        times = (entry.made, entry.expires, entry.gone)
        fields = (
            readable(key.family), key.inputs, key.code, *times, readable(entry.run), kept_text(entry.value()),
        )  # fmt: skip
        await self._ask("written", _KEEP, fields)
