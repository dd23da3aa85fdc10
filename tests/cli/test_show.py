"""`asyncflow show`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asyncflow.cli.shapes import EventShape, RunShape
from asyncflow.scenario import stage
from asyncflow.store.location import FILE_NAME
from tests.cli.conftest import Call


def test_the_newest_run_is_shown_without_a_name(af: Call, data: Callable[..., Any]) -> None:
    af("run", "flows.py:doubles")
    af("run", "flows.py:fails")

    newest = data("runs")[0]["name"]
    assert af("show").stdout.startswith(f"{newest}  fails\n")


def test_a_run_is_found_by_name_id_and_the_beginning_of_its_id(af: Call, data: Callable[..., Any]) -> None:
    run = data("run", "flows.py:doubles")

    for reference in (run["name"], run["run"], run["run"][:15]):
        assert data("show", reference)["run"] == run["run"]


def test_json_is_the_run_as_it_ended(data: Callable[..., Any]) -> None:
    ran = data("run", "flows.py:fails")

    shown = data("show")

    msgspec.convert(shown, RunShape)
    only_of_run = ("result", "result_text", "store")
    assert shown == {key: value for key, value in ran.items() if key not in only_of_run}


def test_a_rehearsal_is_shown_from_the_store_in_its_folder(af: Call, data: Callable[..., Any]) -> None:
    report = data("scenario", "held.toml")

    shown = data("show", report["name"])

    assert shown["run"] == report["run"]
    assert shown["faults"][0]["do"] == "raise"
    assert "Run it again: " in af("show", report["name"]).stdout


def test_the_store_of_a_rehearsal_has_the_name_that_folders_stand_for() -> None:
    assert stage.STORE == FILE_NAME


def test_a_rehearsal_whose_folder_is_gone_says_how_to_play_it_again(
    af: Call, data: Callable[..., Any]
) -> None:
    report = data("scenario", "held.toml")
    shutil.rmtree(report["home"])

    done = af("show")

    assert done.exit_code == 4
    assert "is gone; play it again with `asyncflow scenario held.toml`" in done.stderr


def test_the_elements_of_a_map_are_shown_on_request_and_always_in_json(
    af: Call, data: Callable[..., Any], folder: Path
) -> None:
    (folder / "maps.py").write_text(
        "from asyncflow import flow\nfrom flows import double\n\n"
        "@flow\nasync def maps():\n    return double.map(range(9))\n"
    )
    af("run", "maps.py:maps")

    rows = [line.split()[0] for line in af("show").stdout.splitlines() if line.strip()]
    assert "double" in rows
    assert "[8]" not in rows
    rows = [line.split()[0] for line in af("show", "--elements").stdout.splitlines() if line.strip()]
    assert rows[rows.index("double") + 1 :][:9] == [f"[{index}]" for index in range(9)]
    shown = msgspec.convert(data("show"), RunShape)
    assert shown.tasks[0].map.states == {"Success": 9}
    assert [element.index for element in shown.tasks[0].map.elements] == list(range(9))


def test_events_are_listed_with_the_tasks_that_they_belong_to(af: Call, data: Callable[..., Any]) -> None:
    af("scenario", "held.toml")

    rows = msgspec.convert(data("show", "--events"), list[EventShape])
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert (rows[0].kind, rows[-1].kind) == ("run_started", "run_ended")
    table = af("show", "--events").stdout
    assert len(table.splitlines()) == len(rows) + 1
    assert "fault_injected  double" in table


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (("show",), "no runs are kept here yet"),
        (("show", "quiet-heron"), "there is no run 'quiet-heron'. `asyncflow runs` lists"),
        (("show", "--store", "nowhere.db"), "there is no store"),
        (("runs", "--store", "nowhere.db"), "there is no store"),
    ],
)
def test_what_is_not_there_is_not_found(af: Call, folder: Path, typed: tuple[str, ...], text: str) -> None:
    done = af(*typed)

    assert done.exit_code == 4
    assert text in done.stderr
    assert not (folder / "data").exists()
    assert not (folder / "nowhere.db").exists()


def test_a_misspelt_name_is_answered_with_the_nearest(af: Call, data: Callable[..., Any]) -> None:
    name = data("run", "flows.py:doubles")["name"]

    done = af("show", name[:-1])

    assert done.exit_code == 4
    assert f"Did you mean '{name}'?" in done.stderr


def test_the_beginning_of_several_ids_is_answered_with_them(af: Call, data: Callable[..., Any]) -> None:
    ids = [data("run", "flows.py:doubles")["run"] for _ in range(2)]

    done = af("show", ids[0][:2])

    assert done.exit_code == 4
    assert "begins the ids of 2 runs" in done.stderr
    assert all(run_id in done.stderr for run_id in ids)


def test_a_run_goes_through_the_file_as_json_that_any_reader_takes(af: Call) -> None:
    af("run", "flows.py:fails")

    text = af("show", "--json").stdout

    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
