"""`asyncflow scenario`: what is told, what is kept, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asyncflow.cli.shapes import ReportShape
from asyncflow.errors import StoreError
from asyncflow.store import SQLiteStore
from tests.cli.conftest import SCENARIO, Call


def test_a_verdict_that_holds_is_told_with_the_picture(af: Call) -> None:
    done = af("scenario", "held.toml")

    assert done.exit_code == 0
    title, story, *_ = done.stdout.splitlines()
    assert (title, story) == ("Doubling fails", "The only attempt raises.")
    assert "double  ✗ Failed" in done.stdout
    assert "✓ 1 expectation held" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Failed successfully: ")
    assert done.stderr == ""


def test_a_verdict_that_does_not_hold_exits_with_3_and_names_what_looks_closer(af: Call) -> None:
    done = af("scenario", "violated.toml")

    assert done.exit_code == 3
    assert "✗ the flow ends Success: Failed" in done.stdout
    assert "Violated: expected that the flow ends Success, but found Failed." in done.stdout
    closer = done.stdout.splitlines()[-1]
    assert closer.startswith("Look closer: asyncflow show ")
    shown = af("show", closer.split()[-1])
    assert shown.exit_code == 0
    assert "scenario violated.toml  seed 3" in shown.stdout


def test_a_fault_that_never_strikes_is_not_a_pass(af: Call, folder: Path) -> None:
    text = SCENARIO.format(expected="Success").replace('task = "double"', 'task = "double", attempt = 9')
    (folder / "missed.toml").write_text(text, encoding="utf-8")

    done = af("scenario", "missed.toml", "--quiet")

    assert done.exit_code == 3
    assert "Not reached: raise at task double, attempt 9 never struck" in done.stdout


def test_each_run_of_a_schedule_is_drawn_and_kept(af: Call, data: Callable[..., Any]) -> None:
    done = af("scenario", "scheduled_every_minute")

    assert done.exit_code == 0
    fires = [line for line in done.stdout.splitlines() if line.startswith("Fire ")]
    assert fires == [
        "Fire 1 of 3",
        "Fire 2 of 3, 1 min after the first",
        "Fire 3 of 3, 2 min after the first",
    ]
    assert "2 min simulated in " in done.stdout
    report = data("scenario", "scheduled_every_minute")
    msgspec.convert(report, ReportShape)
    assert [fire["flow"]["state"] for fire in report["fires"]] == ["Success", "Failed", "Success"]
    assert {fire["name"] for fire in report["fires"]} == {row["name"] for row in data("runs")}


def test_json_is_exactly_the_report(data: Callable[..., Any]) -> None:
    report = data("scenario", "violated.toml", "--seed", "11")

    msgspec.convert(report, ReportShape)
    assert (report["scenario"], report["verdict"], report["seed"]) == ("violated.toml", "violated", 11)
    assert report["faults"] == [{"at": {"task": "double"}, "do": "raise", "fired": 1, "optional": False}]
    assert report["flow"] == {"name": "doubles", "state": "Failed"}
    assert report["tasks"] == {"double": {"state": "Failed", "attempts": 1, "calls": 1}}
    assert report["expectations"] == [{"what": "the flow ends Success", "held": False, "detail": "Failed"}]


def test_what_bodies_print_stays_out_of_the_document(af: Call) -> None:
    done = af("scenario", "held.toml", "--json")

    json.loads(done.stdout)
    assert "printed by the body" in done.stderr


def test_quiet_says_the_verdict_and_nothing_else(af: Call) -> None:
    done = af("scenario", "hello_world", "-q")

    assert done.stdout == "Held: no fault was in the way and the flow ended Success, as expected.\n"


def test_a_variant_is_introduced_and_played(af: Call) -> None:
    done = af("scenario", "parse_recovers", "--variant", "no-policy")

    assert done.exit_code == 0
    assert "Variant no-policy: " in done.stdout
    assert "parse_complaints  ✗ Failed" in done.stdout


def test_rehearsals_are_listed_with_their_folder(af: Call, data: Callable[..., Any], folder: Path) -> None:
    af("scenario", "held.toml")

    (run,) = data("runs")
    assert (run["scenario"], run["state"], run["faults"], run["attempts"]) == ("held.toml", "Failed", 1, 1)
    assert Path(run["home"]).parent == folder / "data" / "rehearsals"
    assert (folder / "data" / "rehearsals" / ".gitignore").read_text(encoding="utf-8") == "*\n"


@pytest.mark.parametrize(
    ("typed", "code", "text"),
    [
        (("fail_pars",), 4, "Did you mean 'fail_parse'?"),
        (("fail-parse",), 4, "Did you mean 'fail_parse'?"),
        (("hell.toml",), 4, "Did you mean 'held.toml'?"),
        (("zzz",), 4, "`asyncflow scenarios` lists"),
        ((), 2, "Which scenario? `asyncflow scenarios` lists"),
        (("held.toml", "--variant", "x"), 4, "no variant 'x'"),
        (("held.toml", "--repeat", "2"), 2, "--repeat is for the simulated world"),
        (("held.toml", "--repeat", "0"), 2, "0 is not in the range"),
        (("held.toml", "--trace", "x"), 2, "--trace is for the simulated world"),
        (("held.toml", "--world", "simulated", "--trace", "no/x"), 2, "there is no folder no; make it first"),
        (("held.toml", "--world", "simulated", "--trace", "."), 2, "is a folder"),
        (("held.toml", "--world", "moon"), 2, "'moon' is not one of"),
        (("held.toml", "--seed", "x"), 2, "'x' is not a valid integer"),
        (("held.toml", "--log-level", "loud"), 2, "'loud' is not one of"),
    ],
)
def test_what_can_not_be_played_says_why(af: Call, typed: tuple[str, ...], code: int, text: str) -> None:
    done = af("scenario", *typed)

    assert done.exit_code == code
    assert text in done.stderr
    assert done.stdout == ""


_GOOD = 'format = 1\nflow = "flows.py:doubles"\n'


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (_GOOD + "[expect\n", 2, "bad.toml:3: not valid TOML"),
        (_GOOD + "sed = 3\n", 2, "bad.toml:3: sed: unknown key. Did you mean 'seed'?"),
        (_GOOD + 'seed = "x"\n', 2, "bad.toml:3: seed: expected a whole number"),
        (_GOOD + '[expect]\ntasks = { doubel = "Success" }\n', 2, "Did you mean 'double'?"),
        (_GOOD + "[parameters]\nnumer = 1\n", 2, "Did you mean 'number'?"),
        (_GOOD + '[parameters]\nnumber = "many"\n', 2, "number='many'"),
        ('format = 1\nflow = "nowhere.such:flow"\n', 4, "no module 'nowhere'"),
        ('format = 1\nflow = "flows.py:doubels"\n', 4, "Did you mean 'doubles'?"),
        ('format = 1\nflow = "leaves.py:f"\n', 2, "ended with sys.exit(7)"),
        ('format = 1\nflow = "flows.py:doubles"\nshuffle = true\n', 2, "not in this version"),
        ("", 2, "bad.toml:1: the file is empty"),
    ],
)
def test_a_file_that_says_nothing_playable_is_answered_with_the_place(
    af: Call, folder: Path, text: str, code: int, told: str
) -> None:
    (folder / "bad.toml").write_text(text, encoding="utf-8")
    (folder / "leaves.py").write_text("import sys\nsys.exit(7)\n", encoding="utf-8")

    done = af("scenario", "bad.toml")

    assert done.exit_code == code
    assert done.stderr.startswith("Error: ")
    assert told in done.stderr
    assert done.stdout == ""


def test_the_command_line_may_say_another_world_than_the_file(af: Call, folder: Path) -> None:
    (folder / "moved.toml").write_text(_GOOD + 'world = "simulated"\n', encoding="utf-8")

    assert af("scenario", "moved.toml", "--world", "real", "-q").exit_code == 0


def test_a_store_that_can_not_be_used_stops_no_rehearsal(af: Call, folder: Path) -> None:
    (folder / "junk.db").write_bytes(b"this is no database at all, only text")

    done = af("scenario", "violated.toml", "--store", "junk.db")

    assert done.exit_code == 3
    assert "it is not a SQLite database" in done.stderr
    assert "`runs` will not list it" in done.stderr
    closer = done.stdout.split("Look closer:")[1].split("asyncflow ")[1]
    _, name, _, store = closer.replace("'", "").strip().split(maxsplit=3)
    assert af("show", name, "--store", store).exit_code == 0


def test_a_folder_that_can_not_be_made_is_replaced_by_a_temporary_one(af: Call, folder: Path) -> None:
    (folder / "file").write_text("", encoding="utf-8")

    done = af("scenario", "held.toml", "--json", "--store", "file/runs.db")

    assert done.exit_code == 0
    assert "can't be written" in done.stderr
    assert (Path(json.loads(done.stdout)["home"]) / "asyncflow.db").is_file()


def test_a_store_that_breaks_while_keeping_costs_the_line_in_the_list_only(
    af: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(SQLiteStore, "keep", broken)

    done = af("scenario", "held.toml", "-q")

    assert done.exit_code == 0
    assert "the disk is gone. `runs` will not list this rehearsal." in done.stderr


def test_in_memory_the_rehearsal_is_found_by_its_own_store(af: Call) -> None:
    done = af("scenario", "violated.toml", "--store", ":memory:")

    assert done.exit_code == 3
    assert "--store" in done.stdout.split("Look closer:")[1]


@pytest.mark.parametrize(("level", "lines"), [(None, 0), ("error", 2), ("info", 4)])
def test_events_are_logged_only_when_asked_for(af: Call, level: str | None, lines: int) -> None:
    asked = [] if level is None else ["--log-level", level]

    told = af("scenario", "held.toml", *asked).stderr.splitlines()

    assert len(told) >= lines
    assert bool(told) is bool(lines)
    assert all(json.loads(line)["level"] for line in told)


def test_a_store_that_breaks_while_closing_is_a_warning(af: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    close = SQLiteStore.close

    async def broken(store: SQLiteStore) -> None:
        await close(store)
        if store.label.endswith("runs.db"):
            raise StoreError("the disk is gone")

    monkeypatch.setattr(SQLiteStore, "close", broken)

    done = af("scenario", "held.toml", "-q")

    assert done.exit_code == 0
    assert done.stderr == "Warning: the disk is gone\n"
