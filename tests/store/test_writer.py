from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from asyncflow.errors import StoreError
from asyncflow.sim.clock import Clock
from asyncflow.store.journal import SQLiteJournal
from asyncflow.store.writer import EVENTS_PER_BATCH, LINGER, RUNS_PER_BATCH, Writer

from .runs import append_all, events_of_a_run, header

EVENT = (0.5, "task_called", 1, 0, {"name": "load", "key": "load-1", "upstream": []})


class File:
    """Takes the batches that a writer writes, and fails when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[Any, ...]]] = []
        self.broken = False
        self.tries = 0

    async def write(self, batch: list[tuple[Any, ...]]) -> None:
        await asyncio.sleep(0)
        self.tries += 1
        if self.broken:
            raise StoreError("the disk is full")
        self.batches.append(batch)

    @property
    def runs(self) -> list[list[str]]:
        """The ids of the runs in each batch."""
        return [[row[0] for row in batch] for batch in self.batches]


@pytest.fixture
def file(virtual_clock: Clock) -> File:
    """What is written to in virtual time: a moment is as long as it says."""
    return File()


def started(file: File) -> Writer:
    writer = Writer(Path("asyncflow.db"), file.write)
    writer.start(asyncio.get_running_loop())
    return writer


def journal(writer: Writer, run_id: str = "a") -> SQLiteJournal:
    made = SQLiteJournal(header(run_id), writer.wake, writer.reach)
    writer.wake(made)
    return made


async def test_events_are_written_a_moment_later_without_a_commit(file: File) -> None:
    writer = started(file)
    mine = journal(writer)
    append_all(mine, events_of_a_run())
    await asyncio.sleep(LINGER * 0.9)
    assert file.batches == []
    await asyncio.sleep(LINGER * 0.2)
    assert mine.kept == len(mine.events)
    assert file.runs == [["a"]]


async def test_events_of_all_runs_share_a_batch(file: File) -> None:
    writer = started(file)
    for name in "abc":
        append_all(journal(writer, name), events_of_a_run())
    await writer.settle()
    assert file.runs == [["a", "b", "c"]]


async def test_nothing_ticks_while_nothing_waits(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = started(file)
    loop = asyncio.get_running_loop()
    armed: list[float] = []
    call_later = loop.call_later

    def counting(delay: float, *rest: Any, **kwargs: Any) -> Any:
        armed.append(delay)
        return call_later(delay, *rest, **kwargs)

    mine = journal(writer)
    await mine.commit()
    monkeypatch.setattr(loop, "call_later", counting)
    for _ in range(1000):
        mine.append(EVENT)
    await asyncio.sleep(0)
    assert armed == [LINGER]
    await mine.commit()
    armed.clear()
    for _ in range(50):
        await asyncio.sleep(0)
    assert armed == []


async def test_a_commit_does_not_wait_for_the_timer(file: File, virtual_clock: Clock) -> None:
    writer = started(file)
    mine = journal(writer)
    for _ in range(20):
        mine.append(EVENT)
        await mine.commit()
    assert virtual_clock.now == 0
    assert len(file.batches) == 20


async def test_a_commit_of_nothing_new_writes_nothing(file: File) -> None:
    writer = started(file)
    mine = journal(writer)
    await mine.commit()
    await mine.commit()
    assert len(file.batches) == 1


async def test_batches_are_bounded_in_events_and_in_runs(file: File) -> None:
    writer = started(file)
    long = journal(writer)
    for _ in range(3 * EVENTS_PER_BATCH + 1):
        long.append(EVENT)
    for number in range(2 * RUNS_PER_BATCH):
        journal(writer, f"short{number}")
    await writer.settle()
    assert max(len(batch) for batch in file.batches) == RUNS_PER_BATCH
    firsts = [row[-2] for batch in file.batches for row in batch if row[0] == "a"]
    assert firsts == [0, EVENTS_PER_BATCH, 2 * EVENTS_PER_BATCH, 3 * EVENTS_PER_BATCH]


async def test_a_long_run_does_not_keep_a_short_one_waiting(file: File) -> None:
    writer = started(file)
    long, short = journal(writer, "long"), journal(writer, "short")
    for _ in range(10 * EVENTS_PER_BATCH):
        long.append(EVENT)
    short.append(EVENT)
    await short.commit()
    assert file.runs == [["long"], ["short", "long"]]


async def test_events_appended_during_a_write_wait_for_the_next_moment(file: File) -> None:
    async def write(batch: list[tuple[Any, ...]]) -> None:
        file.batches.append(batch)
        mine.append(EVENT)

    busy = Writer(Path("asyncflow.db"), write)
    busy.start(asyncio.get_running_loop())
    mine = journal(busy)
    await mine.commit()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(file.batches) == 1
    await asyncio.sleep(LINGER * 1.5)
    assert len(file.batches) == 2
    busy.abandon()


async def test_a_failure_is_told_to_everyone_who_waits(file: File) -> None:
    writer = started(file)
    file.broken = True
    both = [journal(writer, name) for name in "ab"]
    told = [asyncio.ensure_future(one.commit()) for one in both]
    await asyncio.wait(told)
    errors = [one.exception() for one in told]
    assert [str(error) for error in errors] == ["the disk is full", "the disk is full"]
    assert errors[0] is not errors[1]


async def test_after_a_failure_only_a_commit_tries_again_and_once(file: File) -> None:
    writer = started(file)
    mine = journal(writer)
    file.broken = True
    mine.append(EVENT)
    await asyncio.sleep(LINGER * 2)
    assert file.tries == 1
    mine.append(EVENT)
    await asyncio.sleep(3600)
    await writer.settle()
    assert file.tries == 1
    with pytest.raises(StoreError):
        await mine.commit()
    assert file.tries == 2


async def test_after_a_failure_nothing_is_lost_once_writing_works_again(file: File) -> None:
    writer = started(file)
    mine = journal(writer)
    file.broken = True
    mine.append(EVENT)
    with pytest.raises(StoreError):
        await mine.commit()
    mine.append(EVENT)
    file.broken = False
    await mine.commit()
    assert mine.kept == len(mine.events) == 2
    assert [row[-2] for batch in file.batches for row in batch] == [0]
    mine.append(EVENT)
    await asyncio.sleep(LINGER * 2)
    assert mine.kept == 3


async def test_a_cancelled_commit_disturbs_neither_the_writer_nor_the_others(file: File) -> None:
    writer = started(file)
    first, second = journal(writer, "a"), journal(writer, "b")
    giving_up = asyncio.ensure_future(first.commit())
    staying = asyncio.ensure_future(second.commit())
    await asyncio.sleep(0)
    giving_up.cancel()
    await asyncio.wait([giving_up, staying])
    assert giving_up.cancelled()
    assert staying.exception() is None
    assert first.kept == second.kept == 0


async def test_stopping_tries_once_more_and_then_lets_be(file: File) -> None:
    writer = started(file)
    mine = journal(writer)
    mine.append(EVENT)
    file.broken = True
    await asyncio.sleep(LINGER * 2)
    assert file.tries == 1
    await writer.stop()
    assert file.tries == 2
    mine.append(EVENT)
    file.broken = False
    writer.start(asyncio.get_running_loop())
    await mine.commit()
    assert mine.kept == 2


async def test_stopping_waits_for_the_write_that_is_under_way(file: File) -> None:
    writer = started(file)
    mine = journal(writer)
    mine.append(EVENT)
    await writer.stop()
    assert mine.kept == 1
    assert [task.get_name() for task in asyncio.all_tasks() if "writer" in task.get_name()] == []


async def test_a_bug_in_writing_leaves_nobody_waiting() -> None:
    async def write(batch: list[tuple[Any, ...]]) -> None:
        raise ZeroDivisionError("a bug")

    broken = Writer(Path("asyncflow.db"), write)
    broken.start(asyncio.get_running_loop())
    mine = journal(broken)
    with pytest.raises(StoreError, match="can't be written: a bug"):
        await mine.commit()
    broken.abandon()


async def test_appending_never_raises_without_a_loop() -> None:
    stopped = Writer(Path("asyncflow.db"), File().write)
    mine = journal(stopped)
    mine.append(EVENT)
    loop = asyncio.new_event_loop()
    loop.close()
    stopped.start(loop)
    mine.append(EVENT)
    assert len(mine.events) == 2


@pytest.mark.parametrize("turns", range(4))
async def test_a_commit_hears_that_the_writer_was_abandoned_at_any_moment(file: File, turns: int) -> None:
    writer = started(file)
    file.broken = True
    mine = journal(writer)
    committing = asyncio.ensure_future(mine.commit())
    for _ in range(turns):
        await asyncio.sleep(0)
    writer.abandon()
    with pytest.raises(StoreError):
        await committing


async def test_an_abandoned_write_ends_and_does_not_disturb_the_next_start(file: File) -> None:
    async def hang(batch: list[tuple[Any, ...]]) -> None:
        await asyncio.get_running_loop().create_future()

    writer = Writer(Path("asyncflow.db"), hang)
    writer.start(asyncio.get_running_loop())
    mine = journal(writer)
    append_all(mine, [EVENT])
    committing = asyncio.ensure_future(mine.commit())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (hanging,) = (task for task in asyncio.all_tasks() if task.get_name() == "asyncflow-store-writer")
    writer.abandon()
    writer._write = file.write
    writer.start(asyncio.get_running_loop())
    await mine.commit()
    await asyncio.wait([hanging, committing])
    assert hanging.cancelled()
    assert mine.kept == 1


async def test_a_commit_that_comes_as_a_write_ends_is_served_at_once(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = started(file)
    monkeypatch.setattr("asyncflow.store.writer.LINGER", 3600.0)
    mine = journal(writer)
    for turns in range(12):
        mine.append(EVENT)
        first = asyncio.ensure_future(mine.commit())
        for _ in range(turns):
            await asyncio.sleep(0)
        mine.append(EVENT)
        async with asyncio.timeout(5):
            await mine.commit()
            await first
        assert mine.kept == len(mine.events)


async def test_stopping_waits_for_full_batches_that_came_meanwhile() -> None:
    sizes: list[int] = []

    async def write(batch: list[tuple[Any, ...]]) -> None:
        if not sizes:
            append_all(mine, [EVENT] * 10)
        await asyncio.sleep(0)
        sizes.append(batch[0][-2])

    writer = Writer(Path("asyncflow.db"), write)
    writer.start(asyncio.get_running_loop())
    mine = journal(writer)
    append_all(mine, [EVENT] * EVENTS_PER_BATCH)
    await writer.stop()
    assert sizes == [0, EVENTS_PER_BATCH]
    assert mine.kept == len(mine.events)


def test_a_writer_whose_event_loop_died_in_the_middle_writes_in_the_next_one() -> None:
    async def hang(batch: list[tuple[Any, ...]]) -> None:
        first.stop()
        await asyncio.get_running_loop().create_future()

    writer, file = Writer(Path("asyncflow.db"), hang), File()
    first = asyncio.new_event_loop()
    first.set_exception_handler(lambda *_: None)  # it would log that the write was never finished
    writer.start(first)
    mine = journal(writer)
    first.run_forever()
    first.close()
    writer.abandon()
    writer._write = file.write

    async def again() -> None:
        writer.start(asyncio.get_running_loop())
        await mine.commit()

    asyncio.run(again())
    assert mine.kept == 0


async def test_a_commit_is_served_when_an_interrupt_ate_the_end_of_the_last_write(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = started(file)
    with monkeypatch.context() as patched:
        patched.setattr(writer, "_drained", lambda task: None)
        mine = journal(writer)
        mine.append(EVENT)
        await mine.commit()
    mine.append(EVENT)
    async with asyncio.timeout(5):
        await mine.commit()
    assert mine.kept == 2
