from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.history.decisions import BreakerChange
from asyncflow.history.record import Attempt, Fault, Standing, TaskHistory, Wait
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Look, cells
from asyncflow.report.lanes import breaker_lane
from asyncflow.report.track import draw_track, place

PLAIN = Look(unicode=False)
FAULT = Fault(0.0, 1, 1, "somewhere", "raise")


def task(attempts=(), waits=(), state="Success", called=0.0):
    return TaskHistory(
        1, "t", "", (), Standing(state, "the message"), called, 0.0, tuple(attempts), tuple(waits),
        len(attempts), sum(attempt.called for attempt in attempts),
    )  # fmt: skip


def tries(*spans):
    """Attempts from (start, end, outcome), numbered; `!` after the outcome adds a fault."""
    return [
        Attempt(
            number, start, end, outcome.rstrip("!"), called=outcome != "refused",
            faults=(FAULT,) if outcome.endswith("!") else (),
        )
        for number, (start, end, outcome) in enumerate(spans, 1)
    ]  # fmt: skip


def drawn(one, span=10.0, width=20, look=PLAIN):
    line = draw_track(one, Axis(span, width), look)
    text = "".join(piece.text for piece in line)
    assert cells(text) == width
    return text


@pytest.mark.parametrize(
    ("attempts", "text"),
    [
        (tries((0, 5, "succeeded")), "1#########          "),
        (tries((5, 10, "running")), "          1>>>>>>>>>"),
        (tries((9.9, 10, "timed out")), "                   1"),
        (tries((0, 2, "failed!"), (5, 10, "succeeded")), "1xx!      2#########"),
        (tries((0, 0.01, "failed"), (0.01, 0.02, "failed"), (0.02, 5, "succeeded")), "1x2x3#####          "),
        (tries((0, 1, "failed"), (2, 2, "refused"), (4, 5, "succeeded")), "1x  o   3#          "),
    ],
)
def test_attempts_are_numbered_bars_and_refused_tries_signs(attempts, text):
    assert drawn(task(attempts)) == text


@pytest.mark.parametrize(
    ("width", "text"), [(20, "1x..... 8 s ......2#"), (12, "1x........2#"), (10, "1x.......2")]
)
def test_a_wait_is_dashes_with_its_length_where_there_is_room(width, text):
    pair = tries((0, 1, "failed"), (9, 10, "succeeded"))
    assert drawn(task(pair, [Wait(1, 9, "Retrying", "")]), width=width) == text


def test_a_pause_says_that_it_is_one():
    assert "paused 8 s" in drawn(task([], [Wait(1, 9, "Paused", "", is_over=False)]))


def test_a_task_without_attempts_says_why_from_its_call():
    assert drawn(task(state="TriggerFailed", called=2.0)) == "    the message     "
    assert drawn(task(called=9.9)) == "         the message"
    assert drawn(task(called=0.0), width=6) == "the m~"


def test_the_grid_shows_through_where_nothing_is_drawn():
    assert drawn(task(tries((0, 4, "succeeded"))), look=Look()) == "1███████  ┊         "


def test_attempts_that_crowd_each_other_are_joined_but_for_the_last():
    many = tries(*[(at * 0.05, at * 0.05 + 0.01, "failed") for at in range(100)], (5.0, 10.0, "succeeded"))
    assert drawn(task(many)) == "1-50x51-100x101#####"
    blocks = place(many, Axis(10.0, 20), PLAIN)
    assert (blocks[-1].label(), blocks[-1].first is blocks[-1].last) == ("101", True)
    assert all("-" in block.label() for block in blocks[:-1])


def test_a_wait_inside_joined_attempts_is_not_drawn():
    many = tries(*[(at, at + 0.5, "failed") for at in range(30)])
    waits = [Wait(at + 0.5, at + 1.0, "Retrying", "") for at in range(29)]
    assert "." not in drawn(task(many, waits[:5]), span=30.0)[:12]


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0, 3), st.sampled_from(["failed", "refused", "failed!"])),
        max_size=60,
    ),
    st.integers(1, 180),
    st.booleans(),
)
def test_blocks_never_overlap_and_never_leave_the_axis(steps, width, unicode):
    spans, at = [], 0.0
    for gap, length, outcome in steps:
        at += gap
        length = 0.0 if outcome == "refused" else length
        spans.append((at, at + length, outcome))
        at += length
    attempts = tries(*spans)
    look = Look(unicode=unicode)
    blocks = place(attempts, Axis(max(at, 0.001), width), look)
    shown = [number for block in blocks for number in range(block.first.number, block.last.number + 1)]
    assert shown == [attempt.number for attempt in attempts]
    for one, other in pairwise(blocks):
        assert one.right <= other.left
    assert all(0 <= block.left <= block.right <= width for block in blocks)
    drawn(task(attempts, state="Failed"), max(at, 0.001), width, look)


def test_a_breaker_lane_shows_every_state_at_least_once():
    changes = [
        BreakerChange(2.0, "b", "closed", "open"),
        BreakerChange(8.0, "b", "open", "half-open"),
        BreakerChange(8.001, "b", "half-open", "closed"),
    ]
    line = breaker_lane(changes, Axis(10.0, 20), PLAIN)
    assert "".join(piece.text for piece in line) == "----====open====----"
    line = breaker_lane(changes[:2], Axis(10.0, 20), PLAIN)
    assert "".join(piece.text for piece in line) == "----====open====////"
    odd = breaker_lane([BreakerChange(5.0, "b", "forced-open", "closed")], Axis(10.0, 4), PLAIN)
    assert "".join(piece.text for piece in odd) == "----"
