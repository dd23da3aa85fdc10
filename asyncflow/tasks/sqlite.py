"""A task that runs a script on a SQLite database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asyncflow.errors import InvalidTask
from asyncflow.task import Task, task


def SQLiteScript(db: str | Path, script: str, **options: Any) -> Task[[], None]:  # noqa: N802 - reads as the class it stands for
    """Return a task that runs `script` on the database file `db`, making the file when there is none.

    Args:
        db: the database file's path.
        script: one or more SQL statements.
        **options: the options of `@task`; the name is `SQLiteScript` when not given.

    Raises:
        InvalidTask: when the script is empty.
    """
    if not script.strip():
        raise InvalidTask("SQLiteScript(script='') has nothing to run; give it one or more SQL statements")

    async def run_script() -> None:
        import aiosqlite  # not needed by those who only declare

        async with aiosqlite.connect(db) as connection:
            await connection.executescript(script)
            await connection.commit()

    return task(name=options.pop("name", "SQLiteScript"), **options)(run_script)
