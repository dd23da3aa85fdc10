"""The table of what runs measure: a column for each run, as many beside each other as fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from asyncflow.report.canvas import Line, Look, Piece, cells, cropped, fit
from asyncflow.report.comparing import Side, verdict_mark
from asyncflow.report.traffic import rate_text
from asyncflow.report.words import duration, mark

_GAP = "  "
_WIDEST = 20
_LEAST_TOLD = 0.001
"""Task runs that take less than that many seconds, all of them, are not told how long they took."""

_ALWAYS = ("attempts", "calls", "retries")
_COUNTS: Mapping[str, str] = {
    "faults that struck": "faults",
    "attempts": "attempts",
    "bodies run": "calls",
    "retries": "retries",
    "hedges": "hedges",
    "fallbacks": "fallbacks",
}
_WAITS: Mapping[str, str] = {
    "waited to retry": "waited",
    "waited for slots": "queued",
    "waited for admission": "held_up",
}

Cell = Callable[[Side, Look], Piece]


def measures_table(sides: Sequence[Side], look: Look) -> list[Line]:
    """Return the table; columns that do not fit beside the others follow below.

    Args:
        sides: the runs.
        look: what the place of output can show.
    """
    rows = list(_rows(sides))
    heads = [Piece(look.clean(side.label), "name") for side in sides]
    body = [[cell(side, look) for side in sides] for _, cell in rows]
    titles = ["", *(look.clean(title) for title, _ in rows)]
    first = max(map(cells, titles))
    widths = [min(_WIDEST, max(cells(line[at].text) for line in [heads, *body])) for at in range(len(sides))]
    lines: list[Line] = []
    for group in _groups(widths, look.width - first):
        lines += [[]] if lines else []
        for title, line in zip(titles, [heads, *body], strict=True):
            lines.append(_line(title, first, [(line[at], widths[at]) for at in group], look))
    return lines


def _line(title: str, first: int, told: Sequence[tuple[Piece, int]], look: Look) -> Line:
    line = [Piece(fit(title, first, look), "dim")]
    for piece, width in told:
        line += [Piece(_GAP), Piece(fit(piece.text, width, look), piece.style)]
    return cropped(line, look.width, look)


def _groups(widths: Sequence[int], room: int) -> list[list[int]]:
    """Return which columns stand beside each other."""
    groups: list[list[int]] = []
    left = 0
    for at, width in enumerate(widths):
        if groups and len(_GAP) + width <= left:
            groups[-1].append(at)
        else:
            groups.append([at])
            left = room
        left -= len(_GAP) + width
    return groups


def _rows(sides: Sequence[Side]) -> Iterator[tuple[str, Cell]]:
    """Yield the title of each row and what makes its cells; what no run has anything of is left out."""
    yield "verdict", _verdict
    if any(side.expectations[0] for side in sides):
        yield "expectations held", lambda side, _: Piece("{1} of {0}".format(*side.expectations))
    yield "flow", _flow
    yield "took", _seconds("duration")
    for title, attribute in _COUNTS.items():
        if attribute in _ALWAYS or any(getattr(side.measures, attribute) for side in sides):
            yield title, _number(attribute)
    for gate in _keys(sides, "refused"):
        yield f"refused by {gate}", _refused(gate)
    for title, attribute in _WAITS.items():
        if any(getattr(side.measures, attribute) for side in sides):
            yield title, _seconds(attribute)
    yield from _named_rows(sides)


def _named_rows(sides: Sequence[Side]) -> Iterator[tuple[str, Cell]]:
    """Yield the rows about breakers and about what is called very often."""
    for name in _keys(sides, "opened"):
        yield f"breaker {name} opened", _opened(name)
    for name in _keys(sides, "goodput"):
        yield f"goodput of {name}", _goodput(name)
    for name in _keys(sides, "times"):
        if any(_slowest(side, name) >= _LEAST_TOLD for side in sides):
            yield f"median time of {name}", _time(name, "median")
            yield "  99 of 100 within", _time(name, "p99")
            yield "  slowest", _time(name, "slowest")


def _keys(sides: Sequence[Side], attribute: str) -> list[str]:
    """Return what is measured by name in any of the runs, in the order in which it first comes."""
    return list(dict.fromkeys(key for side in sides for key in getattr(side.measures, attribute)))


def _verdict(side: Side, look: Look) -> Piece:
    shown = mark(verdict_mark(side.verdict))
    return Piece(f"{look.of(shown)} {side.verdict}", shown.style)


def _flow(side: Side, look: Look) -> Piece:
    shown = mark(side.history.state)
    return Piece(f"{look.of(shown)} {look.clean(shown.word)}", shown.style)


def _count(number: int) -> Piece:
    return Piece(f"{number:,}")


def _refused(gate: str) -> Cell:
    return lambda side, _: _count(side.measures.refused.get(gate, 0))


def _number(attribute: str) -> Cell:
    return lambda side, _: _count(getattr(side.measures, attribute))


def _seconds(attribute: str) -> Cell:
    return lambda side, _: Piece(duration(getattr(side.measures, attribute)))


def _opened(name: str) -> Cell:
    def cell(side: Side, _: Look) -> Piece:
        instants = side.measures.opened.get(name, ())
        if not instants:
            return Piece("never" if name in side.breakers else "no breaker", "dim")
        times = f", {len(instants):,} times" if len(instants) > 1 else ""
        return Piece(f"at {duration(instants[0])}{times}", "refused")

    return cell


def _slowest(side: Side, name: str) -> float:
    times = side.measures.times.get(name)
    return 0.0 if times is None else times.slowest


def _time(name: str, attribute: str) -> Cell:
    def cell(side: Side, _: Look) -> Piece:
        times = side.measures.times.get(name)
        return Piece("") if times is None else Piece(duration(getattr(times, attribute)))

    return cell


def _goodput(name: str) -> Cell:
    def cell(side: Side, _: Look) -> Piece:
        rate = side.measures.goodput.get(name)
        return Piece("") if rate is None else Piece(rate_text(rate), "success" if rate else "failed")

    return cell
