"""`merge` goes on with the first branch that was taken; filters keep the results that are there."""

from __future__ import annotations

import pytest

from asyncflow import flow, signals, task, triggers
from asyncflow.control import FilterTask, filter_results, merge
from asyncflow.errors import UsageError
from tests.control.kit import EVERY_WAY, fail, give
from tests.engine.kit import play


@task
async def skip(*_):
    raise signals.SKIP("nothing to do")


@task
async def skip_with_a_result(*_):
    raise signals.SKIP("kept", result="of the skip")


BRANCHES = {
    "ok": lambda: give("a"),
    "none": lambda: give(None),
    "skipped": skip,
    "skipped with a result": skip_with_a_result,
    "failed": fail,
    "element": lambda: give(["e"])[0],
    "element of skipped": lambda: skip()[0],
    "element of failed": lambda: fail()["x"],
    "missing element": lambda: give([])[0],
    "value": lambda: "v",
}


@EVERY_WAY
@pytest.mark.parametrize(
    ("branches", "state", "result"),
    [
        (["ok", "none"], "Success", "a"),
        (["none", "ok"], "Success", None),
        (["skipped", "ok"], "Success", "a"),
        (["skipped with a result", "ok"], "Success", "a"),
        (["failed", "ok"], "Success", "a"),
        (["failed", "skipped", "none"], "Success", None),
        (["element", "ok"], "Success", "e"),
        (["element of skipped", "ok"], "Success", "a"),
        (["element of failed", "ok"], "Success", "a"),
        (["missing element", "ok"], "Success", "a"),
        (["skipped", "value"], "Success", "v"),
        (["failed", "value"], "Success", "v"),
        (["value", "ok"], "Success", "v"),
        (["skipped"], "Skipped", None),
        (["skipped", "skipped with a result"], "Skipped", None),
        (["failed", "skipped"], "TriggerFailed", None),
        (["failed", "failed"], "TriggerFailed", None),
    ],
)
def test_merge_takes_the_first_branch_neither_skipped_nor_failed(played, branches, state, result):
    run = played(lambda: merge(*(BRANCHES[branch]() for branch in branches)))
    merged = run.tasks["merge"]
    assert merged.state.name == state
    assert merged.state.result == result or state == "TriggerFailed"


def test_a_merge_needs_branches():
    @flow
    def wired():
        merge()

    with pytest.raises(UsageError, match=r"merge\(a, b\)"):
        play(wired).result()


def test_the_same_handle_may_stand_twice():
    @flow
    def wired():
        one = give(3)
        return merge(one, one)

    assert play(wired).result() == 3


@EVERY_WAY
class TestFilters:
    def test_results_that_are_there_are_kept_in_order(self, played):
        def wire():
            filter_results([give(3), skip(), fail(), give(None), give(0), give([])])

        assert played(wire).tasks["filter_results"].state.result == [3, 0, []]

    def test_a_predicate_sees_neither_none_nor_failures(self, played):
        even = FilterTask(lambda value: value % 2 == 0, name="even")

        def wire():
            even([give(3), fail(), give(None), give(4), give(2)])

        assert played(wire).tasks["even"].state.result == [4, 2]

    def test_a_predicate_that_fails_fails_the_filter(self, played):
        odd = FilterTask(lambda value: value % 2, name="odd")
        assert played(lambda: odd([give("a%b")])).tasks["odd"].state.is_failed()

    def test_one_handle_of_a_list_is_filtered_too(self, played):
        run = played(lambda: filter_results(give([1, None, 2])))
        assert run.tasks["filter_results"].state.result == [1, 2]

    def test_its_options_are_those_of_tasks(self, played):
        strict = FilterTask(name="strict", trigger=triggers.all_successful)
        assert played(lambda: strict([fail()])).tasks["strict"].state.is_trigger_failed()
