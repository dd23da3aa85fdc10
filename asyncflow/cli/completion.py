"""Words that the shell completes: scenarios and runs. Completing never fails and never writes."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_MOST = 50


def scenario_names(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the shipped scenarios that begin so, and the files beside them."""
    from asyncflow.scenario import gallery

    names = [CompletionItem(name) for name in gallery.names() if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


def run_names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the newest runs whose names begin so."""
    from asyncflow.cli.stores import read
    from asyncflow.errors import AsyncflowError

    try:
        known = read(ctx.params.get("store"), lambda store: store.runs(limit=_MOST))
    except (AsyncflowError, OSError):
        return []
    names = dict.fromkeys(run.header.name for run in known)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
