from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import states
from asyncflow.errors import IllegalMove
from asyncflow.states import BY_NAME, MOVES, STATES, State, check_move, error_to_json

FINAL = ("Success", "Cached", "Skipped", "Failed", "TimedOut", "TriggerFailed", "ValidationFailed")
ENDS = {*FINAL, "Cancelled"}

KINDS = {
    "Pending": "waiting",
    "Scheduled": "waiting",
    "Retrying": "waiting",
    "Paused": "waiting",
    "Running": "active",
    "Success": "success",
    "Cached": "success",
    "Skipped": "success",
    "Failed": "failure",
    "TimedOut": "failure",
    "TriggerFailed": "failure",
    "ValidationFailed": "failure",
    "Cancelled": "failure",
    "Crashed": "failure",
}

ASKED = {
    "Pending": {"pending"},
    "Scheduled": {"scheduled"},
    "Retrying": {"retrying"},
    "Paused": {"paused"},
    "Running": {"running"},
    "Success": {"success", "final"},
    "Cached": {"success", "final", "cached"},
    "Skipped": {"success", "final", "skipped"},
    "Failed": {"failed", "final"},
    "TimedOut": {"failed", "final", "timed_out"},
    "TriggerFailed": {"failed", "final", "trigger_failed"},
    "ValidationFailed": {"failed", "final", "validation_failed"},
    "Cancelled": {"failed", "final", "cancelled"},
    "Crashed": {"failed", "final", "crashed"},
}

LEGAL = {
    "Pending": ENDS | {"Pending", "Scheduled", "Retrying", "Paused", "Running"},
    "Scheduled": ENDS | {"Pending", "Retrying", "Paused", "Running"},
    "Retrying": ENDS | {"Pending", "Retrying", "Paused", "Running"},
    "Paused": ENDS | {"Pending", "Running"},
    "Running": ENDS | {"Retrying", "Paused", "Scheduled", "Crashed"},
    "Crashed": {"Retrying", "Failed"},
}


@pytest.mark.parametrize("name", KINDS)
def test_a_state_says_what_it_is(name: str) -> None:
    state = BY_NAME[name]()
    answers = {word[3:] for word in dir(state) if word.startswith("is_") and getattr(state, word)()}
    assert answers == ASKED[name]
    assert (state.name, state.kind, str(state)) == (name, KINDS[name], name)
    assert state.message
    assert repr(state) == f'<{name}: "{state.message}">'


def test_the_table_of_states_is_whole() -> None:
    assert [state.__name__ for state in STATES] == list(KINDS)
    assert list(MOVES) == list(STATES)


def test_the_table_of_moves_is_the_one_that_is_documented() -> None:
    found = {old.__name__: {new.__name__ for new in MOVES[old]} for old in STATES}
    assert found == {name: LEGAL.get(name, set()) for name in KINDS}


@given(st.sampled_from(STATES), st.sampled_from(STATES))
def test_check_move_agrees_with_the_table(old: type[State], new: type[State]) -> None:
    if new in MOVES[old]:
        check_move(old(), new())
    else:
        with pytest.raises(IllegalMove, match=f"no move leads from {old.__name__} to {new.__name__}"):
            check_move(old(), new())


@given(st.sampled_from([state for state in STATES if state.final]))
def test_no_move_leads_from_a_final_state_but_a_crash_which_is_recovered(state: type[State]) -> None:
    assert not MOVES[state] or state is states.Crashed


def test_every_state_can_be_reached_from_the_first_and_every_waiting_one_can_end() -> None:
    reached, ahead = {states.Pending}, [states.Pending]
    for state in ahead:
        ahead += (new := [other for other in STATES if other in MOVES[state] and other not in reached])
        reached.update(new)
    assert reached == set(STATES)
    for state in STATES:
        assert state.final or any(other.final for other in MOVES[state])


def test_nothing_of_a_state_can_be_changed() -> None:
    state = states.Success("done", 3, {"how": "at once"})
    for name, value in {"result": 4, "message": "x", "detail": {}, "name": "Failed", "new": 1}.items():
        with pytest.raises(AttributeError):
            setattr(state, name, value)
    for table in (MOVES, BY_NAME):
        with pytest.raises(TypeError):
            table[states.Success] = frozenset()  # type: ignore[index]  # the point of the test
    with pytest.raises(TypeError):
        states.Pending().detail["x"] = 1  # type: ignore[index]  # the point of the test


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (states.Success("a", 3), states.Success("b", 3), True),
        (states.Success("a", 3), states.Success("a", 4), False),
        (states.Success("a", 3), states.Cached("a", 3), False),
        (states.Retrying(detail={"delay": 1}), states.Retrying(detail={"delay": 2}), False),
        (states.Retrying(), states.Retrying(detail={}), True),
        (states.Success(), "Success", False),
    ],
)
def test_states_are_equal_by_what_they_say_and_not_by_their_sentence(
    one: State, other: Any, equal: bool
) -> None:
    assert (one == other) is equal
    assert (one != other) is not equal


def test_a_state_has_no_hash_since_a_result_may_have_none() -> None:
    with pytest.raises(TypeError):
        hash(states.Success(result=[]))


@pytest.mark.parametrize(
    ("wrong", "right"), [("isfailed", "is_failed"), ("is_sucess", "is_success"), ("mesage", "message")]
)
def test_a_misspelt_question_is_answered_with_the_right_word(wrong: str, right: str) -> None:
    with pytest.raises(AttributeError, match=f"a State has no '{wrong}'. Did you mean '{right}'?"):
        getattr(states.Failed(), wrong)


def test_a_success_says_by_which_road() -> None:
    assert states.Success().how == "at once"
    assert states.Success(detail={"how": "after retry"}).how == "after retry"


def test_the_json_form_has_an_error_as_text_and_leaves_values_out() -> None:
    error = ValueError("no")
    error.add_note("attempt 2")
    failed = states.Failed("it failed", error, {"attempt": 2})
    assert json.loads(json.dumps(failed.to_json())) == {
        "state": "Failed",
        "message": "it failed",
        "detail": {"attempt": 2},
        "error": {"type": "ValueError", "text": "no", "notes": ["attempt 2"]},
    }
    assert states.Success("fine", object()).to_json() == {"state": "Success", "message": "fine"}


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise self


def test_an_error_that_can_not_be_put_into_words_is_still_told_by_its_type() -> None:
    assert error_to_json(Unspeakable()) == {
        "type": "Unspeakable",
        "text": "<no text: str() raised Unspeakable>",
    }
