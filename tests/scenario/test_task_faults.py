"""What every action at a task does to it, as a rehearsal sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenario.flows import done
from tests.scenario.rehearsing import fired, rehearse, told

BODIES = {"retrying": "stubborn", "retrying_in_thread": "stubborn_in_thread"}
"""An `async def` body and a `def` body, each allowed three attempts and worth 1."""


@pytest.fixture(params=BODIES)
def flow(request: pytest.FixtureRequest) -> str:
    done.clear()
    return str(request.param)


def fault(flow: str, text: str, at: str = "") -> str:
    return f"[[fault]]\nat = {{ task = '{BODIES[flow]}'{at} }}\n{text}\n"


SIMULATED = "world = 'simulated'\n"
"""Put in front of what takes time."""

RAISE = "do = 'raise'\nerror = 'OSError: no'"
DELAY = "do = 'delay'\nseconds = '25s'"
HANG = "do = 'hang'"
TIMEOUT = "[policy.{task}]\ntimeout = '30s'\n"


@pytest.mark.parametrize(
    ("at", "text", "outcome", "ran", "value", "flow_state"),
    [
        (", attempt = 1", RAISE, ("Success", 2, 2), 1, 1, "Success"),
        (", attempt = [1, 2]", RAISE, ("Success", 3, 3), 1, 1, "Success"),
        ("", RAISE, ("Failed", 3, 3), 0, None, "Failed"),
        (", attempt = 1, when = 'after'", RAISE, ("Success", 2, 2), 2, 1, "Success"),
        (", when = 'after'", RAISE, ("Failed", 3, 3), 3, None, "Failed"),
        ("", DELAY, ("Success", 1, 1), 1, 1, "Success"),
        (", when = 'after'", DELAY, ("Success", 1, 1), 1, 1, "Success"),
        (", attempt = 1", HANG, ("Success", 2, 2), 1, 1, "Success"),
        ("", HANG, ("TimedOut", 3, 3), 0, None, "Failed"),
        (", when = 'after'", HANG, ("TimedOut", 3, 3), 3, None, "Failed"),
        ("", "do = 'cancel'", ("Cancelled", 1, 1), 0, None, "Cancelled"),
        (", when = 'after'", "do = 'cancel'", ("Cancelled", 1, 1), 1, None, "Cancelled"),
        ("", "do = 'wrong-result'\nvalue = [9]", ("Success", 1, 1), 1, [9], "Success"),
        ("", "do = 'wrong-result'", ("Success", 1, 1), 1, None, "Success"),
    ],
)
def test_an_action_at_a_task_gives_these_states_attempts_and_calls(
    flow: str,
    tmp_path: Path,
    at: str,
    text: str,
    outcome: tuple[str, int, int],
    ran: int,
    value: object,
    flow_state: str,
) -> None:
    world = SIMULATED if text in (DELAY, HANG) else ""
    timeout = TIMEOUT.format(task=BODIES[flow]) if text == HANG else ""
    results = f"[expect]\nresult = {value}" if value is not None else ""
    report = rehearse(tmp_path, world + fault(flow, text, at) + timeout + results, flow)
    assert told(report, BODIES[flow]) == outcome
    assert done == [BODIES[flow]] * ran
    assert report.history.state.name == flow_state
    assert report.verdict == "held"


@pytest.mark.parametrize(
    ("signal", "at", "outcome", "ran", "flow_state"),
    [
        ("'SUCCESS'\nresult = 1", "", ("Success", 1, 1), 0, "Success"),
        ("'SUCCESS'\nresult = 1", ", when = 'after'", ("Success", 1, 1), 1, "Success"),
        ("'SKIP'\nmessage = 'nothing new'", "", ("Skipped", 1, 1), 0, "Success"),
        ("'FAIL'", ", attempt = 1", ("Success", 2, 2), 1, "Success"),
        ("'FAIL'", "", ("Failed", 3, 3), 0, "Failed"),
        ("'TRIGGERFAIL'", "", ("TriggerFailed", 3, 3), 0, "Failed"),
        ("'VALIDATIONFAIL'", "", ("ValidationFailed", 3, 3), 0, "Failed"),
        ("'RETRY'", ", attempt = [1, 2, 3, 4]", ("Success", 5, 5), 1, "Success"),
        ("'ENDRUN'\nstate = 'Success'\nresult = 1", "", ("Success", 1, 1), 0, "Success"),
        ("'ENDRUN'\nstate = 'Skipped'", "", ("Skipped", 1, 1), 0, "Success"),
        ("'ENDRUN'\nstate = 'Failed'\nmessage = 'enough'", "", ("Failed", 1, 1), 0, "Failed"),
        ("'ENDRUN'\nstate = 'TimedOut'", "", ("TimedOut", 1, 1), 0, "Failed"),
        ("'ENDRUN'\nstate = 'TriggerFailed'", "", ("TriggerFailed", 1, 1), 0, "Failed"),
        ("'ENDRUN'\nstate = 'ValidationFailed'", "", ("ValidationFailed", 1, 1), 0, "Failed"),
        ("'ENDRUN'\nstate = 'Cancelled'", "", ("Cancelled", 1, 1), 0, "Cancelled"),
    ],
)
def test_every_signal_gives_these_states_attempts_and_calls(
    flow: str, tmp_path: Path, signal: str, at: str, outcome: tuple[str, int, int], ran: int, flow_state: str
) -> None:
    report = rehearse(tmp_path, fault(flow, f"do = 'signal'\nsignal = {signal}", at), flow)
    assert told(report, BODIES[flow]) == outcome
    assert done == [BODIES[flow]] * ran
    assert report.history.state.name == flow_state
    assert report.verdict == "held"


def test_a_delay_lasts_as_long_as_it_says_and_is_part_of_the_attempt(flow: str, tmp_path: Path) -> None:
    report = rehearse(tmp_path, SIMULATED + fault(flow, DELAY), flow)
    (attempt,) = report.history.tasks[0].attempts
    assert attempt.ended - attempt.started == pytest.approx(25)


def test_a_delay_longer_than_the_timeout_is_cut_by_it(flow: str, tmp_path: Path) -> None:
    text = fault(flow, "do = 'delay'\nseconds = '1m'", ", attempt = 1") + TIMEOUT.format(task=BODIES[flow])
    report = rehearse(tmp_path, SIMULATED + text, flow)
    assert [attempt.outcome for attempt in report.history.tasks[0].attempts] == ["timed out", "succeeded"]
    assert fired(report) == [1]


def test_retry_waits_as_long_as_its_signal_says(flow: str, tmp_path: Path) -> None:
    text = fault(flow, "do = 'signal'\nsignal = 'RETRY'\ndelay = '1h'", ", attempt = 1")
    (wait,) = rehearse(tmp_path, SIMULATED + text, flow).history.tasks[0].waits
    assert wait.detail["delay"] == 3600
    assert wait.ended - wait.started == pytest.approx(3600)


def test_what_a_fault_says_is_in_the_state(tmp_path: Path) -> None:
    error = rehearse(tmp_path, fault("retrying", RAISE), "retrying").history.tasks[0].state
    assert error.message == "OSError: no"
    skip = fault("retrying", "do = 'signal'\nsignal = 'SKIP'\nmessage = 'nothing new'")
    assert rehearse(tmp_path, skip, "retrying").history.tasks[0].state.message == "nothing new"
    end = fault("retrying", "do = 'signal'\nsignal = 'ENDRUN'\nstate = 'Failed'\nmessage = 'enough'")
    assert rehearse(tmp_path, end, "retrying").history.tasks[0].state.message == "enough"


def test_faults_at_one_attempt_strike_in_order_before_and_after_the_body(flow: str, tmp_path: Path) -> None:
    text = (
        fault(flow, "do = 'wrong-result'\nvalue = 2")
        + fault(flow, "do = 'delay'\nseconds = '1ms'", ", when = 'after'")
        + fault(flow, "do = 'wrong-result'\nvalue = 3")
        + fault(flow, "do = 'delay'\nseconds = '2ms'")
        + "[expect]\nresult = 3"
    )
    report = rehearse(tmp_path, text, flow)
    assert report.verdict == "held"
    assert [struck.do for struck in report.history.faults] == ["delay", "wrong-result"] * 2
    assert fired(report) == [1, 1, 1, 1]


def test_a_fault_behind_one_that_ended_the_attempt_did_not_strike(flow: str, tmp_path: Path) -> None:
    text = (
        fault(flow, RAISE, ", attempt = [1, 2, 3]")
        + fault(flow, "do = 'delay'\nseconds = '1ms'")
        + fault(flow, "do = 'wrong-result'\nvalue = 2")
    )
    report = rehearse(tmp_path, text, flow)
    assert fired(report) == [3, 0, 0]
    assert report.verdict == "not-reached"
    assert [struck.do for struck in report.history.faults] == ["raise"] * 3


def test_a_fault_after_a_body_that_fails_by_itself_did_not_strike(tmp_path: Path) -> None:
    text = "[[fault]]\nat = { task = 'broken', when = 'after' }\ndo = 'delay'\nseconds = '1ms'\n"
    report = rehearse(tmp_path, text, "breaking")
    assert fired(report) == [0]
    assert report.verdict == "not-reached"


def test_the_same_fault_twice_strikes_twice_and_each_is_counted(flow: str, tmp_path: Path) -> None:
    report = rehearse(tmp_path, fault(flow, "do = 'delay'\nseconds = '1ms'") * 2, flow)
    assert fired(report) == [1, 1]
    assert len(report.history.faults) == 2


def test_a_fault_strikes_the_call_that_it_names(tmp_path: Path) -> None:
    text = "[[fault]]\nat = { task = 'echo', call = 2 }\ndo = 'raise'\nerror = 'OSError'\n"
    report = rehearse(tmp_path, "[parameters]\ntimes = 3\n\n" + text, "echoing")
    assert [task.state.name for task in report.history.tasks] == ["Success", "Failed", "Success"]
    assert fired(report) == [1]


def test_a_wrong_result_is_found_out_by_a_task_that_validates(tmp_path: Path) -> None:
    text = "[[fault]]\nat = { task = 'strict' }\ndo = 'wrong-result'\nvalue = 'one'"
    report = rehearse(tmp_path, text, "validating")
    assert told(report, "strict") == ("ValidationFailed", 1, 1)
    assert "the result did not validate" in report.history.tasks[0].state.message


def test_the_same_seed_gives_the_same_strikes_of_a_probable_fault(tmp_path: Path) -> None:
    text = (
        "[parameters]\ntimes = 30\n\n"
        "[[fault]]\nat = { task = 'echo' }\ndo = 'wrong-result'\nprobability = 0.5\noptional = true"
    )

    def struck(seed: int) -> list[int]:
        return [at.task for at in rehearse(tmp_path, text, "echoing", seed=seed).history.faults]

    assert struck(1) == struck(1) != struck(2)
    assert 5 < len(struck(1)) < 25


def test_a_fault_also_strikes_in_a_run_that_a_child_flow_makes(tmp_path: Path) -> None:
    text = "[[fault]]\nat = { task = 'load' }\ndo = 'raise'\nerror = 'OSError'"
    assert told(rehearse(tmp_path, text, "parent"), "load") == ("Failed", 1, 1)
