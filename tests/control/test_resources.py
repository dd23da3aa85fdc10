"""Resource managers: set up before the tasks that use the resource, cleaned up whatever became of them."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from asyncflow import Retry, flow, signals, task, triggers
from asyncflow.control import case, merge, resource_manager
from asyncflow.errors import InvalidTask, NotInFlow
from asyncflow.handles import scope
from asyncflow.recording import Recording
from tests.control.kit import EVERY_WAY, fail, give
from tests.engine.kit import of_kind, play
from tests.engine.kit import states as final

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log():
    LOG.clear()


@resource_manager
class Door:
    """A door that takes a second to open, and some to close."""

    def __init__(self, name="door", opens=None, closes=None, closing=1):
        self.name = name
        self.closing = closing
        self.opens = opens
        self.closes = closes

    async def setup(self):
        await asyncio.sleep(1)
        if self.opens is not None:
            raise self.opens
        LOG.append(f"open {self.name}")
        return self.name

    async def cleanup(self, resource):
        assert resource == self.name
        await asyncio.sleep(self.closing)
        if self.closes is not None:
            raise self.closes
        LOG.append(f"close {self.name}")


@resource_manager(name="gate")
class Gate:
    """The same with `def` methods."""

    def setup(self):
        LOG.append("open gate")
        return "gate"

    def cleanup(self, resource):
        LOG.append(f"close {resource}")


@task
async def enter(door="", who="somebody"):
    await asyncio.sleep(1)
    LOG.append(f"{who} in")
    return door


@EVERY_WAY
class TestResources:
    def test_three_tasks_are_around_those_of_the_block(self, played):
        def wire():
            with Door() as door:
                enter(door)
                enter(who="another")
            enter(who="outsider")

        run = played(wire)
        assert final(run) == {
            "Door": "Success",
            "Door.setup": "Success",
            "enter": "Success",
            "enter#2": "Success",
            "Door.cleanup": "Success",
            "enter#3": "Success",
        }
        assert sorted(LOG[:2]) == ["open door", "outsider in"]
        assert sorted(LOG[2:4]) == ["another in", "somebody in"]
        assert LOG[4:] == ["close door"]
        assert run.tasks["enter"].state.result == "door"

    def test_def_methods_do_too(self, played):
        def wire():
            with Gate() as gate:
                enter(gate)

        run = played(wire)
        assert list(final(run)) == ["gate", "gate.setup", "enter", "gate.cleanup"]
        assert LOG == ["open gate", "somebody in", "close gate"]

    def test_arguments_may_be_handles(self, played):
        def wire():
            with Door(give("front")) as door:
                enter(door)

        played(wire)
        assert LOG == ["open front", "somebody in", "close front"]

    def test_it_is_cleaned_up_when_a_task_failed_and_the_flow_fails(self, played):
        def wire():
            with Door() as door:
                give(fail(door))

        run = played(wire)
        assert final(run) == {
            "Door": "Success",
            "Door.setup": "Success",
            "fail": "Failed",
            "give": "TriggerFailed",
            "Door.cleanup": "Success",
        }
        assert run.is_failed()
        assert LOG == ["open door", "close door"]

    def test_it_is_cleaned_up_after_what_runs_whatever_happens(self, played):
        def wire():
            with Door() as door:
                enter.with_options(trigger=triggers.always_run)(fail(door))

        run = played(wire)
        assert run.is_success()
        assert LOG == ["open door", "somebody in", "close door"]

    def test_it_is_cleaned_up_when_nothing_used_it(self, played):
        def wire():
            with Door():
                pass

        assert played(wire).is_success()
        assert LOG == ["open door", "close door"]

    @pytest.mark.parametrize(
        ("opens", "setup", "inside", "flow_state"),
        [
            (OSError("no key"), "Failed", "TriggerFailed", "Failed"),
            (signals.FAIL("no key"), "Failed", "TriggerFailed", "Failed"),
            (signals.SKIP("no door"), "Skipped", "Skipped", "Success"),
        ],
    )
    def test_what_was_not_set_up_is_not_cleaned_up(self, played, opens, setup, inside, flow_state):
        def wire():
            with Door(opens=opens) as door:
                enter(door)
                enter.with_options(trigger=triggers.always_run, skip_on_upstream_skip=False)()

        run = played(wire)
        assert final(run) == {
            "Door": "Success",
            "Door.setup": setup,
            "enter": inside,
            "enter#2": inside,
            "Door.cleanup": "Skipped",
        }
        assert run.tasks["Door.cleanup"].state.message == "Resource manager setup failed."
        assert run.state.name == flow_state
        assert LOG == []

    def test_what_could_not_be_made_is_neither_set_up_nor_cleaned_up(self, played):
        def wire():
            with Door(fail()) as door:
                enter(door)

        assert final(played(wire)) == {
            "fail": "Failed",
            "Door": "TriggerFailed",
            "Door.setup": "TriggerFailed",
            "enter": "TriggerFailed",
            "Door.cleanup": "Skipped",
        }

    def test_a_failed_cleanup_is_no_reference_task(self, played):
        def wire():
            with Door(closes=OSError("stuck")) as door:
                enter(door)

        run = played(wire)
        assert run.tasks["Door.cleanup"].state.is_failed()
        assert run.is_success()

    def test_a_failed_setup_of_an_empty_block_fails_the_flow(self, played):
        def wire():
            with Door(opens=OSError("no key")):
                pass

        assert played(wire).is_failed()

    def test_inner_resources_are_cleaned_up_before_outer_ones(self, played):
        def wire():
            with Door("outer") as outer, Door("inner", closing=3) as inner:
                enter([outer, inner])

        played(wire)
        assert LOG == ["open outer", "open inner", "somebody in", "close inner", "close outer"]

    def test_a_resource_in_a_branch_that_is_not_taken_is_not_set_up(self, played):
        def wire():
            with case(give(), 2), Door() as door:
                enter(door)

        run = played(wire)
        assert set(list(final(run).values())[1:]) == {"Skipped"}
        assert LOG == []

    def test_a_resource_in_a_branch_whose_condition_failed_is_not_set_up(self, played):
        def wire():
            with case(fail(), 2), Door() as door:
                enter(door)

        run = played(wire)
        assert final(run)["enter"] == "TriggerFailed"
        assert final(run)["Door.cleanup"] == "Skipped"

    def test_a_branch_inside_waits_and_is_waited_for(self, played):
        def wire():
            with Door() as door:
                with case(door, "door"):
                    inside = enter(who="guest")
                with case(door, "window"):
                    outside = enter(who="thief")
                merge(inside, outside)

        played(wire)
        assert LOG == ["open door", "guest in", "close door"]

    def test_an_exception_that_leaves_the_block_leaves_it_cleaned_up(self, played):
        def wire():
            with pytest.raises(KeyError), Door() as door:
                enter(door)
                raise KeyError
            give()

        assert played(wire).is_success()
        assert LOG == ["open door", "somebody in", "close door"]

    def test_two_of_one_kind_are_told_apart(self, played):
        def wire():
            for name in "ab":
                with Door(name) as door:
                    enter(door, name)

        run = played(wire)
        assert LOG == ["open a", "open b", "a in", "b in", "close a", "close b"]
        assert run.tasks["Door.cleanup#2"].is_success()


class TestRetries:
    def test_setup_and_cleanup_have_options_of_their_own(self):
        tries = {"setup": 0, "cleanup": 0}

        @resource_manager(
            setup={"retry": Retry(3, delay=1)}, cleanup={"retry": Retry(5, delay=1), "timeout": 2}
        )
        class Rusty:
            async def setup(self):
                tries["setup"] += 1
                if tries["setup"] < 3:
                    raise OSError("stuck")

            async def cleanup(self, _resource):
                tries["cleanup"] += 1
                if tries["cleanup"] < 4:
                    await asyncio.sleep(1000)

        @flow
        def wired():
            with Rusty():
                enter()

        run = play(wired)
        assert run.tasks["Rusty.setup"].attempt == 3
        assert run.tasks["Rusty.cleanup"].attempt == 4
        assert run.is_success()

    def test_a_cleanup_that_hangs_is_given_up_after_a_minute(self):
        @resource_manager
        class Stuck:
            def setup(self):
                pass

            async def cleanup(self, _resource):
                await asyncio.sleep(1000)

        @flow
        def wired():
            with Stuck():
                enter()

        run = play(wired)
        assert run.tasks["Stuck.cleanup"].state.is_timed_out()
        assert run.record.offset() == pytest.approx(61)


class TestDeclaring:
    @pytest.mark.parametrize("missing", ["setup", "cleanup"])
    def test_a_class_without_the_methods_is_refused(self, missing):
        methods = {name: lambda self: None for name in ("setup", "cleanup") if name != missing}
        with pytest.raises(InvalidTask, match=f"has no {missing}"):
            resource_manager(type("Half", (), methods))

    @pytest.mark.parametrize("option", ["trigger", "skip_on_upstream_skip"])
    def test_when_a_cleanup_runs_is_fixed(self, option):
        with pytest.raises(InvalidTask, match=f"{option}= of a cleanup is fixed"):
            resource_manager(cleanup={option: triggers.always_run})(Door.cls)

    def test_an_unknown_option_is_named(self):
        with pytest.raises(InvalidTask, match="unknown task option 'retries'"):
            resource_manager(setup={"retries": 3})(Door.cls)

    def test_wrong_arguments_are_found_at_the_call(self):
        @flow
        def wired():
            with Door(colour="red"):
                pass

        with pytest.raises(TypeError, match="colour"):
            play(wired).result()

    def test_outside_flows_there_is_nothing_to_set_up(self):
        with pytest.raises(NotInFlow, match="resource manager 'Door' was used outside a flow"), Door():
            pass

    def test_it_says_what_it_is(self):
        assert repr(Gate) == "<ResourceManager gate>"
        assert Gate.__doc__ == "The same with `def` methods."


def test_no_cleanup_is_called_for_a_body_that_is_thrown_away():
    """As the interpreter does with a coroutine that a crash has left behind, in whatever context."""

    async def body():
        with Door(), case(1, 1):
            await asyncio.sleep(0)

    recording = Recording("abandoned")
    token = scope.set(recording)
    coroutine = body()
    coroutine.send(None)
    scope.reset(token)
    contextvars.Context().run(coroutine.close)
    assert [call.name for call in recording.calls] == ["Door", "Door.setup", "case(1)"]


def test_edges_of_cleanups_are_in_the_record():
    @flow
    def wired():
        with Door() as door:
            enter(door)

    run = play(wired)
    cleanup = run.tasks["Door.cleanup"].number
    assert {"upstream": run.tasks["enter"].number} in of_kind(run, "edge_added")
    assert cleanup == 4
