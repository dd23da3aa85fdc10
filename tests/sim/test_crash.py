"""A crash: the process stops between two callbacks, and nothing of it runs ever after."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from asyncflow.errors import Crashed, UsageError
from asyncflow.sim import Simulation, run
from tests.shape.programs import run_program


class Lives:
    """A program that would tell, by files, whatever of it still runs.

    Args:
        folder: where it writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.simulation = Simulation()

    def write(self, name: str) -> None:
        (self.folder / name).write_text("I lived")

    async def wait(self, name: str) -> None:
        try:
            self.write(f"{name} started")
            await asyncio.Event().wait()
        finally:
            self.write(f"{name} ended")

    async def generate(self, name):
        try:
            yield await self.wait(name)
        finally:
            self.write(f"{name} closed")

    async def drain(self, name: str) -> None:
        async for _ in self.generate(name):
            pass

    async def main(self, *, when: float = 1.0) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(when, self.die)
        loop.call_later(when, self.write, "the next callback ran")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.wait("child"))
                group.create_task(self.drain("generator"))
                forgotten = loop.create_task(self.wait("forgotten"))
                await self.wait("main")
                del forgotten
        finally:
            self.write("group ended")

    def die(self) -> None:
        self.simulation.crash("power cut")
        self.write("the callback that was running went on to its end")

    def written(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


BEFORE_THE_CRASH = [
    "child started",
    "forgotten started",
    "generator started",
    "main started",
    "the callback that was running went on to its end",
]


def test_a_crash_stops_the_program_between_two_callbacks_and_no_finally_block_runs(tmp_path):
    lives = Lives(tmp_path)
    with pytest.raises(Crashed, match="power cut") as caught:
        lives.simulation.run(lives.main())
    assert caught.value.why == "power cut"
    assert lives.written() == BEFORE_THE_CRASH


def test_nothing_of_a_crashed_program_runs_later_either(tmp_path, caplog):
    lives = Lives(tmp_path)
    with suppress(Crashed):
        lives.simulation.run(lives.main())
    lives.simulation = None
    for _ in range(3):
        gc.collect()
    assert lives.written() == BEFORE_THE_CRASH
    run(asyncio.sleep(1))
    gc.collect()
    assert lives.written() == BEFORE_THE_CRASH
    assert caplog.text == ""


@pytest.mark.process
def test_not_even_the_end_of_the_interpreter_wakes_a_crashed_program(tmp_path):
    (tmp_path / "files").mkdir()
    program = """
import sys
from contextlib import suppress
from pathlib import Path
from asyncflow.sim import Crashed
from tests.sim.test_crash import Lives

lives = Lives(Path(sys.argv[1]))
try:
    lives.simulation.run(lives.main())
except Crashed:
    print("crashed")
"""
    done = run_program([sys.executable, "-c", program, str(tmp_path / "files")], tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("crashed\n", "", 0)
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == BEFORE_THE_CRASH


def test_a_crash_is_in_the_trace():
    async def main():
        await asyncio.sleep(2)
        simulation.crash("step 3")
        await asyncio.sleep(2)

    simulation = Simulation()
    with pytest.raises(Crashed):
        simulation.run(main())
    assert simulation.trace.lines[-1].startswith("2.000000 process.crash ")
    assert "step 3" in simulation.trace.lines[-1]


@pytest.mark.parametrize("last_words", ["return", "raise", "exit"])
def test_what_a_program_says_in_the_callback_in_which_it_dies_is_not_heard(last_words):
    async def main():
        simulation.crash("right now")
        if last_words == "raise":
            raise ValueError("too late")
        if last_words == "exit":
            sys.exit("too late")
        return "too late"

    simulation = Simulation()
    with pytest.raises(Crashed):
        simulation.run(main())


def test_a_second_crash_changes_nothing():
    async def main():
        simulation.crash("first")
        simulation.crash("second")
        await asyncio.sleep(1)

    simulation = Simulation()
    with pytest.raises(Crashed, match="first"):
        simulation.run(main())


def test_clean_up_code_of_a_program_that_is_over_can_not_crash_it():
    async def main():
        asyncio.get_running_loop().create_task(crashes_at_the_end())
        await asyncio.sleep(1)
        return "done"

    async def crashes_at_the_end():
        try:
            await asyncio.Event().wait()
        finally:
            simulation.crash("too late")
            await asyncio.sleep(1)
            seen.append("cleaned up")

    seen, simulation = [], Simulation()
    assert simulation.run(main()) == "done"
    assert seen == ["cleaned up"]


def test_a_program_that_does_not_run_can_not_crash():
    with pytest.raises(UsageError, match="not running"):
        Simulation().crash("early")


def test_the_next_world_knows_nothing_of_a_crash(tmp_path):
    lives = Lives(tmp_path)
    with pytest.raises(Crashed):
        lives.simulation.run(lives.main())
    assert run(asyncio.sleep(5, "fine")) == "fine"
    assert gc.isenabled()
    assert asyncio._get_running_loop() is None
