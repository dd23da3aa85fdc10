from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from asyncflow.store import SQLiteStore, schema

from .runs import a_kept_run

_PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", _PAGE, flags=re.DOTALL))
async def test_each_query_of_the_page_finds_something(
    file_store: SQLiteStore, path: Path, query: str
) -> None:
    await a_kept_run(file_store)
    plain = sqlite3.connect(path)
    assert plain.execute(query).fetchall()
    plain.close()


def test_the_page_names_every_table_view_and_column_that_people_read() -> None:
    made = sqlite3.connect(":memory:")
    for statement in [statement for step in schema.MIGRATIONS for statement in step]:
        made.execute(statement)
    names = [row[0] for row in made.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    columns = [row[0] for row in made.execute("SELECT name FROM pragma_table_info('event')")]
    made.close()
    assert [name for name in [*names, *columns] if f"`{name}`" not in _PAGE] == []
