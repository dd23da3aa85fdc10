"""What do a timeout per task and the journal in a file add? The shapes of `engine`, against bare asyncio.

Bare asyncio has neither timeouts nor a journal here.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.against_bare import compare
from benchmarks.engine import PLAN
from benchmarks.measure import Effort
from benchmarks.rows import Row

NAME = "durable"
QUESTION = "the same with a timeout per task and the journal in a SQLite file"
TARGET = 3.5


def rows(effort: Effort) -> Iterator[Row]:
    """Measure every shape."""
    for make, count, repetitions in PLAN:
        shape = make(effort.tasks(count), timeout=60.0)
        yield compare(NAME, shape, effort, repetitions=repetitions, target=TARGET, in_file=True)
