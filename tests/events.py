"""A tiny builder of event lists, for tests of whatever reads events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from asyncflow import states
from asyncflow.errors import AttemptTimedOut, BreakerOpen
from asyncflow.events import Event, RunHeader, event_from_json, event_to_json
from asyncflow.signals import FAIL

HEADER = RunHeader(
    id="06d3z8v0q2m4k6n8p0rs", name="quiet-heron", flow="complaints etl", started=1_795_303_801.25,
    scenario="fail_parse", seed=7, parameters={"size": "10"},
)  # fmt: skip


class Story:
    """Events of one run, told in order of time."""

    def __init__(self, header: RunHeader = HEADER) -> None:
        self.header = header
        self.events: list[Event] = []
        self._tasks = 0
        self._add(0.0, "run_started", 0, 0, {"flow": header.flow, "name": header.name})
        self.flow(0.0, states.Running())

    def _add(self, offset: float, kind: Any, task: int, attempt: int, detail: Any) -> None:
        self.events.append(Event(offset, kind, task, attempt, detail))

    def call(self, offset: float, name: str, *upstream: int) -> int:
        """Call a task; returns its number."""
        self._tasks += 1
        detail = {"name": name, "key": f"/{name}.{self._tasks}", "upstream": list(upstream)}
        self._add(offset, "task_called", self._tasks, 0, detail)
        return self._tasks

    def start(self, offset: float, task: int, attempt: int = 1) -> None:
        self._add(offset, "state_changed", task, attempt, states.Running())

    def retry(
        self,
        offset: float,
        task: int,
        attempt: int,
        delay: float,
        error: BaseException | None = None,
        **detail: Any,
    ) -> None:
        state = states.Retrying("", error, {"delay": delay, **detail})
        self._add(offset, "state_changed", task, attempt, state)

    def end(self, offset: float, task: int, attempt: int, state: states.State) -> None:
        self._add(offset, "state_changed", task, attempt, state)

    def flow(self, offset: float, state: states.State) -> None:
        self._add(offset, "state_changed", 0, 0, state)

    def fault(self, offset: float, task: int, attempt: int, do: str = "raise", at: Any = None) -> None:
        detail = {"at": at or {"task": "t", "attempt": attempt}, "do": do}
        self._add(offset, "fault_injected", task, attempt, detail)

    def breaker(self, offset: float, name: str, old: str, new: str) -> None:
        self._add(offset, "breaker_changed", 0, 0, {"breaker": name, "old": old, "new": new})

    def say(self, offset: float, kind: Any, task: int = 0, **detail: Any) -> None:
        self._add(offset, kind, task, 0, detail)

    def decided(self, offset: float, kind: Any, task: int, attempt: int, **detail: Any) -> None:
        self._add(offset, kind, task, attempt, detail)

    def over(self, offset: float, state: states.State | None = None) -> None:
        self.flow(offset, state or states.Success("all reference tasks succeeded"))
        self._add(offset, "run_ended", 0, 0, {"tasks": self._tasks, "attempts": 0, "faults": 0})


def read_back(header: RunHeader, events: Iterable[Event]) -> list[Event]:
    """Return events as a store gives them back: states in their JSON form."""
    return [event_from_json(event_to_json(event, seq, header)) for seq, event in enumerate(events)]


def flaky_network() -> Story:
    """Two extracts that fail, are refused and recover, and two tasks after them."""
    header = RunHeader(
        "06d3z8v0q2m4k6n8p0rs", "quiet-heron", "posts_etl", 1_795_303_801.25, None, "flaky_network", 7
    )
    story = Story(header)
    reset = ConnectionResetError("[Errno 104] peer reset")
    posts, users = story.call(0.01, "extract_posts"), story.call(0.01, "extract_users")
    both = story.call(0.01, "transform_posts", posts, users)
    load = story.call(0.01, "load_posts", both)
    numbers = {"max_attempts": 10, "bound": 2.0, "jitter": "full"}
    story.start(0.05, posts)
    story.start(0.09, users)
    story.fault(0.17, posts, 1, "reset", {"service": "posts-api", "connection": 1})
    story.retry(0.17, posts, 1, 0.9, reset, reason="ConnectionResetError is retried", **numbers)
    story.fault(0.4, users, 1, "reset")
    story.retry(0.4, users, 1, 1.4, reset, reason="ConnectionResetError is retried", **numbers)
    story.breaker(0.4, "posts-api", "closed", "open")
    story.retry(1.07, posts, 2, 1.63, None, called=False, reason="breaker posts-api is open", max_attempts=10)
    story.retry(1.8, users, 2, 1.34, None, called=False, reason="breaker posts-api is open", max_attempts=10)
    story.breaker(2.7, "posts-api", "open", "half_open")
    story.start(2.7, posts, 3)
    story.fault(2.9, posts, 3, "stall")
    story.retry(3.0, posts, 3, 1.9, reset, reason="ConnectionResetError is retried", **numbers)
    story.breaker(3.0, "posts-api", "half_open", "open")
    story.retry(3.14, users, 3, 1.8, None, called=False, reason="breaker posts-api is open", max_attempts=10)
    story.breaker(4.9, "posts-api", "open", "half_open")
    story.start(4.9, posts, 4)
    story.start(4.94, users, 4)
    story.end(5.45, posts, 4, states.Success("", 1, {"how": "after retry"}))
    story.breaker(5.45, "posts-api", "half_open", "closed")
    story.end(5.7, users, 4, states.Success("", 1, {"how": "after retry"}))
    story.start(5.75, both)
    story.end(6.0, both, 1, states.Success())
    story.start(6.05, load)
    story.end(6.58, load, 1, states.Success())
    story.over(6.58)
    return story


def fail_parse() -> Story:
    """A parse error that stops the load."""
    story = Story()
    table, raw = story.call(0.001, "create_table"), story.call(0.001, "get_complaints")
    parsed = story.call(0.001, "parse_complaints", raw)
    stored = story.call(0.001, "store_complaints", parsed, table)
    story.start(0.002, table)
    story.start(0.002, raw)
    story.end(0.02, table, 1, states.Success())
    story.fault(0.12, raw, 1, "reset")
    story.retry(
        0.12, raw, 1, 0.159, ConnectionResetError("peer reset"),
        max_attempts=4, bound=0.2, jitter="full",
        reason="ConnectionResetError is in `on`; attempt 2 of 4 follows in 159 ms: the backoff allows up to "
        "200 ms and full jitter drew 159 ms",
    )  # fmt: skip
    story.start(0.279, raw, 2)
    story.end(0.402, raw, 2, states.Success("", [], {"how": "after retry"}))
    story.start(0.403, parsed)
    error = ValueError("unexpected null in 'company'")
    error.add_note("task parse_complaints, attempt 1")
    story.fault(0.411, parsed, 1, "raise", {"task": "parse_complaints", "attempt": 1})
    story.end(
        0.411, parsed, 1, states.Failed("unexpected null in 'company'", error, {"reason": "no retry policy"})
    )
    story.end(0.412, stored, 0, states.TriggerFailed("all_successful refused: parse_complaints is Failed"))
    story.over(0.413, states.Failed("some reference tasks failed."))
    return story


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
_PLAIN = st.sampled_from(
    ["fetch", "fetch[0]", "fetch[17]", "parse", "load_everything_into_the_store", "名前の長いタスク"]
)
_ERRORS = st.sampled_from(
    [None, ValueError("bad"), AttemptTimedOut("took 3 s"), BreakerOpen("open", retry_after=1.0), FAIL("no")]
)
_DELAYS = st.floats(0.0, 1e5) | st.just(0.0)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any legal sequence of events, finished or not."""
    story = Story(
        replace(
            HEADER, name=draw(_WORDS), scenario=draw(_WORDS | st.none()), seed=draw(st.none() | st.just(7))
        )
    )
    offset, tasks = 0.0, {}
    for _ in range(draw(st.integers(0, 40))):
        offset += draw(st.sampled_from([0.0, 1e-6, 0.001, 0.25, 1.0, 3600.0]))
        what = draw(st.sampled_from(["call", "move", "move", "move", "fault", "breaker", "other"]))
        if what == "call" or not tasks:
            upstream = [number for number in tasks if draw(st.booleans())]
            tasks[story.call(offset, draw(_PLAIN | _WORDS), *upstream)] = (states.Pending, 0)
        elif what == "move":
            number = draw(st.sampled_from(list(tasks)))
            tasks[number] = _step(draw, story, offset, number, *tasks[number])
        elif what == "fault":
            story.fault(offset, draw(st.sampled_from([0, *tasks])), draw(st.integers(0, 3)), draw(_WORDS))
        elif what == "breaker":
            old, new = draw(st.permutations(["closed", "open", "half_open"]))[:2]
            story.breaker(offset, draw(st.sampled_from(["cfpb", "posts-api"])), old, new)
        else:
            story.say(offset, "edge_added", 1, upstream=draw(st.integers(1, 3)))
            story.say(offset, "handler_failed", 1, error=draw(_WORDS))
            story.say(offset, "not_known_yet", 1, what=1)
    if draw(st.booleans()):
        story.over(offset + draw(st.sampled_from([0.0, 0.5])))
    return story


def _step(
    draw: st.DrawFn, story: Story, offset: float, number: int, old: type[states.State], attempt: int
) -> tuple[type[states.State], int]:
    """Move one task to a state that the table allows."""
    allowed = [state for state in states.STATES if state in states.MOVES[old]]
    if not allowed:
        return old, attempt
    new = draw(st.sampled_from(allowed))
    refused = draw(st.booleans()) and new in (states.Retrying, states.Failed)
    if new is states.Running or (refused and old is not states.Running):
        attempt += 1
    detail: dict[str, Any] = {"called": False} if refused else {}
    if new is states.Retrying:
        detail |= {
            "delay": draw(_DELAYS),
            "reason": draw(_WORDS),
            "max_attempts": 4,
            "jitter": "full",
            "bound": 2.0,
        }
    if new is states.Success:
        detail["how"] = draw(
            st.sampled_from(["at once", "after retry", "by fallback", "by signal", "by handler"])
        )
    story.end(offset, number, attempt, new(draw(_WORDS), draw(_ERRORS), detail))
    return new, attempt
