"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from benchmarks import (
    caching,
    durable,
    engine,
    maps,
    memory,
    policies,
    retries,
    scaling,
    schedules,
    sim,
    start,
)
from benchmarks.measure import FULL, QUICK, Effort
from benchmarks.published import confirm
from benchmarks.rows import Note, Row
from benchmarks.table import machine, render

CASES: dict[str, tuple[str, Callable[[Effort], Iterable[Row | Note]]]] = {
    case.NAME: (case.QUESTION, case.rows)
    for case in (engine, maps, caching, durable, retries, memory, scaling, start, policies, sim, schedules)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["published"]:
        return confirm.main(arguments[1:])
    chosen = _parser().parse_args(arguments)
    rows: list[Row] = []
    notes: list[Note] = []
    effort = replace(QUICK if chosen.quick else FULL, with_peers=chosen.peers)
    for name in chosen.cases or CASES:
        for found in CASES[name][1](effort):
            if isinstance(found, Row):
                rows.append(found)
                print(f"{found.case}: {found.name}: {found.measured}", file=sys.stderr)
            else:
                notes.append(found)
    if chosen.json:
        data = {"machine": machine(), "rows": [row.to_json() for row in rows], "notes": _notes(notes)}
        print(json.dumps(data, indent=2))
    else:
        print(", ".join(f"{key} {value}" for key, value in machine().items()), render(rows), sep="\n\n")
        print(*_notes(notes), sep="\n")
    return int(chosen.strict and any(row.met is False for row in rows))


def _notes(notes: Sequence[Note]) -> list[str]:
    return [f"{note.case}: {note.text}" for note in notes]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what asyncflow costs: CPU time over that of bare asyncio, same process.",
        epilog="cases:\n"
        + "\n".join(f"  {name:<9} {question}" for name, (question, _) in CASES.items())
        + "\n\n`python -m benchmarks published` measures published results about policies again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", choices=[*CASES, []], help="which; all without one"
    )
    parser.add_argument("--quick", action="store_true", help="a small run, to see that everything works")
    parser.add_argument("--peers", action="store_true", help="measure other libraries beside the policies")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
