"""`asyncflow visualize`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call

POSTS = "asyncflow.examples.posts:posts_etl"


def test_a_flow_is_drawn_as_text(af: Call) -> None:
    done = af("visualize", POSTS)

    assert done.exit_code == 0
    assert done.stdout.startswith("Flow posts etl: 6 tasks")
    assert "extract_posts" in done.stdout


def test_plain_text_is_ascii(af: Call) -> None:
    assert af("visualize", POSTS, "--plain").stdout.isascii()


@pytest.mark.parametrize(
    ("name", "begins"), [("a.svg", b"<svg"), ("a.pdf", b"%PDF"), ("a.dot", b"// posts etl"), ("a.mmd", b"")]
)
def test_a_drawing_goes_into_the_file_whose_suffix_says_how(
    af: Call, folder: Path, name: str, begins: bytes
) -> None:
    done = af("visualize", POSTS, "-o", name)

    assert done.exit_code == 0
    assert done.stdout == f"{name}\n"
    assert (folder / name).read_bytes().startswith(begins)


def test_a_run_is_drawn_with_its_states(af: Call, data: Callable[..., Any]) -> None:
    report = data("scenario", "fail_parse")

    graph = data("visualize", report["name"])

    assert {node["label"]: node["state"] for node in graph["nodes"]} == {
        "create_table": "Success",
        "get_complaints": "Success",
        "parse_complaints": "Failed",
        "store_complaints": "TriggerFailed",
    }
    assert len(graph["edges"]) == 3
    assert "✗ Failed" in af("visualize", report["name"]).stdout


def test_a_run_with_a_map_is_drawn_with_one_box_for_it(af: Call, folder: Path) -> None:
    (folder / "maps.py").write_text(
        "from asyncflow import flow\nfrom flows import double\n\n"
        "@flow\nasync def maps():\n    return double.map(double.map([1, 2]))\n"
    )
    af("run", "maps.py:maps")
    name = json.loads(af("runs", "--json").stdout)[0]["name"]
    assert af("visualize", name).stdout.count("double <map>") >= 2
    assert "[0]" not in af("visualize", name).stdout


def test_parameters_decide_what_a_flow_calls(data: Callable[..., Any], af: Call) -> None:
    assert len(data("visualize", "flows.py:naps", "-p", "count=4")["nodes"]) == 4
    assert af("visualize", "flows.py:naps", "-p", "cont=4").exit_code == 2


def test_a_body_that_awaits_is_drawn_as_far_as_it_is_known(af: Call, folder: Path) -> None:
    (folder / "waits.py").write_text(
        "from asyncflow import flow, task\n"
        "@task\nasync def one(): return 1\n"
        "@flow\nasync def two():\n    first = await one()\n    return one()\n",
        encoding="utf-8",
    )

    done = af("visualize", "waits.py:two")

    assert "1 task" in done.stdout
    assert "up to the body's first await" in done.stderr


def test_recorded_flows_are_drawn_whatever_their_parameters(data: Callable[..., Any], folder: Path) -> None:
    (folder / "recorded.py").write_text(
        "from asyncflow import Flow, Parameter, task\n"
        "@task\ndef one(number): return number\n"
        "with Flow('recorded') as f:\n    one(Parameter('number', default=1))\n",
        encoding="utf-8",
    )

    assert len(data("visualize", "recorded.py:f", "-p", "number=3")["nodes"]) == 1


@pytest.mark.parametrize(
    ("typed", "code", "text"),
    [
        (("quiet-heron",), 4, "there is no run 'quiet-heron'"),
        (("flows.py:nothing",), 4, "has no flow 'nothing'"),
        ((POSTS, "-o", "a.png"), 2, "PNG is not drawn in this version"),
        ((POSTS, "-o", "a.jpeg"), 2, "no format for a drawing"),
        ((POSTS, "-o", "nowhere/a.svg"), 2, "there is no folder"),
    ],
)
def test_what_can_not_be_drawn_says_why(af: Call, typed: tuple[str, ...], code: int, text: str) -> None:
    done = af("visualize", *typed)

    assert done.exit_code == code
    assert text in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("line", ["print('not yet')", "raise signals.SKIP", "raise ValueError('not yet')"])
def test_drawing_a_flow_shows_nothing_of_what_its_body_does(af: Call, folder: Path, line: str) -> None:
    (folder / "acts.py").write_text(
        "from asyncflow import flow, signals, task\n"
        "@task\ndef one(): return 1\n"
        f"@flow\ndef f():\n    one()\n    {line}\n",
        encoding="utf-8",
    )

    done = af("visualize", "acts.py:f")

    assert done.exit_code == 0
    assert "1 task" in done.stdout
    assert "not yet" not in done.output
