"""One run in full: its facts, its timeline, and for each task that has a story, why it went as it did."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, tzinfo

from asyncflow.events import RunHeader
from asyncflow.history.record import Attempt, ErrorText, RunHistory, TaskHistory, strike_text
from asyncflow.history.why import explain
from asyncflow.report.canvas import Line, Look, Piece, cells, cropped, fit, wrapped
from asyncflow.report.lanes import breaker_style
from asyncflow.report.timeline import header_line, timeline
from asyncflow.report.words import ago, counts_of, duration, fill, mark, mark_of, plural

_MOST_STORIES = 30
_MOST_ATTEMPTS = 20
_MOST_CHANGES = 20
_LABEL = 12


def show(
    history: RunHistory,
    look: Look,
    now: float,
    *,
    zone: tzinfo | None = None,
    elements: bool = False,
) -> list[Line]:
    """Return everything there is to say about one run; `next_command` has what to do then.

    Args:
        history: the run.
        look: what the place of output can show.
        now: UTC epoch seconds, for its age.
        zone: in which time zone to tell its start; the machine's when None.
        elements: whether the timeline has a row for each element of a mapped task.
    """
    lines = [header_line(history.header, look), *_state(history, look), []]
    lines += _facts(history, look, now, zone)
    if history.tasks:
        lines += [[], *timeline(history, look, elements=elements)[1:]]
    lines += _stories(history, look)
    lines += _breakers(history, look)
    lines += _notices(history, look)
    return [cropped(line, look.width, look) for line in lines]


def next_command(header: RunHeader) -> tuple[str, str]:
    """Return what to try next with a run: the reason and the command."""
    if header.scenario is not None:
        options = {
            "--variant": header.variant,
            "--seed": header.seed,
            "--world": None if header.world == "real" else header.world,
        }
        words = [header.scenario, *(str(x) for pair in options.items() if pair[1] is not None for x in pair)]
        return "Run it again", f"python -m asyncflow scenario {shlex.join(words)}"
    return "As data", f"python -m asyncflow show {shlex.quote(header.name)} --json"


def _state(history: RunHistory, look: Look) -> list[Line]:
    """Return the flow's own state with its sentence."""
    shown = mark(history.state)
    word = f"{look.of(shown)} {look.clean(shown.word)}"
    told = wrapped(history.state.message, max(8, look.width - cells(word) - 2), look)
    first: Line = [Piece(word, shown.style), Piece("  "), Piece(told[0])]
    return [first, *([Piece(" " * (cells(word) + 2)), Piece(more)] for more in told[1:])]


def _facts(history: RunHistory, look: Look, now: float, zone: tzinfo | None) -> list[Line]:
    """Return the run's facts, those that there are."""
    header = history.header
    counts = Counter(task.state.name for task in history.tasks)
    elements = sum(task.elements.total for task in history.tasks if task.elements is not None)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    attempts = f"{history.attempts:,}"
    if any(task.hedges for task in (*history.tasks, *history.elements)):
        attempts += f"; {history.calls:,} bodies ran, those of hedges included"
    elif history.calls != history.attempts:
        attempts += f", of which {history.calls:,} called the body"
    facts = {
        "flow": header.flow,
        "variant": header.variant or "",
        "world": f"simulated with seed {header.seed}, in virtual time" if header.world != "real" else "",
        "started": f"{_instant(header.started, zone)} ({ago(now - header.started)})",
        "took" if history.is_over else "so far": duration(history.ended),
        "tasks": f"{len(history.tasks):,}: {told}" if told else "none",
        "elements": f"{elements:,} of mapped tasks" if elements else "",
        "attempts": attempts if history.tasks else "",
        "waited": f"{duration(history.waited)} in all between attempts" if history.waited else "",
        "queued": f"{duration(history.queued)} in all for slots" if history.queued else "",
        "held up": f"{duration(history.held_up)} in all to be admitted" if history.held_up else "",
        "faults": f"{len(history.faults):,} injected" if history.faults else "",
        "parameters": ", ".join(f"{name}={value}" for name, value in header.parameters.items()),
        "part of": header.parent or "",
        "id": header.id,
    }
    room = max(8, look.width - _LABEL)
    lines: list[Line] = []
    for label, text in facts.items():
        for at, part in enumerate(wrapped(text, room, look) if text else ()):
            lines.append([Piece(fit("" if at else label, _LABEL, look), "dim"), Piece(part)])
    return lines


def _instant(seconds: float, zone: tzinfo | None) -> str:
    """Return a wall-clock instant to the second, with its offset from UTC."""
    try:
        at = datetime.fromtimestamp(seconds, tz=UTC).astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return "at an unknown time"
    return at.strftime("%Y-%m-%d %H:%M:%S %z")


def _stories(history: RunHistory, look: Look) -> list[Line]:
    """Return the tasks that have a story: several attempts, a fault, an end that is not plain success."""
    told = [task for task in (*history.tasks, *history.elements) if _has_story(task)]
    told.sort(key=lambda task: not task.state.is_failed)
    lines: list[Line] = []
    for task in told[:_MOST_STORIES]:
        lines += [[], *_story(task, look)]
    if len(told) > _MOST_STORIES:
        lines += [
            [],
            [Piece(f"{look.sign('cut')} and {plural(len(told) - _MOST_STORIES, 'more task')}", "dim")],
        ]
    return lines


def _has_story(task: TaskHistory) -> bool:
    plain = task.state.name in ("Success", "Pending", "Running") and task.state.how in ("", "at once")
    tries = 0 if task.elements is not None else task.attempt_count
    struck = any(attempt.faults for attempt in task.attempts)
    return not plain or bool(task.cache or task.decisions) or task.rolled_back or tries > 1 or struck


def _story(task: TaskHistory, look: Look) -> list[Line]:
    """Return what happened to one task."""
    shown = mark_of(task)
    tries = plural(task.attempt_count, "attempt") if task.attempt_count else "the body never ran"
    if task.elements is not None:
        tries = counts_of(task.elements, unicode=look.unicode) or "no elements"
    lines: list[Line] = [
        [
            Piece(f"{look.of(shown)} ", shown.style),
            Piece(look.clean(task.name), "name"),
            Piece(f"  {look.clean(shown.word)}", shown.style),
            Piece(f"  {tries}", "dim"),
        ]
    ]
    if task.cache:
        lines += _paragraph(task.cache, 2, look)
    last = task.attempts[-1].error if task.attempts else None
    error = task.state.error
    if _ends_with_message(task) and (error is None or error != last):
        lines += _paragraph(_without_type(task.state.message, error), 2, look)
    for wait in task.waits[-_MOST_ATTEMPTS:]:
        if wait.state == "Pending":
            lines += _paragraph(f"{duration(wait.ended - wait.started)}: {wait.reason}", 2, look)
    for attempt in task.attempts[-_MOST_ATTEMPTS:]:
        lines += _attempt(attempt, look)
        lines += _decided(task, {attempt.number}, look)
    told = {attempt.number for attempt in task.attempts}
    lines += _decided(task, {one.attempt for one in task.decisions} - told, look)
    if error is not None and error != last and error.text not in task.state.message:
        lines += _error(error, 2, look)
    return lines


def _ends_with_message(task: TaskHistory) -> bool:
    """Whether a task's state has a message that says why, or until when its result is kept."""
    return task.state.is_failed or task.state.name in ("Skipped", "Cached") or "expires" in task.state.detail


def _without_type(message: str, error: ErrorText | None) -> str:
    """Return a message without the name of a signal before it, which the state's own name repeats."""
    return message.removeprefix(f"{error.type}: ") if error is not None and error.type.isupper() else message


def _attempt(attempt: Attempt, look: Look) -> list[Line]:
    """Return one attempt: when, how long, what, why."""
    char, style = fill(attempt.outcome, unicode=look.unicode)
    length = duration(attempt.ended - attempt.started) if attempt.called else ""
    head: Line = [
        Piece(f"  {attempt.number:>3}  "),
        Piece(f"{char} {attempt.outcome}", style),
        Piece(f"  at {duration(attempt.started)}{', took ' + length if length else ''}", "dim"),
    ]
    lines = [head]
    for fault in attempt.faults:
        lines += _paragraph(f"{look.sign('fault')} {strike_text(fault.do, fault.at)}", 7, look, "fault")
    if attempt.outcome not in ("succeeded", "skipped") or attempt.reason:
        lines += _paragraph(explain(attempt), 7, look)
    return lines + (_error(attempt.error, 7, look) if attempt.error else [])


def _decided(task: TaskHistory, attempts: Collection[int], look: Look) -> list[Line]:
    """Return what policies decided during these attempts; that it fell back is the attempt's own story."""
    told = [
        one
        for one in task.decisions
        if one.attempt in attempts and not (one.kind == "fell_back" and task.state.how == "by fallback")
    ]
    lines: list[Line] = []
    for one in told[-_MOST_ATTEMPTS:]:
        lines += _paragraph(f"{look.sign('dot')} at {duration(one.offset)}, {one.text}", 7, look, "waiting")
    return lines


def _error(error: ErrorText, indent: int, look: Look) -> list[Line]:
    """Return an exception's type, text and notes."""
    lines: list[Line] = []
    for text in [*str(error).splitlines(), *(f"note: {note}" for note in error.notes)]:
        lines += _paragraph(text, indent, look, "dim" if lines else "failed")
    return lines


def _paragraph(text: str, indent: int, look: Look, style: str = "plain") -> list[Line]:
    """Return a text wrapped behind an indent."""
    lines: Iterable[str] = wrapped(text, max(8, look.width - indent), look)
    return [[Piece(" " * indent), Piece(line, style)] for line in lines]


def _breakers(history: RunHistory, look: Look) -> list[Line]:
    """Return what became of the breakers, in order; of very many changes the first ones."""
    changes = history.breakers
    lines: list[Line] = [[]] if changes else []
    for change in changes[:_MOST_CHANGES]:
        sign = look.sign(change.new) if change.new in ("open", "closed", "half-open") else look.sign("dot")
        text = look.clean(f"at {duration(change.offset)}, {change.text}")
        lines.append([Piece(f"{sign} ", breaker_style(change.new)), Piece(text)])
    if len(changes) > _MOST_CHANGES:
        more = plural(len(changes) - _MOST_CHANGES, "more change")
        lines.append([Piece(f"{look.sign('cut')} and {more} of breakers", "dim")])
    return lines


def _notices(history: RunHistory, look: Look) -> list[Line]:
    """Return what went wrong beside the tasks."""
    lines: list[Line] = [[]] if history.notices else []
    for notice in history.notices:
        lines += _paragraph(f"{look.sign('dot')} {notice.text}", 0, look, "failed")
    return lines
