import io
import sys
from dataclasses import replace

import pytest

from asyncflow import ambient
from asyncflow.report.canvas import Look, cells, text_of
from asyncflow.report.live import LiveView, watching
from tests.events import HEADER, Story, flaky_network
from tests.report.stories import in_flight, many
from tests.waiting import until

SHOWN_CURSOR, HIDDEN_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    clock = Clock()
    with ambient.entered(ambient.World(seed=1, monotonic=clock)):
        yield clock


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True

    def fileno(self):
        raise OSError


def hear(view, story, clock=None):
    for seq, event in enumerate(story.events):
        if clock:
            clock.now = 100.0 + event.offset
        view.listener(story.header, seq, event)


def texts(view, **look):
    return [text_of(line) for line in view.lines(Look(**look))]


def test_a_run_that_goes_on_is_drawn_up_to_now(clock):
    view = LiveView(Look())
    hear(view, in_flight(), clock)
    clock.now = 102.0
    lines = texts(view)
    assert lines[2].startswith("extract    ▸ Running")
    assert "1.40 s" in lines[3]
    assert lines[-1] == "▸ 1 Running  ⧗ 1 Retrying  ‖ 1 Paused  ○ 1 Pending  2 s"


def test_a_run_that_is_over_stands_still_and_makes_room_for_the_next(clock):
    view = LiveView(Look())
    hear(view, flaky_network(), clock)
    clock.now = 1000.0
    assert texts(view)[-1] == "✓ 4 Success  6.58 s"
    other = in_flight()
    other.header = replace(HEADER, id="other", name="calm-otter")
    hear(view, other)
    assert texts(view)[0].startswith("calm-otter")


def test_a_child_run_takes_one_line(clock):
    view = LiveView(Look())
    hear(view, in_flight(), clock)
    child = Story(replace(HEADER, id="child", name="calm-otter", parent=HEADER.id))
    child.call(0.0, "parse")
    hear(view, child)
    assert texts(view)[-1].startswith(
        "  calm-otter  complaints etl  scenario fail_parse  seed 7  ○ 1 Pending"
    )


def test_memory_of_a_large_run_is_bounded_by_what_is_not_finished(clock):
    view = LiveView(Look())
    hear(view, many(2000), clock)
    (run,) = view._runs.values()
    assert run.history is None
    assert run.tally._unfinished == {}
    assert any("fetch \u00d72000" in line for line in texts(view, width=120))


def test_more_runs_than_can_be_watched_are_left_out(clock):
    view = LiveView(Look())
    for number in range(100):
        story = Story(replace(HEADER, id=str(number)))
        hear(view, story)
    assert len(view._runs) == 32


def test_the_picture_fits_a_small_screen(clock):
    view = LiveView(Look())
    hear(view, many(30), clock)
    for height in (5, 10, 24):
        lines = texts(view, width=60, height=height)
        assert len(lines) <= max(10, height)
        assert all(cells(line) <= 60 for line in lines)


def test_on_anything_but_a_terminal_nothing_is_drawn_or_heard():
    world, out = ambient.World(), io.StringIO()
    with watching(world, stream=out) as view:
        assert (view, world.listeners) == (None, [])
    assert out.getvalue() == ""


def test_what_goes_to_a_file_stays_out_of_the_terminal(clock, capsys):
    out = Terminal()
    with watching(ambient.world(), Look(live=True), out):
        sys.stdout.write("the answer\n")
    assert capsys.readouterr().out == "the answer\n"
    assert "the answer" not in out.getvalue()


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_the_terminal_is_put_right_however_the_block_ends(clock, error):
    world, out = ambient.world(), Terminal()

    def block():
        with watching(world, Look(colour=True, live=True), out) as view:
            assert world.listeners == [view.listener]
            hear(view, in_flight(), clock)
            until(lambda: "extract" in out.getvalue(), "the thread that draws")
            if error:
                raise error

    if error:
        with pytest.raises(error):
            block()
    else:
        block()
    assert world.listeners == []
    written = out.getvalue()
    assert "extract" in written
    assert written.index(HIDDEN_CURSOR) < written.rindex(SHOWN_CURSOR)
