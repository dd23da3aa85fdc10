"""Lets aiohttp forget servers that are over."""

from __future__ import annotations

from aiohttp import web_app


def forget_handlers() -> None:
    """Empty aiohttp's cache of handlers wrapped in middlewares; those in use are wrapped anew.

    It keeps a thousand of them, each with its application, the loop and the records that it served: too much
    for a process that plays thousands of rehearsals. The name is no public one: an aiohttp without it is left
    alone.
    """
    clear = getattr(getattr(web_app, "_cached_build_middleware", None), "cache_clear", None)
    if clear is not None:
        clear()
