"""`asyncflow trace diff`, and traces that `asyncflow scenario` writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asyncflow.cli.shapes import ComparisonShape, ReportShape
from asyncflow.sim.trace.file import read
from tests.cli.conftest import Call

DIVERGING = """
import asyncio
from asyncflow import flow, task

played = []

@task
async def count():
    played.append(1)
    await asyncio.sleep(len(played) // 3)

@flow
async def counting():
    return count()
"""
FLOW = 'format = 1\nflow = "diverging.py:counting"\nworld = "simulated"\nseed = 7\n'


@pytest.fixture
def diverging(folder: Path) -> str:
    """A scenario that is another one every third time."""
    (folder / "diverging.py").write_text(DIVERGING, encoding="utf-8")
    (folder / "diverging.toml").write_text(FLOW, encoding="utf-8")
    return "diverging.toml"


@pytest.fixture
def trace(af: Call) -> Callable[..., str]:
    """Writes a trace of the scenario held.toml."""

    def write(name: str, *more: str) -> str:
        af("scenario", "held.toml", "--world", "simulated", "--trace", name, *more)
        return name

    return write


def test_a_trace_says_what_was_played_and_what_happened(trace: Callable[..., str]) -> None:
    found = read(trace("a.trace"))

    assert (found.header.scenario, found.header.variant, found.header.seed) == ("held", None, 3)
    assert found.header.aiohttp
    assert found.header.asyncflow
    assert any(" event.fault_injected doubles double 1 " in line for line in found.lines)


def test_two_traces_of_one_seed_are_the_same(af: Call, trace: Callable[..., str]) -> None:
    done = af("trace", "diff", trace("a.trace"), trace("b.trace"))

    assert done.exit_code == 0
    assert done.stdout == f"The same: {len(read('a.trace').lines)} lines.\n"


def test_what_was_not_the_same_from_the_start_is_told_first(af: Call, trace: Callable[..., str]) -> None:
    done = af("trace", "diff", trace("a.trace"), trace("b.trace", "--seed", "4"))

    assert done.exit_code == 3
    first, second, *_ = done.stdout.splitlines()
    assert first == "Another seed: 3 in a.trace, 4 in b.trace."
    assert second.startswith("They part in line ")


def test_the_first_difference_is_shown_in_full_with_the_lines_before(
    af: Call, trace: Callable[..., str], folder: Path
) -> None:
    text = Path(trace("a.trace")).read_text(encoding="ascii")
    (folder / "b.trace").write_text(text.replace("planned", "unplanned" + "!" * 200), encoding="ascii")

    done = af("trace", "diff", "a.trace", "b.trace", "--plain")

    lines = read("a.trace").lines
    number = next(at for at, line in enumerate(lines, 1) if "planned" in line)
    told, shown = done.stdout.split(f"\n{number - 3} ", 1)
    assert told.startswith(f"They part in line {number} (a.trace:{number + 10} and b.trace:{number + 10}):")
    shown = f"{number - 3} {shown}".splitlines()
    assert [line.split()[0] for line in shown[:3]] == [str(number - 3), str(number - 2), str(number - 1)]
    rest = "".join(line[5:] for line in shown[3:])
    assert rest == lines[number - 1] + lines[number - 1].replace("planned", "unplanned" + "!" * 200)


def test_a_comparison_as_data(af: Call, data: Callable[..., Any], trace: Callable[..., str]) -> None:
    same = data("trace", "diff", trace("a.trace"), trace("b.trace"))
    other = data("trace", "diff", "a.trace", trace("c.trace", "--seed", "4"))

    for answer in (same, other):
        msgspec.convert(answer, ComparisonShape)
    assert same == {"v": 1, "same": True, "header": [], "difference": None}
    assert other["header"] == [{"what": "seed", "left": "3", "right": "4"}]
    assert other["difference"]["left"] != other["difference"]["right"]


@pytest.mark.parametrize(
    ("typed", "code", "text"),
    [
        (("trace", "diff", "held.toml", "a.trace"), 2, "held.toml:1: is not a trace"),
        (("trace", "diff", "gone.trace", "a.trace"), 4, "there is no file 'gone.trace'"),
        (("trace", "diff", "a.trace"), 2, "Missing argument 'B'"),
        (("trace", "show", "a.trace", "a.trace"), 2, "'show' is not 'diff'"),
    ],
)
def test_what_can_not_be_compared_says_why(
    af: Call, trace: Callable[..., str], typed: tuple[str, ...], code: int, text: str
) -> None:
    trace("a.trace")

    done = af(*typed)

    assert done.exit_code == code
    assert text in done.stderr
    assert done.stdout == ""


# ---------------------------------------------------------------------- repeats


def test_repeats_show_one_picture_and_one_trace(af: Call) -> None:
    done = af("scenario", "held.toml", "--world", "simulated", "--repeat", "20")

    assert done.exit_code == 0
    assert done.stdout.count("double  ✗ Failed") == 1
    assert "20 runs, one trace" in done.stdout
    assert done.stderr.count("printed by the body") == 0
    assert done.stdout.splitlines()[-1].startswith("Failed successfully: ")


def test_a_simulated_rehearsal_says_how_much_time_it_spared(af: Call) -> None:
    done = af("scenario", "data_dependency", "--world", "simulated")

    assert "20 ms simulated in " in done.stdout
    assert "(sha256 " in done.stdout


def test_repeats_that_differ_are_told_with_the_difference(af: Call, diverging: str) -> None:
    done = af("scenario", diverging, "--repeat", "5", "--trace", "x.trace")

    assert done.exit_code == 3
    assert "5 runs, 2 traces" in done.stdout
    assert "Diverged: 5 runs of seed 7 had 2 different traces; run 3 differs" in done.stdout
    closer = done.stdout.splitlines()[-1]
    assert closer == "Look closer: asyncflow trace diff x.trace x.other.trace"
    assert af(*closer.split()[3:]).exit_code == 3


def test_the_report_of_a_divergence_fits_its_shape(data: Callable[..., Any], diverging: str) -> None:
    report = data("scenario", diverging, "--repeat", "5")

    msgspec.convert(report, ReportShape)
    assert (report["verdict"], report["repeats"], report["traces"]) == ("diverged", 5, 2)
    assert report["world"] == "simulated"


def test_a_trace_that_can_not_be_written_is_told(af: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("asyncflow.sim.trace.file.write", full)

    done = af("scenario", "held.toml", "--world", "simulated", "--trace", "x.trace")

    assert done.exit_code == 2
    assert "the trace can't be written to x.trace: no space left on device" in done.stderr


# ---------------------------------------------------------------------- among the other runs


def test_a_simulated_run_is_listed_once_and_when_it_was_really_played(
    af: Call, data: Callable[..., Any]
) -> None:
    af("scenario", "held.toml", "--world", "simulated")
    af("run", "flows.py:doubles")
    before = data("runs")
    af("scenario", "held.toml", "--world", "simulated")
    after = data("runs")

    assert [run["scenario"] for run in before] == [None, "held.toml"]
    assert [run["scenario"] for run in after] == ["held.toml", None]
    assert before[1]["run"] == after[0]["run"]
    assert before[1]["started"] < before[0]["started"] < after[0]["started"]
    assert after[0]["world"] == "simulated"
    assert "just now" in af("runs").stdout.splitlines()[1] or " s ago" in af("runs").stdout.splitlines()[1]


def test_show_says_that_a_run_was_simulated_and_how_it_is_played_again(af: Call) -> None:
    af("scenario", "parse_recovers", "--variant", "no-policy", "--world", "simulated", "--seed", "5")

    shown = af("show").stdout

    assert "simulated with seed 5, in virtual time" in shown
    assert "variant no-policy" in shown
    again = "asyncflow scenario parse_recovers --variant no-policy --seed 5 --world simulated"
    assert shown.endswith(f"Run it again:\npython -m {again}\n")
    assert af(*again.split()[1:], "-q").exit_code == 0


def test_show_as_data_has_variant_and_world(af: Call, data: Callable[..., Any]) -> None:
    af("scenario", "parse_recovers", "--variant", "no-policy", "--world", "simulated")

    shown = data("show")

    assert (shown["variant"], shown["world"]) == ("no-policy", "simulated")
