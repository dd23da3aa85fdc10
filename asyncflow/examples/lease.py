"""A resource: the lease that a load holds while it writes, given back whatever happens.

python -m asyncflow run asyncflow.examples.lease:leased_etl

Ctrl-C while it runs gives the lease back, too.
"""

from __future__ import annotations

from typing import Any

import aiosqlite

from asyncflow import Retry, flow
from asyncflow.control import resource_manager
from asyncflow.examples.complaints import (
    DATABASE,
    create_table,
    get_complaints,
    parse_complaints,
    store_complaints,
)


class Lease:
    """A row in the table `lease`: whoever has it may write, and nobody else gets it."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    async def setup(self) -> str:
        """Take the lease; fails while somebody else has it."""
        async with aiosqlite.connect(DATABASE) as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, owner TEXT)")
            await connection.execute("INSERT INTO lease VALUES ('complaints', ?)", (self.owner,))
            await connection.commit()
        return self.owner

    async def cleanup(self, owner: str) -> None:
        """Give the lease back."""
        async with aiosqlite.connect(DATABASE) as connection:
            await connection.execute("DELETE FROM lease WHERE owner = ?", (owner,))
            await connection.commit()


leased = resource_manager(cleanup={"retry": Retry(3, delay=0.1)})(Lease)


@flow(name="leased etl")
async def leased_etl(size: int = 10) -> Any:
    """Get, parse and store, under a lease."""
    table = create_table()
    with leased("leased etl"):
        raw = get_complaints(size)
        parsed = parse_complaints(raw.later)
        return store_complaints.after(table)(parsed.later)
