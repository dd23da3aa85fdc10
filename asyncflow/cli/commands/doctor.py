"""`asyncflow doctor`: checks this machine and the store, and says how to mend what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from asyncflow.cli.command import declare
from asyncflow.cli.endings import DONE, FAILED
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import store_option

if TYPE_CHECKING:
    from asyncflow.cli.checks import Finding

_SIGNS = {"ok": "Success", "warn": "Retrying", "fail": "Failed"}
_STYLES = {"ok": "success", "warn": "waiting", "fail": "failed"}
_NAME = 12


@declare(
    "doctor",
    "It changes nothing but the store's schema, as any run would.",
    examples=("asyncflow doctor", "asyncflow doctor --store /mnt/runs --json"),
    exits={0: "all is well, warnings included", 1: "something does not work"},
)
@store_option
@click.pass_obj
def command(settings: Settings, *, store: str | None) -> int:
    """Check this machine and the store."""
    from asyncflow.cli.checks import findings

    out = Output(settings)
    found = []
    for finding in findings(settings, store):
        found.append(finding)
        if not settings.json:
            _tell(finding, out)
    is_well = all(finding.status != "fail" for finding in found)
    if settings.json:
        out.data({"v": 1, "ok": is_well, "checks": [finding._asdict() for finding in found]})
    return DONE if is_well else FAILED


def _tell(finding: Finding, out: Output) -> None:
    """Write a finding, and below it the way out."""
    from asyncflow.report.canvas import Line, Piece, wrapped
    from asyncflow.report.words import mark

    style = "plain" if finding.status == "ok" else _STYLES[finding.status]
    sign = out.look.of(mark(_SIGNS[finding.status]))
    head = [
        Piece(sign, _STYLES[finding.status]),
        Piece(f" {finding.status:<4}  "),
        Piece(f"{finding.name:<{_NAME}}", "name"),
    ]
    indent = sum(len(piece.text) for piece in head)
    room = max(8, out.look.width - indent)
    told = [(line, style) for line in wrapped(finding.text, room, out.look)]
    if finding.way_out:
        told += [(line, "command") for line in wrapped(f"> {finding.way_out}", room, out.look)]
    lines: list[Line] = [
        [*(head if at == 0 else [Piece(" " * indent)]), Piece(text, of_line)]
        for at, (text, of_line) in enumerate(told)
    ]
    out.lines(lines)
