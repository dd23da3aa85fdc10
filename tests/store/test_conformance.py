"""What every store promises: the same tests for the one in memory and the one in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncflow.events import Event, RunSummary
from asyncflow.ports import Store
from asyncflow.states import STATES, Failed, Paused, Retrying, Running, Success
from asyncflow.store import MemoryStore, SQLiteStore

from .runs import a_kept_run, append_all, as_read, events_of_a_run, header


async def test_a_run_is_listed_as_soon_as_it_has_a_journal(store: Store) -> None:
    started = header(parameters={"size": "10"}, scenario="fail-parse", seed=2**70)
    store.journal(started)
    assert await store.runs() == [RunSummary(started, "Pending")]


async def test_events_come_back_in_order_with_states_in_their_json_form(store: Store) -> None:
    started = await a_kept_run(store, tasks=3)
    assert await store.events(started.id) == as_read(events_of_a_run(3))


async def test_a_failure_keeps_its_type_text_and_notes(store: Store) -> None:
    error = KeyError("company")
    error.add_note("in attempt 2")
    journal = store.journal(header())
    journal.append((1.5, "state_changed", 1, 2, Failed(result=error, detail={"delay_s": 0.25})))
    await journal.commit()
    (event,) = await store.events(header().id)
    assert event == Event(
        1.5,
        "state_changed",
        1,
        2,
        {
            "state": "Failed",
            "message": "The task failed.",
            "detail": {"delay_s": 0.25},
            "error": {"type": "KeyError", "text": "'company'", "notes": ["in attempt 2"]},
        },
    )


async def test_the_journal_shows_its_events_as_they_were_appended(store: Store) -> None:
    journal = store.journal(header())
    happened = events_of_a_run()
    append_all(journal, happened)
    assert list(journal.events) == happened
    await journal.commit()
    assert all(mine is theirs for mine, theirs in zip(happened, journal.events, strict=True))


async def test_what_was_appended_is_read_back_even_before_a_commit(store: Store) -> None:
    journal = store.journal(header())
    append_all(journal, events_of_a_run())
    assert await store.events(header().id) == as_read(events_of_a_run())


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_the_summary_tells_the_newest_state_of_the_flow(store: Store, state: Any) -> None:
    journal = store.journal(header())
    journal.append((0.0, "state_changed", 0, 0, Running()))
    journal.append((0.5, "state_changed", 0, 0, state()))
    journal.append((0.6, "state_changed", 1, 1, Retrying()))
    await journal.commit()
    assert await store.runs() == [RunSummary(header(), state.__name__)]


async def test_the_summary_of_a_run_that_is_over_tells_its_end_and_its_counts(store: Store) -> None:
    started = await a_kept_run(store, tasks=4)
    assert await store.runs() == [
        RunSummary(started, "Failed", ended=1010.0, tasks=4, attempts=5, faults=1, home=None)
    ]


async def test_a_summary_follows_its_run_over_several_commits(store: Store) -> None:
    journal = store.journal(header())
    seen = []
    for state in (Running(), Paused(), Running(), Success()):
        journal.append((1.0, "state_changed", 0, 0, state))
        await journal.commit()
        seen += [run.state for run in await store.runs()]
    assert seen == ["Running", "Paused", "Running", "Success"]


async def test_a_state_that_was_read_from_another_journal_counts_too(store: Store) -> None:
    journal = store.journal(header())
    journal.append((0.0, "state_changed", 0, 0, Paused().to_json()))
    await journal.commit()
    assert [run.state for run in await store.runs()] == ["Paused"]


async def test_lists_are_newest_first_bounded_and_without_child_runs(store: Store) -> None:
    for number in (2, 0, 3, 1):
        await a_kept_run(store, run_id=f"run{number}", started=1000.0 + number)
    await a_kept_run(store, run_id="child", started=2000.0, parent="run3")
    assert [run.header.id for run in await store.runs()] == ["run3", "run2", "run1", "run0"]
    assert [run.header.id for run in await store.runs(limit=2)] == ["run3", "run2"]
    assert await store.runs(limit=0) == []
    assert await store.runs(limit=-1) == []


async def test_runs_of_the_same_instant_are_listed_by_their_ids(store: Store) -> None:
    for run_id in ("b", "c", "a"):
        await a_kept_run(store, run_id=run_id)
    assert [run.header.id for run in await store.runs()] == ["c", "b", "a"]


async def test_lists_can_be_of_one_flow(store: Store) -> None:
    await a_kept_run(store, run_id="a", flow="etl")
    await a_kept_run(store, run_id="b", flow="report")
    assert [run.header.id for run in await store.runs(flow="report")] == ["b"]
    assert await store.runs(flow="neither") == []


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("0aa1", "0aa1"),  # an id
        ("0aa", "0aa1"),  # the beginning of only one
        ("0b", None),  # the beginning of two
        ("0bb1", "0bb1"),  # an id, and the beginning of another
        ("0ff1", "0ff1"),  # an id, and the name of a newer one
        ("calm-otter", "0cc1"),  # a name: the newest of it
        ("0dd", "0ee1"),  # a name comes before the beginning of an id
        ("0bb11", "0bb11"),  # a child run
        ("heron", None),
        ("0aa1 ", None),
        ("0_a1", None),
        ("%", None),
        ("", None),
        ("\udc80", None),
    ],
)
async def test_a_run_is_found_by_id_by_name_or_by_the_beginning_of_its_id(
    store: Store, reference: str, meant: str | None
) -> None:
    await a_kept_run(store, run_id="0cc1", name="calm-otter", started=30.0)
    await a_kept_run(store, run_id="0aa1", name="calm-otter", started=10.0)
    await a_kept_run(store, run_id="0bb1", started=20.0)
    await a_kept_run(store, run_id="0bb11", parent="0bb1", started=21.0)
    await a_kept_run(store, run_id="0dd1", started=40.0)
    await a_kept_run(store, run_id="0ee1", name="0dd", started=5.0)
    await a_kept_run(store, run_id="0ff1", started=1.0)
    await a_kept_run(store, run_id="0gg1", name="0ff1", started=2.0)
    found = await store.find(reference)
    assert (found and found.header.id) == meant


async def test_an_empty_reference_means_no_run_even_when_there_is_only_one(store: Store) -> None:
    await a_kept_run(store)
    assert await store.find("") is None


async def test_many_runs_at_once_keep_their_events_apart(store: Store) -> None:
    happened = events_of_a_run(20)

    async def run(number: int) -> None:
        journal = store.journal(header(f"run{number:03}", started=float(number)))
        for event in happened:
            journal.append((*event[:4], {"run": number, "state": "Running"}))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await journal.commit()

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(run(number))
    for number in range(100):
        events = await store.events(f"run{number:03}")
        assert [event[:4] for event in events] == [event[:4] for event in happened]
        assert {event.detail["run"] for event in events} == {number}
    assert len(await store.runs(limit=1000)) == 100


async def test_a_long_run_comes_back_whole(store: Store) -> None:
    started = await a_kept_run(store, tasks=1700)
    assert await store.events(started.id) == as_read(events_of_a_run(1700))


async def test_committing_again_or_several_times_at_once_is_harmless(store: Store) -> None:
    journal = store.journal(header())
    await journal.commit()
    append_all(journal, events_of_a_run())
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(journal.commit())
    await journal.commit()
    assert await store.events(header().id) == as_read(events_of_a_run())


async def test_a_run_that_is_kept_elsewhere_is_listed_and_found_with_its_home(store: Store) -> None:
    await a_kept_run(store, run_id="here", started=1.0)
    rehearsed = RunSummary(
        header("there", name="bold-crane", started=2.0, scenario="fail-parse", seed=7),
        "Failed",
        ended=3.0,
        tasks=3,
        attempts=4,
        faults=1,
        home="rehearsals/there",
    )
    await store.keep(rehearsed)
    assert [run.header.id for run in await store.runs()] == ["there", "here"]
    assert await store.find("bold-crane") == rehearsed
    assert await store.events("there") == []


async def test_keeping_a_summary_again_replaces_it(store: Store) -> None:
    await store.keep(RunSummary(header(), "Running", home="a"))
    await store.keep(RunSummary(header(), "Success", ended=2000.0, tasks=1, attempts=1, home="a"))
    (run,) = await store.runs()
    assert (run.state, run.ended, run.home) == ("Success", 2000.0, "a")


async def test_a_run_that_nobody_knows_has_no_events(store: Store) -> None:
    assert await store.events("nobody") == []


async def test_opening_and_closing_again_is_harmless_and_loses_nothing(store: Store) -> None:
    await store.open()
    started = await a_kept_run(store)
    await store.close()
    await store.close()
    await store.open()
    assert await store.events(started.id) == as_read(events_of_a_run())


async def test_abandoning_is_harmless_and_keeps_what_was_committed(store: Store) -> None:
    started = await a_kept_run(store)
    store.abandon()
    store.abandon()
    await store.open()
    assert await store.events(started.id) == as_read(events_of_a_run())


class _Shy:
    def __str__(self) -> str:
        raise RuntimeError("not today")


class _ShyError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not today")


class _Teller:
    def __init__(self, told: Any) -> None:
        self._told = told

    def to_json(self) -> Any:
        return self._told


_ENDLESS: list[Any] = []
_ENDLESS.append(_ENDLESS)


@pytest.mark.parametrize(
    ("detail", "read"),
    [
        ({"file": "caf\udce9.txt"}, {"file": "caf?.txt"}),
        ({"file": "a\x00b"}, {"file": "a\x00b"}),
        ({"n": 2**80, "x": float("nan"), "y": float("inf")}, {"n": 2**80, "x": None, "y": None}),
        (
            {"file": "\udce9", "x": float("nan"), "y": -float("inf"), "z": 0.1},
            {"file": "?", "x": None, "y": None, "z": 0.1},
        ),
        ({("a", 1): 1}, {"('a', 1)": 1}),
        ({"at": Path("a") / "b"}, {"at": str(Path("a") / "b")}),
        ({"who": _Shy(), "n": 1}, {"who": "<_Shy that can't be shown>", "n": 1}),
        ((1, 2, {"three"}), [1, 2, ["three"]]),
        (_Teller({"name": "load", "upstream": [1]}), {"name": "load", "upstream": [1]}),
        (_Teller({"name": "caf\udce9"}), {"name": "caf?"}),
        ("plain text", "plain text"),
        (None, None),
    ],
    ids=[
        "surrogate",
        "nul",
        "numbers",
        "both",
        "keys",
        "path",
        "shy",
        "tuple",
        "teller",
        "awkward teller",
        "text",
        "none",
    ],
)
async def test_an_awkward_detail_harms_no_other_event(store: Store, detail: Any, read: Any) -> None:
    journal = store.journal(header())
    journal.append((0.1, "fault_injected", 1, 1, {"at": 1}))
    journal.append((0.2, "fault_injected", 1, 1, detail))
    journal.append((0.3, "fault_injected", 1, 1, {"at": 3}))
    await journal.commit()
    assert [event.detail for event in await store.events(header().id)] == [{"at": 1}, read, {"at": 3}]


async def test_a_detail_without_end_is_cut_short(store: Store) -> None:
    journal = store.journal(header())
    journal.append((0.1, "fault_injected", 1, 1, _ENDLESS))
    await journal.commit()
    (event,) = await store.events(header().id)
    assert "..." in str(event.detail)


async def test_a_state_whose_error_cannot_be_shown_keeps_its_name(store: Store) -> None:
    journal = store.journal(header())
    journal.append((0.1, "state_changed", 0, 0, Failed(result=_ShyError())))
    await journal.commit()
    (event,) = await store.events(header().id)
    assert event.detail["state"] == "Failed"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
_EVENTS = st.lists(
    st.builds(
        Event,
        offset=st.floats(min_value=0, max_value=1e9),
        kind=st.sampled_from(["task_called", "fault_injected", "breaker_changed"]),
        task=st.integers(0, 10**6),
        attempt=st.integers(0, 10**4),
        detail=_JSON,
    ),
    max_size=8,
)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(
    max_examples=25,
    deadline=None,  # the file's thread shares the machine
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(parts=st.lists(_EVENTS, max_size=3))
def test_any_events_come_back_equal(kind: str, path: Path, parts: list[list[Event]]) -> None:
    async def there_and_back() -> list[Event]:
        store: Store = MemoryStore() if kind == "memory" else SQLiteStore(path)
        await store.open()
        run_id = f"run{len(await store.runs(limit=10**6))}"
        journal = store.journal(header(run_id))
        for part in parts:
            append_all(journal, part)  # type: ignore[arg-type]  # events are tuples
            await journal.commit()
        await store.close()
        await store.open()
        found = await store.events(run_id)
        await store.close()
        return found

    assert asyncio.run(there_and_back()) == [event for part in parts for event in part]
