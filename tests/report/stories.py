"""Runs that the golden texts draw."""

from __future__ import annotations

from asyncflow import states
from tests.events import Story, fail_parse, flaky_network


def in_flight() -> Story:
    """A run in the middle: one task runs, one waits to retry, one is paused, one is blocked."""
    story = Story()
    raw, users, paused = story.call(0.0, "extract"), story.call(0.0, "users"), story.call(0.0, "approve")
    story.call(0.0, "transform", raw, users)
    story.start(0.1, raw)
    story.start(0.1, users)
    story.retry(0.6, users, 1, 5.0, TimeoutError("slow"), reason="TimeoutError is retried")
    story.end(0.2, paused, 0, states.Paused("until Anna says so"))
    return story


def every_end() -> Story:
    """One task for each way to end, and names in other scripts."""
    story = Story()
    ends = [
        states.Success(),
        states.Success("", 1, {"how": "by fallback"}),
        states.Success("", 1, {"how": "by signal"}),
        states.Skipped("nothing new"),
        states.Failed("", ValueError("null")),
        states.TimedOut("took longer than 3 s"),
        states.ValidationFailed("size must be 1 or more"),
        states.Cancelled("by the user"),
        states.Crashed(),
        states.Paused(),
    ]
    for at, end in enumerate(ends):
        number = story.call(0.0, "名前" if at == 3 else f"task_{at}")
        story.start(0.1 * at, number)
        story.end(0.1 * at + 0.5, number, 1, end)
    cached = story.call(0.0, "cached")
    story.end(0.1, cached, 0, states.Cached())
    story.over(1.5)
    return story


def storm() -> Story:
    """More attempts than a row has cells."""
    story = Story()
    number = story.call(0.0, "poll")
    for attempt in range(1, 121):
        story.start(attempt * 0.05, number, attempt)
        if attempt == 60:
            story.fault(attempt * 0.05 + 0.01, number, attempt)
        story.retry(attempt * 0.05 + 0.01, number, attempt, 0.04, ConnectionError("down"))
    story.start(6.5, number, 121)
    story.end(8.0, number, 121, states.Success("", None, {"how": "after retry"}))
    story.over(8.0)
    return story


def many(count: int = 300) -> Story:
    """A map of very many tasks, two of which fail, and one task after it."""
    story = Story()
    numbers = [story.call(0.0, f"fetch[{at}]") for at in range(count)]
    parse = story.call(0.0, "parse", *numbers)
    moments = [(at * 0.01, 0, number) for at, number in enumerate(numbers)]
    moments += [(at * 0.01 + 0.3, 1, number) for at, number in enumerate(numbers)]
    for offset, end, number in sorted(moments):
        if not end:
            story.start(offset, number)
        elif number in (50, 51):
            story.end(offset, number, 1, states.Failed("gone", ConnectionError("gone")))
        else:
            story.end(offset, number, 1, states.Success())
    story.start(count * 0.01 + 0.3, parse)
    story.end(count * 0.01 + 0.5, parse, 1, states.Success())
    story.over(count * 0.01 + 0.5)
    return story


STORIES = {
    "flaky_network": flaky_network,
    "fail_parse": fail_parse,
    "in_flight": in_flight,
    "every_end": every_end,
    "storm": storm,
    "many": many,
}
