from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncflow.ports import Store
from asyncflow.store import MemoryStore, SQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asyncflow.db"


@pytest.fixture
async def file_store(path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path, wait=0.1)
    await store.open()
    yield store
    await store.close()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Store]:
    """Each of the stores in turn, open."""
    chosen: Store = MemoryStore() if request.param == "memory" else SQLiteStore(path)
    await chosen.open()
    yield chosen
    await chosen.close()
