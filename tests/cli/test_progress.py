from __future__ import annotations

import pytest

from asyncflow import ambient
from asyncflow.cli.progress import Progress
from asyncflow.sim.clock import Clock


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> object:
    """Plays repeats that take so long each, and returns what stderr got."""

    def play(times: int, seconds: float, *, live: bool) -> str:
        clock = Clock()
        world = ambient.World(monotonic=clock.monotonic)
        with ambient.entered(world), Progress(times, live=live) as progress:
            for number in range(2, times + 1):
                clock.now += seconds
                progress.at(number)
        out, err = capsys.readouterr()
        assert out == ""
        return err

    return play


def test_nothing_is_said_of_what_is_quick(told) -> None:
    assert told(10, 0.05, live=True) == ""


def test_a_terminal_gets_one_line_that_is_redrawn_and_taken_away(told) -> None:
    shown = "".join(f"\rrun {number} of 5" for number in (3, 4, 5))
    assert told(5, 0.5, live=True) == f"{shown}\r\x1b[K"


def test_a_file_gets_a_line_now_and_then(told) -> None:
    err = told(2500, 0.5, live=False)
    assert err.splitlines()[:2] == ["run 21 of 2,500", "run 41 of 2,500"]
    assert err.endswith("run 2,481 of 2,500\n")
