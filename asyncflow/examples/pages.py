"""Maps: an archive is read page by page, and a hundred thousand small sums are added up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from asyncflow import Retry, exponential, flow, task, unmapped

PAGES = 8
LINES = 3
MANY = 100_000


@task(retry=Retry(3, delay=exponential(0.01, cap=0.1), on=ConnectionError))
async def read_page(number: int) -> list[str]:
    """Return the lines of a page of the archive."""
    await asyncio.sleep(0.002)
    return [f"page {number}, line {line}" for line in range(1, LINES + 1)]


@task
async def count_words(lines: list[str], least: int) -> int:
    """Return how many words of a page have that many letters."""
    return sum(len(word) >= least for line in lines for word in line.split())


@task
async def add_up(counts: list[int]) -> int:
    """Return the sum."""
    return sum(counts)


@flow(name="archive")
async def archive(pages: int = PAGES, lost: float = 1) -> Any:
    """Read all pages, three at a time, and count words; so many pages may be lost."""
    read = read_page.map(range(1, pages + 1), max_running=3, tolerate=lost)
    counted = count_words.map(read, unmapped(4), tolerate=lost)
    return add_up(counted.later)


@task
async def square(number: int) -> int:
    """Return the square."""
    return number * number


def _numbers(count: int) -> Iterator[int]:
    yield from range(count)


@flow(name="fan out")
async def fan_out(count: int = MANY) -> Any:
    """Map over very many elements, which are made as the window moves."""
    return add_up(square.map(_numbers(count), max_running=500).later)
