"""`case`, `switch` and `ifelse`: a branch that is not taken is skipped, one that can't be chosen refused."""

from __future__ import annotations

import pytest

from asyncflow import Flow, Parameter, current, flow, signals, task, triggers
from asyncflow.control import case, ifelse, merge, switch
from asyncflow.errors import HandleMisuse, LateEdge, NotInFlow, UsageError
from tests.control.kit import EVERY_WAY, fail, give
from tests.engine.kit import play
from tests.engine.kit import states as final


@task
async def skip(*_):
    raise signals.SKIP("nothing to do")


@task(trigger=triggers.always_run, skip_on_upstream_skip=False)
async def stubborn(*_):
    return "ran"


@EVERY_WAY
class TestCase:
    @pytest.mark.parametrize(("value", "branch"), [(1, "Success"), (2, "Skipped"), (None, "Skipped")])
    def test_a_branch_runs_when_the_value_is_the_one_named(self, played, value, branch):
        def wire():
            with case(give(value), 1):
                give.with_options(name="inside")()
            give.with_options(name="outside")()

        run = played(wire)
        assert final(run) == {
            "give": "Success",
            "case(1)": branch,
            "inside": branch,
            "outside": "Success",
        }
        assert run.is_success()

    def test_a_chain_inside_is_skipped_as_a_whole(self, played):
        def wire():
            with case(give(), "other"):
                give(give(give.with_options(name="first")()))

        run = played(wire)
        assert final(run) == {
            "give": "Success",
            "case(other)": "Skipped",
            "first": "Skipped",
            "give#2": "Skipped",
            "give#3": "Skipped",
        }

    def test_no_trigger_opens_a_branch_that_was_not_taken(self, played):
        def wire():
            with case(give(), 2):
                stubborn()

        assert final(played(wire))["stubborn"] == "Skipped"

    def test_no_trigger_opens_a_branch_whose_condition_failed(self, played):
        def wire():
            with case(fail(), 1):
                stubborn(give())
            with case(fail(), 2):
                give()

        run = played(wire)
        assert final(run) == {
            "fail": "Failed",
            "case(1)": "TriggerFailed",
            "give": "TriggerFailed",
            "stubborn": "TriggerFailed",
            "fail#2": "Failed",
            "case(2)": "TriggerFailed",
            "give#2": "TriggerFailed",
        }
        assert run.is_failed()

    def test_the_gate_is_none_of_the_states_that_a_trigger_is_asked_about(self, played):
        def wire():
            failed = fail()
            with case(give(), 1):
                stubborn.with_options(name="only", trigger=triggers.all_failed)(failed)

        assert final(played(wire))["only"] == "Success"

    def test_a_skipped_condition_skips_the_branch(self, played):
        def wire():
            with case(skip(), 1):
                give()

        run = played(wire)
        assert final(run) == {"skip": "Skipped", "case(1)": "Skipped", "give": "Skipped"}

    def test_a_condition_that_cannot_be_compared_fails_the_case(self, played):
        class Odd:
            def __eq__(self, other):
                raise RuntimeError("incomparable")

            __hash__ = None

        def wire():
            with case(give(Odd()), 1):
                stubborn()

        assert final(played(wire)) == {"give": "Success", "case(1)": "Failed", "stubborn": "TriggerFailed"}

    @pytest.mark.parametrize(
        ("outer", "inner", "ran"), [(1, 1, "Success"), (1, 2, "Skipped"), (2, 1, "Skipped")]
    )
    def test_cases_nest(self, played, outer, inner, ran):
        def wire():
            first, second = give(outer), give(inner)
            with case(first, 1), case(second, 1):
                stubborn()

        assert final(played(wire))["stubborn"] == ran

    def test_an_inner_case_whose_condition_failed_is_not_reached(self, played):
        def wire():
            first, second = give(), fail()
            with case(first, 2), case(second, 1):
                stubborn()

        assert final(played(wire))["stubborn"] == "Skipped"

    def test_a_child_flow_is_a_branch_too(self, played):
        @flow(name="child")
        def child():
            give()

        def wire():
            with case(give(), 2):
                child()

        assert final(played(wire))["child"] == "Skipped"

    def test_calls_after_the_block_are_not_in_it_even_if_it_was_left_by_an_error(self, played):
        def wire():
            with pytest.raises(KeyError), case(give(), 2):
                give.with_options(name="inside")()
                raise KeyError
            give.with_options(name="outside")()

        run = played(wire)
        assert (final(run)["inside"], final(run)["outside"]) == ("Skipped", "Success")

    def test_an_element_of_a_handle_may_decide(self, played):
        def wire():
            with case(give({"kind": "a"})["kind"], "a"):
                stubborn()

        assert final(played(wire))["stubborn"] == "Success"

    def test_the_value_can_be_no_handle(self, played):
        def wire():
            one, two = give(), give()
            with pytest.raises(UsageError, match="compare in a task"), case(one, two):
                raise AssertionError("not reached")

        played(wire)


class TestCaseInAFunction:
    def test_awaiting_inside_gives_none_when_the_branch_is_not_taken(self):
        @flow
        async def awaiting(kind):
            with case(give(kind), "a"):
                inside = await give("inside")
                assert inside in ("inside", None)
            return inside

        assert play(awaiting, kind="a").result() == "inside"
        assert play(awaiting, kind="b").result() is None

    def test_a_failure_that_was_awaited_inside_is_the_bodys_to_handle(self):
        @flow
        async def awaiting():
            with case(give(), 1), pytest.raises(ValueError, match="no"):
                await fail()

        run = play(awaiting)
        assert final(run)["fail"] == "Failed"
        assert run.is_success()

    def test_current_is_still_the_flow_run(self):
        @flow
        def wired():
            with case(give(), 1):
                inside = give()
                current().set_reference_tasks([inside])
            fail()

        assert play(wired).is_success()

    def test_a_value_that_is_there_already_may_decide(self):
        @flow
        def wired(size=3):
            with case(size > 2, True):
                give()

        assert final(play(wired)) == {"case(True)": "Success", "give": "Success"}

    def test_a_parameter_of_a_recorded_flow_may_decide(self):
        with Flow("recorded") as recorded, case(Parameter("kind", default="a"), "b"):
            give()
        assert final(play(recorded))["give"] == "Skipped"
        assert final(play(recorded, kind="b"))["give"] == "Success"

    def test_a_parameter_may_be_made_inside(self):
        with Flow("recorded") as recorded, case(1, 1):
            give(Parameter("what"))
        assert play(recorded, what=5).tasks["give"].state.result == 5

    def test_the_truth_of_a_handle_is_refused_with_the_way_out(self):
        @flow
        def wired():
            with pytest.raises(
                HandleMisuse, match=r"await the handle, or branch on it with asyncflow\.control"
            ):
                assert give()

        play(wired)

    @pytest.mark.parametrize(
        "use", [lambda: case(1, 1).__enter__(), lambda: switch(1, {}), lambda: ifelse(1, None), merge]
    )
    def test_outside_flows_there_is_nothing_to_branch(self, use):
        with pytest.raises(NotInFlow, match="outside a flow"):
            use()


@EVERY_WAY
class TestSwitch:
    @pytest.mark.parametrize(("value", "taken"), [("a", "a"), ("b", "b"), ("c", "other"), (None, "other")])
    def test_one_branch_is_taken(self, played, value, taken):
        def wire():
            branches = switch(
                give(value), {"a": lambda: give("a"), "b": lambda: give("b")}, default=lambda: give("other")
            )
            merge(*branches)

        assert played(wire).tasks["merge"].state.result == taken

    def test_without_a_default_other_values_take_no_branch(self, played):
        def wire():
            switch(give(3), {1: stubborn, 2: stubborn})

        run = played(wire)
        assert final(run) == {
            "give": "Success",
            "case(1)": "Skipped",
            "stubborn": "Skipped",
            "case(2)": "Skipped",
            "stubborn#2": "Skipped",
        }

    def test_a_branch_may_be_a_call_made_before(self, played):
        def wire():
            kind = give("a")
            switch(kind, {"a": give.with_options(name="a")(), "b": stubborn.with_options(name="b")()})

        run = played(wire)
        assert (final(run)["a"], final(run)["b"]) == ("Success", "Skipped")

    def test_all_calls_of_a_function_are_the_branch(self, played):
        def wire():
            switch(give("a"), {"b": lambda: [stubborn(), stubborn()]})

        assert final(played(wire))["stubborn#2"] == "Skipped"

    def test_a_failed_condition_refuses_every_branch_and_the_merge(self, played):
        def wire():
            merge(*switch(fail(), {1: stubborn}, default=stubborn))

        assert list(final(played(wire)).values()) == ["Failed", *["TriggerFailed"] * 5]

    @pytest.mark.parametrize("branch", [3, "give", None])
    def test_anything_else_is_no_branch(self, played, branch):
        def wire():
            condition = give()
            with pytest.raises(UsageError, match="is no branch of switch"):
                switch(condition, {1: branch})

        played(wire)

    def test_a_key_can_be_no_handle(self, played):
        def wire():
            condition = give()
            with pytest.raises(UsageError, match="can't be the handle"):
                switch(condition, {give(): stubborn})

        played(wire)


@EVERY_WAY
@pytest.mark.parametrize(
    ("value", "taken"), [(True, "yes"), (7, "yes"), ([0], "yes"), (0, "no"), (None, "no"), ("", "no")]
)
def test_ifelse_goes_by_truth(played, value, taken):
    def wire():
        merge(*ifelse(give(value), lambda: give("yes"), lambda: give("no")))

    assert played(wire).tasks["merge"].state.result == taken


@EVERY_WAY
def test_ifelse_may_have_one_branch_only(played):
    def wire():
        ifelse(give(0), stubborn)
        ifelse(give(0), None, stubborn)

    run = played(wire)
    assert (final(run)["stubborn"], final(run)["stubborn#2"]) == ("Skipped", "Success")


def test_a_call_that_has_started_is_no_branch_any_more():
    @flow
    async def awaiting():
        early = give()
        condition = await give()
        with pytest.raises(LateEdge, match="already started"):
            switch(condition, {1: early})

    assert play(awaiting).is_success()
