import io
import json
import logging
import sys
from contextlib import contextmanager

import pytest
import structlog

from asyncflow import ambient, handles, logs, states
from asyncflow.errors import IllegalMove, UsageError
from asyncflow.logs import lines
from asyncflow.logs.lines import own_trace
from asyncflow.logs.terminal import is_terminal, reads_escapes, wants_colour
from asyncflow.logs.writing import Handler
from asyncflow.signals import FAIL, TRIGGERFAIL
from tests.events import HEADER, Story, fail_parse, flaky_network

AT = 1_795_303_801.25
NULL = (
    "Task 'parse_complaints': Exception encountered during task execution: "
    "ValueError: unexpected null in 'company'"
)


@pytest.fixture(autouse=True)
def quiet_world():
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with ambient.entered(ambient.World(seed=1, wall=lambda: AT)) as world:
        yield world
    logs.reset()
    assert (root.level, list(root.handlers)) == before


class Terminal(io.StringIO):
    def isatty(self):
        return True


def play(story):
    for seq, event in enumerate(story.events):
        for listener in list(ambient.world().listeners):
            listener(story.header, seq, event)


def told(story, level="info", format="json"):
    """The lines that a story gives."""
    out = io.StringIO()
    logs.configure(level, format, out)
    play(story)
    return out.getvalue().splitlines()


def texts(story, level="info"):
    return [json.loads(line)["event"] for line in told(story, level)]


def test_a_failing_run_is_told_in_the_tutorials_words():
    assert texts(fail_parse()) == [
        "Beginning Flow run for 'complaints etl'",
        "Task 'create_table': Starting task run...",
        "Task 'get_complaints': Starting task run...",
        "Task 'create_table': Finished task run for task with final state: 'Success'",
        "Task 'get_complaints': Fault injected: reset at task t, attempt 1",
        "Task 'get_complaints': Retrying in 159 ms: ConnectionResetError: peer reset",
        "Task 'get_complaints': Finished task run for task with final state: 'Success'",
        "Task 'parse_complaints': Starting task run...",
        "Task 'parse_complaints': Fault injected: raise at task parse_complaints, attempt 1",
        NULL,
        "Task 'parse_complaints': Finished task run for task with final state: 'Failed'",
        "Task 'store_complaints': Finished task run for task with final state: 'TriggerFailed'",
        "Flow run FAILED: some reference tasks failed.",
    ]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (states.Success(), "Flow run SUCCESS: all reference tasks succeeded"),
        (states.Success("no reference tasks failed"), "Flow run SUCCESS: no reference tasks failed"),
        (states.Success("All reference tasks succeeded."), "Flow run SUCCESS: all reference tasks succeeded"),
        (states.Failed(), "Flow run FAILED: some reference tasks failed."),
        (
            states.Failed("Some reference tasks failed.", ValueError("told with its task")),
            "Flow run FAILED: some reference tasks failed.",
        ),
        (states.TimedOut("the deadline passed"), "Flow run FAILED: the deadline passed"),
        (states.Cancelled("by the user"), "Flow run CANCELLED: by the user"),
    ],
)
def test_the_end_of_a_flow_run_is_told_with_its_sentence(state, text):
    story = Story()
    story.over(1.0, state)
    assert texts(story)[-1] == text


def test_warnings_alone_are_retries_faults_breakers_and_failures():
    assert texts(flaky_network(), "warning")[:4] == [
        "Task 'extract_posts': Fault injected: reset at service posts-api, connection 1",
        "Task 'extract_posts': Retrying in 900 ms: ConnectionResetError: [Errno 104] peer reset",
        "Task 'extract_users': Fault injected: reset at task t, attempt 1",
        "Task 'extract_users': Retrying in 1.40 s: ConnectionResetError: [Errno 104] peer reset",
    ]
    assert "Task 'extract_posts': Retrying in 1.63 s: breaker posts-api is open" in texts(
        flaky_network(), "warning"
    )
    assert "Breaker 'posts-api': half_open -> closed" not in texts(flaky_network(), "warning")
    assert texts(fail_parse(), "error") == [
        NULL,
        "Flow run FAILED: some reference tasks failed.",
    ]
    assert texts(fail_parse(), "critical") == []


def test_what_policies_decide_is_told_at_the_level_that_it_deserves():
    story = Story()
    number = story.call(0.0, "ask")
    story.start(0.0, number)
    story.decided(0.1, "hedge_started", number, 1, hedge=1, after=0.1, cause="slow", delay=0.1)
    story.decided(0.2, "admission_waited", number, 1, gate="bulkhead", name="db", seconds=0.2, admitted=True)
    story.decided(0.3, "fell_back", number, 1, to="value", error="OSError: gone", age=None, failed=None)
    why = {"why": "after 3 failures in a row", "probe_in": 0.3}
    story.decided(0.4, "breaker_changed", number, 1, breaker="api", old="closed", new="open", **why)
    story.decided(0.7, "breaker_changed", number, 1, breaker="api", old="open", new="half-open", **why)
    story.decided(0.8, "breaker_exceeded", number, 1, breaker="b", why="after 2 failures in a row")

    warned = [
        "Task 'ask': Fell back to the value after OSError: gone",
        "Task 'ask': Breaker 'api': closed -> open after 3 failures in a row",
        "Task 'ask': Breaker 'api': open -> half-open",
        "Task 'ask': Breaker 'b' would have opened after 2 failures in a row; its mode lets it not",
    ]
    assert texts(story, "warning") == warned
    informed = [
        "Task 'ask': Hedge 1 was started, since no answer had come for 100 ms",
        "Task 'ask': Waited 200 ms for a place in bulkhead 'db'",
    ]
    assert [text for text in texts(story) if text not in warned][-2:] == informed


def test_debug_tells_every_change_of_state():
    lines = texts(fail_parse(), "debug")
    assert "Task 'get_complaints': Handling state change from Running to Retrying." in lines
    assert "Task 'store_complaints': Handling state change from Pending to TriggerFailed." in lines


def test_other_events_have_their_lines():
    story = Story()
    number = story.call(0.0, "parse")
    story.end(0.1, number, 0, states.Paused("until resumed"))
    story.retry(0.2, number, 1, 0.0)
    story.say(0.3, "handler_failed", number, error="state handler 'alert' raised KeyError: 'x'")
    story.say(0.4, "thread_abandoned", number, threads=3)
    story.say(0.4, "cache_missed", number, reason="no entry", text="There is no cache entry yet.")
    story.say(0.4, "cache_not_kept", number, text="a Client can't be written as data")
    story.say(0.5, "edge_added", number, upstream=1)
    story.end(0.6, number, 1, states.Pending("Waits for a slot of tag 'db'.", None, {"slots": ["tag 'db'"]}))
    story.say(0.7, "rolled_back", number, key="parse", hook="undo", attempts=1)
    story.say(0.8, "rollback_failed", number, key="parse", hook="undo", attempts=1, error="ValueError: no")
    assert texts(story)[1:] == [
        "Task 'parse': Paused: until resumed",
        "Task 'parse': Retrying at once: Waiting for the next attempt.",
        "Task 'parse': State handler 'alert' raised KeyError: 'x'",
        "Task 'parse': A thread was given up, its body does not end; abandoned now: 3",
        "Task 'parse': There is no cache entry yet.",
        "Task 'parse': The result was not kept: a Client can't be written as data",
        "Task 'parse': Waits for a slot of tag 'db'.",
        "Rolled back task run 'parse' with 'undo'",
        "The rollback of task run 'parse' failed: ValueError: no",
    ]


def test_json_lines_carry_time_flow_run_task_and_attempt_first():
    line = json.loads(told(fail_parse())[5])
    assert list(line)[:8] == ["timestamp", "level", "logger", "event", "flow", "run", "task", "attempt"]
    assert line["timestamp"] == "2026-11-21T23:30:01.250+00:00"
    assert (line["flow"], line["run"], line["task"], line["attempt"]) == (
        "complaints etl",
        "quiet-heron",
        "get_complaints",
        1,
    )
    assert (line["delay_s"], line["run_id"]) == (0.159, HEADER.id)


def test_what_the_flows_body_raised_is_told_before_its_end():
    story = Story()
    story.over(1.0, states.Failed("The flow's body raised ValueError: null", raised_by_user_code()))
    assert texts(story, "error") == [
        "Exception encountered in the flow's body: ValueError: null",
        "Flow run FAILED: The flow's body raised ValueError: null",
    ]


def test_a_refusing_trigger_is_told_by_its_state_and_a_broken_one_by_its_error():
    story = Story()
    refused, broken = story.call(0.0, "refused"), story.call(0.0, "broken")
    story.end(0.1, refused, 0, states.TriggerFailed("said no", TRIGGERFAIL("said no")))
    story.end(0.1, broken, 0, states.TriggerFailed("the trigger raised", KeyError("x")))
    assert texts(story, "error") == [
        "Task 'broken': Exception encountered during task execution: KeyError: 'x'",
    ]


def raised_by_user_code():
    try:
        raise ValueError("null")
    except ValueError as error:
        return error


def test_a_failure_is_told_with_the_users_part_of_its_traceback():
    story = Story()
    number = story.call(0.0, "parse")
    story.end(0.1, number, 1, states.Failed("null", raised_by_user_code()))
    failure = next(json.loads(line) for line in told(story) if "Exception" in line)
    assert failure["exception"].startswith("Traceback")
    assert "in raised_by_user_code" in failure["exception"]


def test_the_machinerys_own_frames_signals_and_injected_errors_show_no_traceback():
    with pytest.raises(IllegalMove) as caught:
        states.check_move(states.Success(), states.Failed())
    error = caught.value
    assert own_trace(error)[2].tb_frame.f_code.co_filename == __file__
    error.__traceback__ = error.__traceback__.tb_next
    assert own_trace(error) is None
    assert own_trace(FAIL("no")) is None
    assert own_trace(ValueError("injected")) is None
    assert own_trace("text") is None


def test_configuring_twice_gives_one_line_per_event_and_the_last_settings():
    first, second = io.StringIO(), io.StringIO()
    logs.configure("debug", "console", first)
    logs.configure("info", "json", second)
    play(fail_parse())
    logging.getLogger("my.code").info("once")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 14


def test_records_of_the_standard_library_take_the_same_road():
    out = io.StringIO()
    logs.configure("info", "json", out)
    logs.set_context(lambda: {"flow": "etl", "run": "calm-otter", "task": "parse", "attempt": 2})
    logging.getLogger("aiohttp.access").info("GET %s", "/x", extra={"remote": "::1"})
    logging.getLogger("aiohttp.access").debug("not wanted")
    structlog.get_logger("my.code").info("parsed", rows=10)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["logger"], first["event"], first["remote"], first["run"]) == (
        "aiohttp.access",
        "GET /x",
        "::1",
        "calm-otter",
    )
    assert (second["logger"], second["event"], second["rows"], second["attempt"]) == (
        "my.code",
        "parsed",
        10,
        2,
    )


def test_a_line_asks_the_scope_that_writes_it_where_it_belongs():
    class Scope:
        def log_context(self):
            return {"run": "calm-otter", "task": "parse", "attempt": 1}

    out = io.StringIO()
    logs.configure("info", "json", out)
    token = handles.scope.set(Scope())
    structlog.get_logger("my.code").info("inside")
    handles.scope.reset(token)
    structlog.get_logger("my.code").info("outside")
    inside, outside = map(json.loads, out.getvalue().splitlines())
    assert (inside["run"], inside["task"], "run" in outside) == ("calm-otter", "parse", False)


def test_what_a_line_says_of_its_place_stands_against_the_hook():
    out = io.StringIO()
    logs.configure("info", "json", out)
    logs.set_context(lambda: {"task": "from the hook", "run": "calm-otter"})
    structlog.get_logger("my.code").info("x", task="its own")
    line = json.loads(out.getvalue())
    assert (line["task"], line["run"]) == ("its own", "calm-otter")


@contextmanager
def captured(stream):
    before, sys.stderr = sys.stderr, stream
    try:
        yield
    finally:
        sys.stderr = before


def test_auto_is_console_on_a_terminal_and_json_elsewhere(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    out, terminal = io.StringIO(), Terminal()
    logs.configure(stream=out)
    structlog.get_logger("my.code").info("x")
    logs.configure(stream=terminal)
    structlog.get_logger("my.code").info("x", rows=1)
    assert json.loads(out.getvalue())["event"] == "x"
    assert terminal.getvalue().endswith("] INFO - my.code | x  rows=1\n")


def test_lines_follow_stderr_where_it_goes():
    logs.configure("info", "json")
    later = io.StringIO()
    with captured(later):
        structlog.get_logger("my.code").info("x")
    assert "my.code" in later.getvalue()


def test_console_lines_name_the_place_of_user_code_and_leave_it_out_of_our_own(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    logs.configure("info", "console", out)
    logs.set_context(lambda: {"flow": "etl", "run": "calm-otter", "task": "parse", "attempt": 2})
    structlog.get_logger("my.code").warning("odd\x1b[31m row", row=3)
    play(fail_parse())
    first, second = out.getvalue().splitlines()[:2]
    assert first.endswith("] WARNING - my.code | odd\\x1b[31m row  row=3 (calm-otter/parse#2)")
    assert second.endswith("] INFO - asyncflow.flow | Beginning Flow run for 'complaints etl'")


def test_console_lines_show_tracebacks_below(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    logs.configure("info", "console", out)
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("my.code").exception("bad")
    line, *trace = out.getvalue().splitlines()
    assert "\x1b[31mERROR\x1b[0m - my.code | bad" in line
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "KeyError: 'x'")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_the_streams_encoding_lacks_is_written_as_an_escape(encoding):
    raw = io.BytesIO()
    logs.configure("info", "console", io.TextIOWrapper(raw, encoding=encoding))
    structlog.get_logger("my.code").info("名前")
    assert b"\\u540d\\u524d" in raw.getvalue()


def test_a_closed_stream_loses_the_line_and_nothing_else():
    out = io.StringIO()
    logs.configure("info", "json", out)
    out.close()
    structlog.get_logger("my.code").info("x")
    play(fail_parse())


def test_a_record_that_can_not_be_formatted_is_reported_and_not_raised(capsys):
    logs.configure("info", "json", io.StringIO())
    (handler,) = [known for known in logging.getLogger().handlers if isinstance(known, Handler)]
    handler.handle(logging.LogRecord("my.code", 20, __file__, 1, "%d", ("no number",), None))
    assert "no number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": "wanring"}, "log level 'wanring' is not one of .* Did you mean 'warning'"),
        ({"format": "yaml"}, "log format 'yaml' is not one of auto, console, json"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        logs.configure(**settings)


def test_nothing_is_written_before_logs_are_configured(capsys):
    logs.attach()
    play(fail_parse())
    assert capsys.readouterr() == ("", "")


def test_a_world_is_listened_to_once():
    world = ambient.World()
    logs.attach(world)
    logs.attach(world)
    assert world.listeners == [logs.listener]


def test_a_run_that_is_over_is_forgotten():
    told(fail_parse())
    assert lines._desk.runs == {}


def test_a_run_that_never_ends_does_not_keep_memory_for_ever():
    logs.configure("critical", "json", io.StringIO())
    for number in range(1200):
        story = Story()
        logs.listener(type(HEADER)(f"id{number}", "a-b", "etl", AT), 0, story.events[0])
    assert len(lines._desk.runs) == 1000


@pytest.mark.parametrize(
    ("env", "terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_follow_the_environment_and_the_stream(env, terminal, wanted):
    assert wants_colour(Terminal() if terminal else io.StringIO(), env) is wanted


def test_a_closed_stream_is_no_terminal():
    out = io.StringIO()
    out.close()
    assert not is_terminal(out)


def test_old_windows_consoles_get_no_escape_codes(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert not reads_escapes({})
    assert reads_escapes({"WT_SESSION": "1"})
