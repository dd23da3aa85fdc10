from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import policies_peers, table
from benchmarks.measure import QUICK, Cost, interleaved, plain
from benchmarks.rows import Note, Quantity, Row, ratios, row

ROOT = Path(__file__).resolve().parent.parent


def _numbers(data: Any) -> list[float]:
    if isinstance(data, dict):
        return [number for value in data.values() for number in _numbers(value)]
    return [data] if isinstance(data, int | float) and not isinstance(data, bool) else []


def _a_row(value: float, target: float | None) -> Row:
    return row("engine", "fan-out 10", [value], "x", target=target)


@pytest.mark.process
def test_a_quick_run_gives_finite_numbers_for_every_case():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {one["case"] for one in told["rows"]} == set(command.CASES)
    for one in told["rows"]:
        assert all(math.isfinite(number) for number in _numbers(one)), one
        assert one["low"] <= one["value"] <= one["high"], one
        assert (one["met"] is None) == (one["target"] is None), one


@pytest.mark.parametrize(
    ("values", "options", "code"),
    [
        ([1.9], [], 0),
        ([2.1], [], 0),
        ([1.9, 2.0], ["--strict"], 0),
        ([1.9, 2.1], ["--strict"], 1),
    ],
)
def test_only_strict_makes_an_exit_code_of_a_missed_target(monkeypatch, capsys, values, options, code):
    monkeypatch.setattr(
        command, "CASES", {"engine": ("?", lambda _: [_a_row(value, 2.0) for value in values])}
    )
    assert command.main(options) == code
    assert capsys.readouterr().out.count("fan-out 10") == len(values)


def test_a_row_without_a_target_is_neither_met_nor_missed():
    assert _a_row(9.0, None).met is None


def test_the_chosen_cases_run_with_the_chosen_effort(monkeypatch, capsys):
    asked = []
    cases = {name: ("?", lambda effort, name=name: asked.append((name, effort)) or []) for name in "abc"}
    monkeypatch.setattr(command, "CASES", cases)
    command.main(["c", "a", "--quick"])
    assert asked == [("c", QUICK), ("a", QUICK)]


def test_an_unknown_case_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as left:
        command.main(["engin"])
    assert left.value.code == 2
    assert "engine" in capsys.readouterr().err


def test_a_case_that_can_not_be_measured_here_says_so(monkeypatch, capsys):
    monkeypatch.setattr(command, "CASES", {"memory": ("?", lambda _: [Note("memory", "no such thing here")])})
    assert command.main([]) == 0
    assert "memory: no such thing here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("encoding", "met", "missed"),
    [("utf-8", "✓ met", "✗ missed"), ("ascii", "+ met", "- missed")],
)
def test_a_verdict_is_a_sign_and_a_word_that_the_terminal_can_show(monkeypatch, encoding, met, missed):
    class Out:
        pass

    out = Out()
    out.encoding = encoding  # type: ignore[attr-defined]  # what table reads of a stream
    monkeypatch.setattr(table.sys, "stdout", out)
    shown = table.render([_a_row(1.0, 2.0), _a_row(3.0, 2.0)])
    assert f"| {met} " in shown
    assert f"| {missed} " in shown


def test_every_line_of_the_table_is_equally_long():
    rows = [_a_row(1.0, 2.0), row("memory", "peak", [1.0], "kB", beside={"bare": Quantity(0.99, "kB")})]
    assert len({len(line) for line in table.render(rows).splitlines()}) == 1


async def test_works_take_turns_in_an_order_that_is_turned_round_and_the_first_round_is_not_counted():
    order: list[str] = []

    def work(name: str) -> Any:
        async def go() -> None:
            order.append(name)

        return plain(go)

    costs = await interleaved({"bare": work("bare"), "ours": work("ours")}, repetitions=2)
    assert order == ["ours", "bare", "bare", "ours", "ours", "bare"]
    assert {name: len(found) for name, found in costs.items()} == {"bare": 2, "ours": 2}


def test_a_ratio_is_taken_inside_each_repetition():
    ours = [Cost(cpu=4.0, loop_thread=0.0), Cost(cpu=9.0, loop_thread=0.0)]
    bare = [Cost(cpu=2.0, loop_thread=0.0), Cost(cpu=3.0, loop_thread=0.0)]
    assert ratios(ours, bare) == [2.0, 3.0]


def test_other_libraries_are_measured_when_asked_and_a_missing_one_is_said(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(command, "CASES", {"policies": ("?", lambda effort: asked.append(effort) or [])})
    command.main(["policies", "--quick", "--peers"])
    command.main(["policies", "--quick"])
    assert [effort.with_peers for effort in asked] == [True, False]

    monkeypatch.setattr(policies_peers, "import_module", _missing)
    peers, notes = policies_peers.installed(policies_peers.Settings())
    assert peers == []
    assert [note.text.partition(" is left out")[0] for note in notes] == [
        "hyx",
        "pyresilience",
        "tenacity + circuitbreaker + asyncio",
    ]
    assert all("pip install -e '.[peers]'" in note.text for note in notes)


def _missing(name: str) -> Any:
    raise ImportError(f"No module named {name!r}")
