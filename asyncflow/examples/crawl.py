"""A list that comes in pages: one task reads them, an iteration for each."""

from __future__ import annotations

from typing import Any

from asyncflow import Retry, current, flow, signals, task

PAGES = 3


@task(retry=Retry(2))
async def read_pages() -> list[str]:
    """Read a page and go round again until there are no more; a failed page is tried once more."""
    here = current()
    pages = [*(here.loop_result or ()), f"page {here.loop_count}"]
    if here.loop_count < PAGES:
        raise signals.LOOP(f"{len(pages)} of {PAGES} pages", result=pages)
    return pages


@flow(name="read all pages")
async def read_all() -> Any:
    """Read the whole list."""
    return read_pages()
