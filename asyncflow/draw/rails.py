"""Rails beside a list of tasks: a rail runs down from a task to the last task that uses it.

    ○      a is used by b, c and d
    ├─●    b is used by d
    ├─│─●  c is used by d
    ●─┴─╯  d ends all three rails and stands in the leftmost

Tasks tap the rails from the side; where a task is the last to use another, it stands in that one's rail.
Hollow marks are tasks that use nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncflow.draw.ranks import Neighbours

_FREE = -1


def reading_order(up: Neighbours, down: Neighbours) -> list[int]:
    """Return the tasks so that each follows what it uses as soon as it can; edges must not come twice."""
    waiting = [len(sources) for sources in up]
    ready = [task for task in reversed(range(len(up))) if not up[task]]
    order: list[int] = []
    while ready:
        task = ready.pop()
        order.append(task)
        for user in down[task]:
            waiting[user] -= 1
        ready += [user for user in reversed(down[task]) if not waiting[user]]
    return order


def draw_rails(order: Sequence[int], up: Neighbours, down: Neighbours, most: int) -> list[str]:
    """Return for each task of the order its mark and the rails beside it.

    Args:
        order: the tasks from top to bottom.
        up: what each task uses, each only once.
        down: what uses each task, each only once.
        most: the most rails side by side; a graph that needs more gets marks only.
    """
    rails = _Rails([len(users) for users in down])
    rows = [rails.pass_task(task, up[task]) for task in order]
    return [_mark(up[task]) for task in order] if rails.most > most else rows


def _mark(uses: Sequence[int]) -> str:
    return "●" if uses else "○"


class _Rails:
    """The rails that reach the line being drawn.

    Args:
        users: how many tasks use each task.
    """

    def __init__(self, users: list[int]) -> None:
        self._left = users
        self._tasks: list[int] = []
        self._last_seat = _FREE
        self.most = 0

    def pass_task(self, task: int, uses: Sequence[int]) -> str:
        """Return the line of a task and go on to the next line."""
        taps = [rail for rail, source in enumerate(self._tasks) if source in uses]
        for rail in taps:
            self._left[self._tasks[rail]] -= 1
        ended = [rail for rail in taps if not self._left[self._tasks[rail]]]
        seat = ended[0] if ended else self._free_rail(is_root=not uses)
        line = self._line(seat, taps, ended, _mark(uses))
        for rail in ended:
            self._tasks[rail] = _FREE
        self._tasks[seat] = task if self._left[task] else _FREE
        self._last_seat = seat
        return line

    def _free_rail(self, *, is_root: bool) -> int:
        """Return the first free place; a full mark right below another task would be taken for its user."""
        for rail, task in enumerate(self._tasks):
            if task == _FREE and (is_root or rail != self._last_seat):
                return rail
        self._tasks.append(_FREE)
        self.most = max(self.most, len(self._tasks))
        return len(self._tasks) - 1

    def _line(self, seat: int, taps: list[int], ended: list[int], mark: str) -> str:
        first, last = min([seat, *taps]), max([seat, *taps])
        line = ""
        for rail, source in enumerate(self._tasks):
            across = first < rail < last
            if rail == seat:
                line += mark
            elif rail in ended:
                line += "┴" if across else "╯"
            elif rail in taps:
                line += "┼" if across else "├" if rail == first else "┤"
            else:
                line += ("─" if across else " ") if source == _FREE else "│"
            line += "─" if first <= rail < last else " "
        return line.rstrip()
