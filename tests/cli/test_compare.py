"""`asyncflow scenario --compare`: a scenario and its variants side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asyncflow.cli.shapes import VariantsShape
from tests.cli.conftest import SCENARIO, Call

VARIANTS = """
[variant.patient]
title = "The same fault, with two attempts"
policy.double.retry = { max_attempts = 2 }

[variant.patient.expect]
flow = "Success"
attempts = { double = 2 }

[variant.hopeless.expect]
flow = "Success"
"""


@pytest.fixture
def variants(folder: Path) -> str:
    """A scenario of which one variant recovers, and one expects what does not happen."""
    once = SCENARIO.format(expected="Failed").replace('task = "double"', 'task = "double", attempt = 1')
    (folder / "variants.toml").write_text(once + VARIANTS, encoding="utf-8")
    return "variants.toml"


def test_the_scenario_and_its_variants_are_told_side_by_side(af: Call, variants: str) -> None:
    done = af("scenario", variants, "--compare", "--variant", "patient")

    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["Doubling fails", "The only attempt raises."]
    headings = [line for line in lines if " after " in line and "held  " in line]
    assert [heading.split("  ")[0] for heading in headings] == ["as written", "patient"]
    assert headings[1].endswith("The same fault, with two attempts")
    assert any(line.split() == ["as", "written", "patient"] for line in lines)
    assert any(line.split() == ["attempts", "1", "2"] for line in lines)
    assert lines[-1] == (
        "The same faults with seed 3: as written ends Failed, patient ends Success; every verdict held."
    )


def test_one_verdict_that_does_not_hold_is_enough_to_exit_with_3(af: Call, variants: str) -> None:
    done = af("scenario", variants, "--compare")

    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert "hopeless: Violated: expected that the flow ends Success, but found Failed." in lines
    assert "2 of 3 verdicts held." in " ".join(lines)
    assert lines[-1] == (
        "Look closer: asyncflow scenario variants.toml --variant hopeless --world simulated --seed 3"
    )


def test_all_are_played_in_the_simulated_world_with_one_seed(data: Callable[..., Any], variants: str) -> None:
    found = data("scenario", variants, "--compare", "--seed", "11")

    msgspec.convert(found, VariantsShape)
    assert (found["world"], found["seed"], found["held"]) == ("simulated", 11, False)
    reports = [one["report"] for one in found["variants"]]
    assert [one["variant"] for one in found["variants"]] == [None, "patient", "hopeless"]
    assert {report["seed"] for report in reports} == {11}
    assert [report["flow"]["state"] for report in reports] == ["Failed", "Success", "Failed"]
    assert [one["measures"]["retries"] for one in found["variants"]] == [0, 1, 0]


@pytest.mark.real_time("it is played in the real world")
def test_the_real_world_is_taken_when_it_is_asked_for(data: Callable[..., Any], variants: str) -> None:
    assert data("scenario", variants, "--compare", "--world", "real")["world"] == "real"


def test_a_seed_that_nobody_says_is_drawn_once_for_all(
    data: Callable[..., Any], variants: str, folder: Path
) -> None:
    text = (folder / variants).read_text(encoding="utf-8").replace("seed = 3\n", "")
    (folder / variants).write_text(text, encoding="utf-8")

    found = data("scenario", variants, "--compare")

    assert {one["report"]["seed"] for one in found["variants"]} == {found["seed"]}


def test_each_run_is_listed_among_the_ordinary_ones(
    af: Call, data: Callable[..., Any], variants: str
) -> None:
    af("scenario", variants, "--compare")

    assert {run["variant"] for run in data("runs")} == {None, "patient", "hopeless"}


def test_what_bodies_print_stays_out_of_the_document(af: Call, variants: str) -> None:
    done = af("scenario", variants, "--compare", "--json")

    json.loads(done.stdout)
    assert done.stderr.count("printed by the body") == 3


def test_quiet_says_one_sentence(af: Call, variants: str) -> None:
    told = af("scenario", variants, "--compare", "-q").stdout.replace("printed by the body\n", "")

    assert told.startswith("The same faults with seed 3: ")
    assert told.count(".") == 1


@pytest.mark.parametrize(
    ("typed", "code", "text"),
    [
        (("held.toml",), 2, "held.toml has no variants, and so nothing to compare; add [variant.NAME]"),
        (("variants.toml", "--variant", "patent"), 4, "no variant 'patent'. Did you mean 'patient'?"),
        (("variants.toml", "--repeat", "2"), 2, "--repeat is for one rehearsal; leave out --compare"),
        (("variants.toml", "--trace", "t"), 2, "--trace is for one rehearsal; leave out --compare"),
    ],
)
def test_what_can_not_be_compared_says_why(
    af: Call, variants: str, typed: tuple[str, ...], code: int, text: str
) -> None:
    assert variants == "variants.toml"
    done = af("scenario", *typed, "--compare")

    assert done.exit_code == code
    assert text in done.stderr
    assert done.stdout == ""
