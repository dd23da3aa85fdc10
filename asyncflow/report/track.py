"""One row's track: attempts as numbered bars, waits as dashes, faults and refused tries as signs.

Every attempt keeps at least the cells of its number, so short ones push their neighbours aside a little;
where that would push them far, neighbours are drawn as one bar `2-9`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from asyncflow.history.record import Attempt, TaskHistory, Wait
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Line, Look, Piece, cells, cut
from asyncflow.report.words import duration, fill

_Cell = tuple[str, str]

_FARTHEST = 4
"""How many cells an attempt may be drawn away from its instant before its neighbours are joined."""


@dataclass(frozen=True, slots=True)
class Block:
    """One attempt, or several neighbours drawn as one, and the cells it takes; `is_end` is the row's last."""

    first: Attempt
    last: Attempt
    left: int = 0
    right: int = 0
    fault: bool = False
    is_end: bool = False

    def label(self) -> str:
        """Return the number or numbers; a refused try has none, nor has the span of a map."""
        if self.is_refusal() or not self.first.number:
            return ""
        if self.first is self.last:
            return str(self.first.number)
        return f"{self.first.number}-{self.last.number}"

    def is_refusal(self) -> bool:
        """Whether this is one try whose body never ran."""
        return self.first is self.last and not self.first.called

    def least(self, look: Look) -> int:
        """Return the fewest cells in which it can be drawn; one of filling keeps two numbers apart."""
        apart = 0 if self.is_end or self.is_refusal() else 1
        return max(1, len(self.label()) + max(apart, cells(look.sign("fault")) if self.fault else 0))


def draw_track(task: TaskHistory, axis: Axis, look: Look, note: str = "") -> Line:
    """Return the track of one task run, exactly as wide as the axis.

    Args:
        task: the task run.
        axis: the run's time axis.
        look: what the place of output can show.
        note: what to say when there is nothing to draw; the state's message when empty.
    """
    row: list[_Cell] = [(" ", "plain")] * axis.width
    for cell in axis.grid():
        row[cell] = (look.sign("grid"), "dim")
    blocks = place(task.attempts, axis, look)
    for wait in (*task.waits, *_admissions(task)):
        _draw_wait(row, wait, blocks, axis, look)
    for block in blocks:
        _draw_block(row, block, look)
    if not task.attempts and not task.waits:
        _draw_message(row, note or task.state.message, task.called, axis, look)
    return merged(row)


def _admissions(task: TaskHistory) -> list[Wait]:
    """Return the waits of attempts that had to be admitted first."""
    return [
        Wait(attempt.started, attempt.begun, "Running", "") for attempt in task.attempts if attempt.waited
    ]


def place(attempts: Sequence[Attempt], axis: Axis, look: Look) -> list[Block]:
    """Return the blocks of a row, none over another and all inside the axis."""
    blocks = [Block(attempt, attempt, fault=bool(attempt.faults)) for attempt in attempts]
    if blocks:
        blocks[-1] = replace(blocks[-1], is_end=True)
    if sum(block.least(look) for block in blocks) <= axis.width:
        settled = _settle(blocks, axis, look)
        if all(abs(block.left - axis.cell(block.first.begun)) <= _FARTHEST for block in settled):
            return settled
    return _settle(_join_crowded(blocks, axis, look), axis, look)


def _join_crowded(blocks: Sequence[Block], axis: Axis, look: Look) -> list[Block]:
    """Join neighbours that leave each other no room, but for the last one, which tells how it ended."""
    *crowd, end = blocks
    joined: list[Block] = []
    for block in crowd:
        before = joined[-1] if joined else None
        if before and axis.cell(block.first.begun) < axis.cell(before.first.begun) + before.least(look):
            joined[-1] = _join(before, block)
        else:
            joined.append(block)
    while joined and sum(block.least(look) for block in (*joined, end)) > axis.width:
        last = joined.pop()
        if joined:
            joined[-1] = _join(joined[-1], last)
        else:
            end = replace(_join(last, end), is_end=True)
    return [*joined, end]


def _join(one: Block, other: Block) -> Block:
    return Block(one.first, other.last, fault=one.fault or other.fault)


def _settle(blocks: list[Block], axis: Axis, look: Look) -> list[Block]:
    """Give each block its cells: pushed right by the one before it, then back left from the end."""
    settled: list[Block] = []
    free = 0
    for block in blocks:
        left = max(free, axis.cell(block.first.begun))
        free = max(left + block.least(look), axis.edge(block.last.ended))
        settled.append(replace(block, left=left, right=free))
    limit = axis.width
    for at in range(len(settled) - 1, -1, -1):
        block = settled[at]
        right = min(block.right, limit)
        limit = max(0, min(block.left, right - block.least(look)))
        settled[at] = replace(block, left=limit, right=right)
    return settled


def _draw_block(row: list[_Cell], block: Block, look: Look) -> None:
    """Draw a bar with its number and, at its end, the sign of a fault."""
    char, style = fill(block.last.outcome, unicode=look.unicode)
    sign = look.sign("fault") if block.fault else ""
    end = max(block.left + 1, block.right - cells(sign))
    for cell in range(block.left, min(end, len(row))):
        row[cell] = (char, style)
    for at, digit in enumerate(block.label()):
        if block.left + at < min(end, len(row)):
            row[block.left + at] = (digit, f"bar.{style}")
    if sign and end + cells(sign) <= len(row):
        row[end : end + cells(sign)] = [(sign, "fault"), *[("", "fault")] * (cells(sign) - 1)]


def _draw_wait(row: list[_Cell], wait: Wait, blocks: list[Block], axis: Axis, look: Look) -> None:
    """Draw the dashes of a wait in the room between its neighbours, with its length where there is room."""
    at = bisect_right(blocks, wait.started, key=lambda block: block.first.begun)
    before, after = blocks[at - 1] if at else None, blocks[at] if at < len(blocks) else None
    if before and before.first is not before.last and before.last.begun >= wait.ended:
        return
    left = before.right if before else axis.cell(wait.started)
    right = after.left if after and wait.is_over else axis.edge(wait.ended)
    row[left:right] = [(look.sign("wait"), "waiting")] * (right - left)
    length = duration(wait.ended - wait.started)
    label = f" paused {length} " if wait.state == "Paused" else f" {length} "
    if len(label) + 4 <= right - left:
        start = left + (right - left - len(label)) // 2
        row[start : start + len(label)] = [(char, "waiting") for char in label]


def _draw_message(row: list[_Cell], message: str, called: float, axis: Axis, look: Look) -> None:
    """Say why a task has no attempts, from the instant of its call."""
    text = cut(look.clean(message), axis.width, look)
    at = min(axis.cell(called), axis.width - cells(text))
    for char in text:
        size = cells(char)
        if size:
            row[at : at + size] = [(char, "dim"), *[("", "dim")] * (size - 1)]
            at += size


def merged(row: Sequence[_Cell]) -> Line:
    """Return a row of cells as pieces, neighbours of one style joined."""
    line: Line = []
    for char, style in row:
        if line and line[-1].style == style:
            line[-1] = Piece(line[-1].text + char, style)
        else:
            line.append(Piece(char, style))
    return line
