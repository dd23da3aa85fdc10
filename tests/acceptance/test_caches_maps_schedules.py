"""The rows of Prefect 0.15 about caches, maps, schedules, loops and pauses, each as the smallest program.

A row's letter and number name its tests: C for caches, M for maps, S for schedules. Where asyncflow differs
on purpose the row says what holds here; ARCHITECTURE.md has the list of differences with their reasons.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import asyncflow.schedules
from asyncflow import (
    Flow,
    Parameter,
    Retry,
    current,
    flatten,
    flow,
    signals,
    states,
    task,
    triggers,
    unmapped,
)
from asyncflow.caching import (
    Validator,
    all_inputs,
    all_parameters,
    duration_only,
    never_use,
    partial_inputs_only,
    partial_parameters_only,
)
from asyncflow.engine import FlowRun
from asyncflow.errors import InvalidSchedule, InvalidTask, UsageError
from asyncflow.schedules import CronSchedule, DatesSchedule, IntervalSchedule, Schedule
from asyncflow.schedules.adjustments import add, next_weekday
from asyncflow.schedules.clocks import CronClock, DatesClock, IntervalClock
from asyncflow.schedules.filters import (
    at_time,
    between_dates,
    between_datetimes,
    between_times,
    is_day_of_week,
    is_month_end,
    is_month_start,
    is_weekday,
    is_weekend,
    on_date,
    on_datetime,
)
from tests.clock import run_virtual
from tests.engine.kit import moves, of_kind, play
from tests.engine.kit import states as final

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def in_turn(*stories: Callable[[], Coroutine[Any, Any, Any]], pause: float = 0.0) -> list[FlowRun]:
    """Make runs one after the other in one virtual world, with a pause between them."""

    async def story() -> list[FlowRun]:
        runs = []
        for each in stories:
            runs.append(await (await each()).wait())
            await asyncio.sleep(pause)
        return runs

    return run_virtual(story())


class Counting:
    """A task with `cache_for` that counts its calls, and a flow of it with two parameters."""

    def __init__(self, **options: Any) -> None:
        self.calls = 0

        async def compute(x: int = 0, y: int = 0) -> int:
            self.calls += 1
            return self.calls

        self.task = task(**{"cache_for": DAY, **options})(compute)

    def flow(self, name: str = "f") -> Any:
        with Flow(name) as recorded:
            self.task(Parameter("x", default=1), Parameter("y", default=1))
            Parameter("z", default=1)
        return recorded

    def states(self, *parameters: dict[str, int], pause: float = 0.0) -> list[str]:
        recorded = self.flow()
        runs = in_turn(*(lambda given=given: recorded.start(**given) for given in parameters), pause=pause)
        return [run.tasks["compute"].state.name for run in runs]


class TestCaches:
    def test_c01_a_success_is_kept_and_says_until_when_and_a_hit_is_cached(self) -> None:
        recorded = Counting().flow()
        computed, found = in_turn(recorded.start, recorded.start)
        state = computed.tasks["compute"].state
        assert (state.name, state.detail["expires"]) == ("Success", computed.header.started + 86_400)
        assert moves(found, "compute") == ["Cached"]
        assert found.tasks["compute"].state.result == state.result

    @pytest.mark.parametrize(
        ("validator", "second", "state"),
        [
            (never_use, {}, "Success"),
            (duration_only, {"x": 2, "y": 2, "z": 2}, "Cached"),
            (all_inputs, {"z": 2}, "Cached"),
            (all_inputs, {"y": 2}, "Success"),
            (all_parameters, {}, "Cached"),
            (all_parameters, {"z": 2}, "Success"),
            (partial_inputs_only(["x"]), {"y": 2, "z": 2}, "Cached"),
            (partial_inputs_only(["x"]), {"x": 2}, "Success"),
            (partial_parameters_only(["z"]), {"x": 2, "y": 2}, "Cached"),
            (partial_parameters_only(["z"]), {"z": 2}, "Success"),
        ],
        ids=str,
    )
    def test_c01_the_validators(self, validator: Validator, second: dict[str, int], state: str) -> None:
        assert Counting(cache_validator=validator).states({}, second) == ["Success", state]

    @pytest.mark.parametrize(
        "validator",
        [
            *(duration_only, all_inputs, all_parameters),
            *(partial_inputs_only(["x"]), partial_parameters_only(["z"])),
        ],
        ids=str,
    )
    def test_c01_all_validators_look_at_the_time_too(self, validator: Validator) -> None:
        held = Counting(cache_for=10, cache_validator=validator)
        assert held.states({}, {}, {}, pause=6) == ["Success", "Cached", "Success"]

    def test_c01_without_a_validator_all_inputs_count_and_without_cache_for_nothing_is_kept(self) -> None:
        assert Counting().states({}, {"x": 2}, {}) == ["Success", "Success", "Cached"]
        assert Counting(cache_for=None).states({}, {}) == ["Success", "Success"]

    def test_c01_a_cache_key_is_shared_across_tasks_and_flows(self) -> None:
        one, other = Counting(cache_key="shared"), Counting(cache_key="shared")
        runs = in_turn(one.flow("one").start, other.flow("other").start)
        assert [run.tasks["compute"].state.name for run in runs] == ["Success", "Cached"]
        assert (one.calls, other.calls) == (1, 0)

    def test_c01_without_a_cache_key_the_same_name_is_not_enough(self) -> None:
        async def compute(x: int = 0, y: int = 0) -> str:
            return "other code"

        one, other = Counting(), Counting()
        other.task = task(cache_for=DAY)(compute)
        runs = in_turn(one.flow().start, other.flow().start)
        assert [run.tasks["compute"].state.name for run in runs] == ["Success", "Success"]

    def test_c02_the_cache_is_there_when_the_task_has_ended(self) -> None:
        counting = Counting()
        run = play(flow(name="f")(lambda: counting.task.after(counting.task(1))(1)))
        assert final(run) == {"compute": "Success", "compute#2": "Cached"}

    def test_c02_several_entries_of_a_key_are_kept(self) -> None:
        assert Counting().states({"x": 1}, {"x": 2}, {"x": 1}) == ["Success", "Success", "Cached"]

    def test_c03_a_miss_says_which_and_the_first_one_warns_of_nothing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        recorded = Counting(cache_for=10).flow()
        runs = in_turn(recorded.start, recorded.start, lambda: recorded.start(x=2), pause=20)
        told = [of_kind(run, "cache_missed")[0] for run in runs]
        assert [each["reason"] for each in told] == ["no entry", "expired", "other inputs"]
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    @pytest.mark.parametrize(
        "options",
        [{"cache_validator": duration_only}, {"cache_key": "shared"}, {"target": "file-{x}"}],
        ids=str,
    )
    def test_c04_there_is_no_target_and_a_validator_needs_cache_for(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidTask, match="target" if "target" in options else "needs cache_for="):
            task(**options)(lambda: None)


@task
async def double(x: int) -> int:
    return 2 * x


@task
async def add_up(x: int, y: int) -> int:
    return x + y


@task
async def total(values: Any) -> Any:
    return sum(values)


@task
async def fussy(x: int) -> int:
    if x == 3:
        raise ValueError(x)
    if x == 0:
        raise signals.SKIP("nothing")
    return x


class TestMaps:
    def test_m01_the_parent_is_a_success_with_a_child_for_each_element(self) -> None:
        run = play(flow(name="f")(lambda: double.map([1, 2, 3])))
        parent = run.tasks["double"]
        assert parent.state.name == "Success"
        assert [(child.key, child.state.result) for child in parent.children] == [
            ("double[0]", 2),
            ("double[1]", 4),
            ("double[2]", 6),
        ]
        assert run.result() == [2, 4, 6]

    def test_m01_unequal_lengths_are_refused_and_no_input_is_a_success(self) -> None:
        with Flow("f"), pytest.raises(UsageError, match="2 and 1"):
            add_up.map([1, 2], [3])
        run = play(flow(name="f")(lambda: double.map([])))
        assert (run.tasks["double"].state.name, run.result()) == ("Success", [])

    def test_m01_unmapped_is_given_to_each_and_flatten_takes_one_level_away(self) -> None:
        assert play(flow(name="f")(lambda: add_up.map([1, 2], unmapped(10)))).result() == [11, 12]
        assert play(flow(name="f")(lambda: double.map(flatten([[1], [2, 3]])))).result() == [2, 4, 6]

    def test_m01_a_map_over_a_map_is_element_by_element(self) -> None:
        begun: list[tuple[str, int, float]] = []

        @task
        async def slow(x: int) -> int:
            await asyncio.sleep(x)
            return x

        @task
        async def after(x: int) -> int:
            begun.append(("after", x, asyncio.get_running_loop().time()))
            return -x

        run = play(flow(name="f")(lambda: after.map(slow.map([3, 1]))))
        assert run.result() == [-3, -1]
        assert begun == [("after", 1, 1.0), ("after", 3, 3.0)]

    def test_m02_one_failing_child_fails_the_map_unless_it_is_tolerated(self) -> None:
        run = play(flow(name="f")(lambda: fussy.map([1, 3, 2])))
        assert final(run) == {"fussy": "Failed"}
        assert run.is_failed()
        assert [child.state.name for child in run.tasks["fussy"].children] == ["Success", "Failed", "Success"]
        run = play(flow(name="f")(lambda: fussy.map([1, 3, 2], tolerate=1)))
        assert run.is_success()
        assert run.tasks["fussy"].state.detail["elements"]["states"] == {"Success": 2, "Failed": 1}

    def test_m02_a_reduce_is_refused_or_gets_the_values_that_there_are(self) -> None:
        run = play(flow(name="f")(lambda: total(fussy.map([1, 3, 2]))))
        assert final(run) == {"fussy": "Failed", "total": "TriggerFailed"}
        assert play(flow(name="f")(lambda: total(fussy.map([1, 3, 2], tolerate=1)))).result() == 3

        @task(trigger=triggers.all_finished)
        async def look(values: Any) -> str:
            return type(values).__name__

        assert play(flow(name="f")(lambda: look(fussy.map([1, 3])))).result() == "ValueError"

    def test_m03_a_skipped_element_skips_only_the_one_that_follows_it(self) -> None:
        run = play(flow(name="f")(lambda: total(double.map(fussy.map([1, 0, 2])))))
        assert [child.state.name for child in run.tasks["double"].children] == [
            "Success",
            "Skipped",
            "Success",
        ]
        assert run.result() == 6

    def test_m03_a_reduce_is_skipped_when_all_elements_were(self) -> None:
        run = play(flow(name="f")(lambda: total(fussy.map([0, 0]))))
        assert final(run) == {"fussy": "Skipped", "total": "Skipped"}

    def test_m04_what_can_not_be_mapped_over_is_refused_or_fails_the_map(self) -> None:
        with Flow("f"), pytest.raises(UsageError, match="can't go over a value of type int"):
            double.map(5)
        run = play(flow(name="f")(lambda: double.map(double(5))))
        assert final(run) == {"double": "Success", "double#2": "Failed"}
        assert isinstance(run.tasks["double#2"].state.result, UsageError)

    def test_m04_what_failed_is_nothing_to_map_over(self) -> None:
        run = play(flow(name="f")(lambda: double.map(fussy(3))))
        assert final(run) == {"fussy": "Failed", "double": "TriggerFailed"}

    def test_m04_children_retry_independently(self) -> None:
        left = {1: 0, 2: 2, 3: 1}

        @task(retry=Retry(3, delay=1))
        async def flaky(x: int) -> int:
            left[x] -= 1
            if left[x] >= 0:
                raise OSError
            return x

        run = play(flow(name="f")(lambda: flaky.map([1, 2, 3])))
        assert run.result() == [1, 2, 3]
        assert [child.attempt for child in run.tasks["flaky"].children] == [1, 3, 2]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def fires(schedule: Schedule, after: str, count: int) -> list[str]:
    return [fire.at.isoformat(sep=" ", timespec="minutes") for fire in schedule.next_fires(at(after), count)]


MONDAY = "2026-03-02T00:00+00:00"
NEW_YORK = ZoneInfo("America/New_York")


class TestSchedules:
    def test_s01_clocks_are_merged_and_equal_fires_are_one(self) -> None:
        schedule = Schedule([IntervalClock(HOUR), CronClock("0 */2 * * *"), DatesClock([at(MONDAY) + HOUR])])
        assert fires(schedule, MONDAY, 3) == [
            "2026-03-02 01:00+00:00",
            "2026-03-02 02:00+00:00",
            "2026-03-02 03:00+00:00",
        ]

    def test_s01_fires_with_other_parameters_are_not_equal(self) -> None:
        schedule = Schedule(
            [IntervalClock(HOUR, parameters={"x": 1}), CronClock("0 */2 * * *", parameters={"x": 2})]
        )
        found = schedule.next_fires(at(MONDAY), 3)
        assert [(fire.at.hour, fire.parameters["x"]) for fire in found] == [(1, 1), (2, 1), (2, 2)]

    def test_s01_all_filters_one_of_the_or_filters_and_no_not_filter_then_the_adjustments(self) -> None:
        schedule = Schedule(
            [IntervalClock(HOUR)],
            filters=[is_weekday, between_times(time(9), time(12))],
            or_filters=[at_time(time(9)), at_time(time(11)), at_time(time(12))],
            not_filters=[at_time(time(12))],
            adjustments=[add(timedelta(minutes=5))],
        )
        assert fires(schedule, "2026-03-06T00:00+00:00", 3) == [
            "2026-03-06 09:05+00:00",
            "2026-03-06 11:05+00:00",
            "2026-03-09 09:05+00:00",
        ]

    def test_s01_a_schedule_that_nothing_passes_gives_up_and_says_so(self) -> None:
        with pytest.raises(InvalidSchedule, match="filters"):
            Schedule([IntervalClock(HOUR)], filters=[lambda _moment: False]).next_fires(at(MONDAY))

    def test_s01_the_clocks_have_start_end_and_parameters_and_there_are_neither_rrules_nor_labels(
        self,
    ) -> None:
        clock = IntervalClock(HOUR, start=at(MONDAY), end=at(MONDAY) + HOUR, parameters={"x": 1})
        assert [fire.at.hour for fire in Schedule([clock]).fires(at(MONDAY) - HOUR)] == [0, 1]
        assert not any("rrule" in name.lower() for name in dir(asyncflow.schedules.clocks))
        with pytest.raises(TypeError, match="labels"):
            IntervalClock(HOUR, labels=["x"])  # type: ignore[call-arg]

    def test_s02_an_interval_is_counted_from_the_beginning_of_2019(self) -> None:
        assert fires(IntervalSchedule(MINUTE), "2022-03-07T14:21:50+00:00", 2) == [
            "2022-03-07 14:22+00:00",
            "2022-03-07 14:23+00:00",
        ]
        odd = IntervalSchedule(timedelta(days=7))
        assert odd.next_fires(at("2019-01-01T00:00+00:00"))[0].at == datetime(2019, 1, 8, tzinfo=UTC)

    def test_s02_an_interval_is_above_zero_and_a_second_will_do(self) -> None:
        with pytest.raises(InvalidSchedule, match="0"):
            IntervalSchedule(timedelta(0))
        found = IntervalSchedule(timedelta(seconds=1)).next_fires(at(MONDAY), 2)
        assert [fire.at.second for fire in found] == [1, 2]

    def test_s02_cron_expressions(self) -> None:
        assert fires(CronSchedule("0 9 * * 1-5"), "2026-03-06T10:00+00:00", 2) == [
            "2026-03-09 09:00+00:00",
            "2026-03-10 09:00+00:00",
        ]
        with pytest.raises(ValueError, match="no cron"):
            CronSchedule("no cron")

    def test_s03_nine_in_new_york_stays_nine(self) -> None:
        daily = IntervalSchedule(DAY, start=datetime(2026, 3, 1, 9, tzinfo=NEW_YORK))
        assert fires(daily, "2026-03-07T00:00-05:00", 2) == [
            "2026-03-07 09:00-05:00",
            "2026-03-08 09:00-04:00",
        ]

    def test_s03_two_in_the_morning_of_the_day_without_it_is_three(self) -> None:
        nightly = CronSchedule("0 2 * * *", timezone="America/New_York")
        assert fires(nightly, "2026-03-07T12:00-05:00", 2) == [
            "2026-03-08 03:00-04:00",
            "2026-03-09 02:00-04:00",
        ]

    def test_s03_an_hour_is_an_hour_when_one_o_clock_comes_twice(self) -> None:
        hourly = IntervalSchedule(HOUR, start=datetime(2026, 1, 1, tzinfo=NEW_YORK))
        assert fires(hourly, "2026-11-01T00:30-04:00", 3) == [
            "2026-11-01 01:00-04:00",
            "2026-11-01 01:00-05:00",
            "2026-11-01 02:00-05:00",
        ]

    @pytest.mark.parametrize(
        ("passes", "yes", "no"),
        [
            (on_datetime(at("2026-03-02T09:00")), "2026-03-02T09:00", "2026-03-02T09:01"),
            (
                between_datetimes(at("2026-03-02T09:00"), at("2026-03-03T09:00")),
                "2026-03-03T09:00",
                "2026-03-03T09:01",
            ),
            (on_date(3, 2), "2027-03-02T12:00", "2027-03-03T12:00"),
            (between_dates(3, 1, 3, 31), "2026-03-31T23:59", "2026-04-01T00:00"),
            (between_dates(12, 24, 1, 2), "2027-01-02T12:00", "2027-01-03T12:00"),
            (at_time(time(9)), "2026-03-02T09:00", "2026-03-02T09:01"),
            (between_times(time(9), time(17)), "2026-03-02T17:00", "2026-03-02T17:01"),
            (between_times(time(22), time(2)), "2026-03-02T01:00", "2026-03-02T12:00"),
            (is_weekday, "2026-03-06T12:00", "2026-03-07T12:00"),
            (is_weekend, "2026-03-08T12:00", "2026-03-09T12:00"),
            (is_month_start, "2026-03-01T12:00", "2026-03-02T12:00"),
            (is_month_end, "2028-02-29T12:00", "2028-02-28T12:00"),
            (is_day_of_week(0), "2026-03-02T12:00", "2026-03-01T12:00"),
            (is_day_of_week("sunday"), "2026-03-01T12:00", "2026-03-02T12:00"),
        ],
    )
    def test_s04_the_filters(self, passes: Callable[[datetime], bool], yes: str, no: str) -> None:
        assert passes(at(f"{yes}+00:00"))
        assert not passes(at(f"{no}+00:00"))

    def test_s04_the_adjustments(self) -> None:
        weekly = DatesSchedule([at("2026-03-07T09:00+00:00")], adjustments=[next_weekday])
        assert fires(weekly, MONDAY, 1) == ["2026-03-09 09:00+00:00"]
        later = IntervalSchedule(DAY, adjustments=[add(timedelta(hours=2))])
        assert fires(later, MONDAY, 1) == ["2026-03-02 02:00+00:00"]

    def test_s05_following_a_schedule_waits_runs_and_begins_again_until_its_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "asyncflow")
        seen: list[float] = []

        @flow(schedule=IntervalSchedule(MINUTE, runs=2))
        async def scheduled() -> None:
            seen.append(asyncio.get_running_loop().time())

        last = run_virtual(scheduled.follow())
        assert last.is_success()
        assert seen[1] - seen[0] == 60
        told = [record.getMessage() for record in caplog.records if "scheduled run" in record.getMessage()]
        assert [text.partition(" at ")[0] for text in told] == [
            "Waiting for next scheduled run",
            "Waiting for next scheduled run",
            "Flow 'scheduled' has no more scheduled runs.",
        ]

    def test_s05_a_schedule_that_has_ended_is_refused(self) -> None:
        over = flow(name="f", schedule=DatesSchedule([at("2001-01-01T00:00+00:00")]))(lambda: None)
        with pytest.raises(ValueError, match=r"Flow has no more scheduled runs\."):
            over.run()

    def test_s05_runs_never_overlap_and_what_was_missed_is_lost(self) -> None:
        seen: list[float] = []

        @flow(schedule=IntervalSchedule(MINUTE, runs=4))
        async def long() -> None:
            seen.append(asyncio.get_running_loop().time())
            await asyncio.sleep(90)

        run_virtual(long.follow())
        assert [moment - seen[0] for moment in seen] == [0, 120]


class TestLoopsAndPauses:
    def test_loop_runs_again_at_once_from_what_the_iteration_before_left(self) -> None:
        seen: list[tuple[int, Any, float]] = []

        @task
        async def pages() -> Any:
            here = current()
            seen.append((here.loop_count, here.loop_result, asyncio.get_running_loop().time()))
            if here.loop_count < 3:
                raise signals.LOOP("next", result=here.loop_count * 10)
            return here.loop_result

        run = play(flow(name="f")(lambda: pages()))
        assert run.result() == 20
        assert seen == [(1, None, 0.0), (2, 10, 0.0), (3, 20, 0.0)]

    def test_loop_a_failure_in_between_is_retried_from_the_last_result(self) -> None:
        calls: list[int] = []

        @task(max_retries=1, retry_delay=1)
        async def pages() -> Any:
            here = current()
            calls.append(here.loop_count)
            if calls.count(3) == 1 and here.loop_count == 3:
                raise ValueError("no")
            if here.loop_count < 4:
                raise signals.LOOP(result=(here.loop_result or 0) + 1)
            return here.loop_result

        run = play(flow(name="f")(lambda: pages()))
        assert (run.result(), calls) == (3, [1, 2, 3, 3, 4])

    def test_loop_handlers_see_each_iteration_begin_again(self) -> None:
        seen: list[tuple[str, str]] = []

        @task(state_handlers=[lambda obj, old, new: seen.append((old.name, new.name))])
        async def pages() -> None:
            if current().loop_count < 2:
                raise signals.LOOP

        play(flow(name="f")(lambda: pages()))
        assert seen == [
            ("Pending", "Running"),
            ("Running", "Retrying"),
            ("Retrying", "Running"),
            ("Running", "Success"),
        ]

    def paused_and_resumed(self, gate: Any) -> tuple[FlowRun, FlowRun]:
        """Run a flow with a gate between two tasks to its rest, and from there to its end."""
        gated = flow(name="f")(lambda: double(gate(double(1))))

        async def story() -> tuple[FlowRun, FlowRun]:
            first: Any = await (await gated.start()).wait()
            return first, await (await gated.start_resumed(first, input=5)).wait()

        return run_virtual(story())

    def test_pause_ends_the_run_paused_and_a_resume_goes_on_with_what_there_was(self) -> None:
        @task
        async def gate(value: int) -> int:
            here = current()
            if not here.resumed:
                raise signals.PAUSE("look at it")
            return value + here.input

        first, second = self.paused_and_resumed(gate)
        assert first.is_paused()
        assert final(first) == {"double": "Success", "gate": "Paused", "double#2": "Pending"}
        assert second.result() == 14
        assert second.tasks["double"].attempt == 1

    def test_pause_takes_no_start_time(self) -> None:
        with pytest.raises(TypeError, match="start_time"):
            signals.PAUSE("later", start_time=datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[call-arg]

    def test_pause_in_a_handler_pauses_too(self) -> None:
        def ask(obj: Any, old: states.State, new: states.State) -> None:
            if new.is_running() and not obj.resumed:
                raise signals.PAUSE("not before noon")

        first, second = self.paused_and_resumed(double.with_options(name="gate", state_handlers=[ask]))
        assert first.is_paused()
        assert second.result() == 8

    @pytest.mark.parametrize("upstream", [True, False])
    def test_manual_only_pauses_until_somebody_resumes(self, upstream: bool) -> None:
        gate = task(name="gate", trigger=triggers.manual_only)(lambda value=1: value)
        waits = gate if upstream else lambda _value: gate()
        first, second = self.paused_and_resumed(waits)
        assert first.tasks["gate"].state.is_paused()
        assert first.tasks["gate"].attempt == 0
        assert second.is_success()
