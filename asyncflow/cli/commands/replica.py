"""`asyncflow replica`: serve a local stand-in for a web service until Ctrl-C."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from asyncflow.cli.command import declare
from asyncflow.cli.endings import tell
from asyncflow.cli.faults import fault_from
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings

if TYPE_CHECKING:
    from asyncflow.net.answers import Framing, Shape
    from asyncflow.net.http_faults import HttpFault
    from asyncflow.net.replica import Replica

_EXAMPLES = {
    "cfpb": "/data-research/consumer-complaints/search/api/v1/?size=1&no_aggs=true",
    "posts": "/posts/1",
}


@declare(
    "replica",
    "NAME is cfpb (the consumer complaints API) or posts (JSONPlaceholder); the records are our own. It "
    "listens on this machine until Ctrl-C.\n\nA FAULT is a word with its value, and more after commas: "
    "status=503,requests=1-3 or slow=2,path=/posts or reset=120. Words: status, slow, hang, truncate, "
    "wrong-length, malformed-json, reset, drip, wrong-content-type. More: requests (a number or a range), "
    "path, retry_after.",
    examples=(
        "asyncflow replica cfpb --port 8080",
        "asyncflow replica posts --fault status=503,requests=1-3 --fault slow=2",
    ),
    exits={0: "stopped by Ctrl-C", 2: "usage, or the port is taken", 4: "no such replica"},
)
@click.argument("name", shell_complete=lambda _ctx, _parameter, start: _names(start))
@click.option(
    "--port", metavar="N", type=int, default=0, help="The port; 0, as usual, lets the system choose one."
)
@click.option(
    "--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="The address to listen on."
)
@click.option(
    "--records",
    metavar="FILE",
    type=click.Path(exists=True, path_type=Path),
    help="Serve these records instead of generated ones.",
)
@click.option("--count", type=int, metavar="N", help="How many complaints or posts.")
@click.option(
    "--seed", metavar="N", type=int, default=7, show_default=True, help="Decides the generated records."
)
@click.option(
    "--framing",
    metavar="WORD",
    type=click.Choice(["length", "chunked", "eof"]),
    default="length",
    show_default=True,
    help="What ends an answer: length, chunked, or eof, the end of the connection.",
)
@click.option(
    "--shape",
    metavar="WORD",
    type=click.Choice(["json", "ndjson"]),
    default="json",
    show_default=True,
    help="How records look: json, or ndjson, one on each line.",
)
@click.option("--fault", "faults", metavar="FAULT", multiple=True, help="What goes wrong; may be repeated.")
@click.pass_obj
def command(
    settings: Settings,
    *,
    name: str,
    port: int,
    host: str,
    records: Path | None,
    count: int | None,
    seed: int,
    framing: Framing,
    shape: Shape,
    faults: tuple[str, ...],
) -> None:
    """Serve a replica until Ctrl-C."""
    planned = [fault_from(text) for text in faults]
    from asyncflow.net.replica import Replica, serve

    replica = Replica(
        name,
        records=records,
        seed=seed,
        count=count,
        faults=planned,
        host=host,
        port=port,
        on_fault=_struck,
        framing=framing,
        shape=shape,
    )
    try:
        asyncio.run(serve(replica, started=lambda started: _introduce(started, settings)))
    except KeyboardInterrupt:
        tell(f"Stopped after {replica.requests:,} requests.")


def _introduce(replica: Replica, settings: Settings) -> None:
    """Say where the replica is, and how to ask it something."""
    out = Output(settings)
    example = f"{replica.url}{_EXAMPLES[replica.name]}"
    if settings.json:
        facts = {"replica": replica.name, "host": replica.host, "port": replica.port}
        out.data({"v": 1, **facts, "url": replica.url, "example": example})
        return
    out.text(f"{replica.name} replica at {replica.url}\nTry: curl '{example}'\nCtrl-C stops it.")


def _struck(fault: HttpFault, request: int, _port: int) -> None:
    tell(f"Fault struck: {fault.do} at request {request}")


def _names(start: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in _EXAMPLES if name.startswith(start)]
