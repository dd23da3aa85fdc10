"""What every cache promises: the same tests for the one in memory and the one in a file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from asyncflow import ambient
from asyncflow.entries import CacheEntry, CacheKey
from asyncflow.errors import NotStorable, StoreError
from asyncflow.ports import Store
from asyncflow.store import MemoryStore, SQLiteStore
from asyncflow.store.memory_cache import MemoryCache

KEY = CacheKey("shop:get", "inputs", "code")


@pytest.fixture(autouse=True)
def a_world_of_its_own() -> Any:
    with ambient.entered(ambient.World(seed=7)) as world:
        yield world


def entry(value: Any = 1, made: float = 100.0, lasts: float = 60.0, stale: float = 0.0) -> CacheEntry:
    return CacheEntry(made, made + lasts, made + lasts + stale, "quiet-heron", lambda: value)


async def test_an_empty_cache_has_nothing(store: Store) -> None:
    assert await store.cache.find(KEY) == (None, False, False)


async def test_an_entry_comes_back_as_it_was_kept(store: Store) -> None:
    await store.cache.keep(KEY, entry({"a": (1, 2)}, stale=5.0))
    found, *_ = await store.cache.find(KEY)
    assert found is not None
    assert (found.made, found.expires, found.gone, found.run) == (100.0, 160.0, 165.0, "quiet-heron")
    assert found.value() == {"a": (1, 2)}


async def test_nobody_can_change_what_is_kept(store: Store) -> None:
    value = [1]
    await store.cache.keep(KEY, entry(value))
    value.append(2)
    for _ in range(2):
        found, *_ = await store.cache.find(KEY)
        assert found is not None
        got = found.value()
        assert got == [1]
        got.append(3)


async def test_a_newer_entry_stands_in_the_place_of_the_older_one(store: Store) -> None:
    await store.cache.keep(KEY, entry(1))
    await store.cache.keep(KEY, entry(2))
    found, *_ = await store.cache.find(KEY)
    assert found is not None
    assert found.value() == 2


@pytest.mark.parametrize(
    ("asked", "other_code", "other_inputs"),
    [
        (KEY._replace(code="new"), True, True),
        (KEY._replace(inputs="new"), False, True),
        (KEY._replace(family="new"), False, False),
    ],
)
async def test_a_miss_tells_what_else_there_is(
    store: Store, asked: CacheKey, other_code: bool, other_inputs: bool
) -> None:
    await store.cache.keep(KEY, entry())
    assert await store.cache.find(asked) == (None, other_code, other_inputs)


async def test_several_entries_of_one_family_are_kept(store: Store) -> None:
    for number in range(5):
        await store.cache.keep(KEY._replace(inputs=str(number)), entry(number))
    for number in range(5):
        found, *_ = await store.cache.find(KEY._replace(inputs=str(number)))
        assert found is not None
        assert found.value() == number


async def test_what_is_no_data_is_not_kept(store: Store) -> None:
    with pytest.raises(NotStorable):
        await store.cache.keep(KEY, entry(object()))
    assert await store.cache.find(KEY) == (None, False, False)


async def test_names_that_are_not_unicode_do_no_harm(store: Store) -> None:
    await store.cache.keep(KEY._replace(family="\ud800"), entry())
    found, *_ = await store.cache.find(KEY._replace(family="\ud800"))
    assert found is not None


async def test_all_memory_stores_of_a_world_share_one_cache() -> None:
    await MemoryStore().cache.keep(KEY, entry(7))
    found, *_ = await MemoryStore().cache.find(KEY)
    assert found is not None
    with ambient.entered(ambient.World(seed=7)):
        assert await MemoryStore().cache.find(KEY) == (None, False, False)


async def test_memory_lets_go_of_what_is_over_and_of_what_was_not_used_for_longest() -> None:
    cache = MemoryCache(most=100)
    for number in range(100):
        await cache.keep(KEY._replace(inputs=f"old {number}"), entry(made=0.0))
    for number in range(60):
        await cache.keep(KEY._replace(inputs=f"new {number}"), entry(made=1000.0))
        await cache.find(KEY._replace(inputs="new 0"))
    assert len(cache) <= 100
    assert (await cache.find(KEY._replace(inputs="old 0"))).entry is None
    for number in range(200):
        await cache.keep(KEY._replace(inputs=f"more {number}"), entry(made=1000.0))
        await cache.find(KEY._replace(inputs="new 0"))
    assert len(cache) <= 100
    assert (await cache.find(KEY._replace(inputs="new 0"))).entry is not None
    assert (await cache.find(KEY._replace(inputs="more 1"))).entry is None


async def test_memory_forgets_families_with_their_last_entry() -> None:
    cache = MemoryCache(most=1)
    await cache.keep(KEY, entry())
    await cache.keep(KEY._replace(family="other"), entry())
    assert await cache.find(KEY) == (None, False, False)


async def test_a_file_drops_what_is_over_with_each_write(path: Path, file_store: SQLiteStore) -> None:
    for number in range(3):
        await file_store.cache.keep(KEY._replace(inputs=str(number)), entry(made=float(number)))
    await file_store.cache.keep(KEY, entry(made=61.5))
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT inputs FROM cache ORDER BY made").fetchall() == [("2",), ("inputs",)]
    plain.close()


async def test_a_file_serves_the_next_process(path: Path) -> None:
    for times in range(2):
        store = SQLiteStore(path)
        await store.open()
        found, *_ = await store.cache.find(KEY)
        assert (found is not None) is bool(times)
        await store.cache.keep(KEY, entry())
        await store.close()


async def test_a_file_that_is_not_open_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="is not open"):
        await SQLiteStore(path).cache.find(KEY)


async def test_finding_needs_no_scan_and_no_sort_of_the_table(path: Path, file_store: SQLiteStore) -> None:
    from asyncflow.store.cache_rows import _FIND

    plain = sqlite3.connect(path)
    fields = {"family": "a", "inputs": "b", "code": "c"}
    plan = [row[-1] for row in plain.execute(f"EXPLAIN QUERY PLAN {_FIND}", fields)]
    plain.close()
    assert not [step for step in plan if step.startswith("SCAN cache")]
