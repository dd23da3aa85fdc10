"""`asyncflow doctor`: it finds what is wrong, and says how to mend it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta, timezone
from importlib import metadata
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest

from asyncflow.cli import checks
from asyncflow.cli.settings import Settings
from asyncflow.store.schema import MIGRATIONS
from tests.cli.conftest import Call


def found(data: Callable[..., Any], name: str, *args: str) -> dict[str, str]:
    report = data("doctor", *args)
    (finding,) = [check for check in report["checks"] if check["name"] == name]
    assert report["ok"] is all(check["status"] != "fail" for check in report["checks"])
    return finding


def test_a_sound_machine_is_well(af: Call) -> None:
    done = af("doctor")

    assert done.exit_code == 0
    for part in ("python", "packages", "sqlite", "data", "folder", "store", "network", "terminal"):
        assert part in done.stdout
    # The path before it decides where the line is broken.
    assert "will be made by the first run" in " ".join(done.stdout.split())


def test_an_existing_store_is_checked(data: Callable[..., Any], af: Call) -> None:
    af("run", "flows.py:doubles")

    finding = found(data, "store")

    assert finding["status"] == "ok"
    assert f"schema {len(MIGRATIONS)}" in finding["text"]
    assert "sound" in finding["text"]


@pytest.mark.parametrize(
    ("break_it", "text"),
    [
        (lambda file: file.write_bytes(b"only text, and more of it than a header"), "not a SQLite database"),
        (lambda file: _set_version(file, 99), "a newer asyncflow wrote it"),
    ],
)
def test_a_store_that_can_not_be_used_fails(
    af: Call, data: Callable[..., Any], folder: Path, break_it: Callable[[Path], None], text: str
) -> None:
    af("run", "flows.py:doubles")
    for beside in (folder / "data").glob("runs.db-*"):
        beside.unlink()
    break_it(folder / "data" / "runs.db")

    done = af("doctor")

    assert done.exit_code == 1
    assert text in found(data, "store")["text"]
    assert "fail" in done.stdout


def _set_version(file: Path, version: int) -> None:
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_a_damaged_store_is_told_with_the_way_to_save_it(
    af: Call, data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    af("run", "flows.py:doubles")
    monkeypatch.setattr(checks, "_asked", lambda _file: (1, "wrong # of entries in index run_name"))

    finding = found(data, "store")

    assert "is damaged" in finding["text"]
    assert ".recover" in finding["way_out"]


def test_a_folder_that_can_not_be_made_fails(data: Callable[..., Any], folder: Path) -> None:
    (folder / "file").write_text("", encoding="utf-8")

    finding = found(data, "folder", "--store", "file/runs.db")

    assert finding["status"] == "fail"
    assert "--store or ASYNCFLOW_STORE" in finding["way_out"]


def test_a_folder_without_wal_fails(data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_journal_mode", lambda _file: "delete")

    assert "can't hold a database in WAL mode" in found(data, "folder")["text"]


@pytest.mark.parametrize(
    ("args", "variable", "rule"),
    [
        (("--store", "x/"), None, "chosen by --store"),
        ((), "y/", "chosen by ASYNCFLOW_STORE"),
        ((), None, "the nearest project upwards"),
    ],
)
def test_the_rule_that_chose_the_place_is_told(
    data: Callable[..., Any],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    variable: str | None,
    rule: str,
) -> None:
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    if variable is None:
        monkeypatch.delenv("ASYNCFLOW_STORE")
    else:
        monkeypatch.setenv("ASYNCFLOW_STORE", variable)

    assert rule in found(data, "data", *args)["text"]


def test_a_store_in_memory_is_a_warning(data: Callable[..., Any]) -> None:
    assert found(data, "store", "--store", ":memory:")["status"] == "warn"


def test_a_missing_package_fails_with_the_command_that_installs_it(
    data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = metadata.version

    def version(name: str) -> str:
        if name == "rich":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(checks.metadata, "version", version)

    assert found(data, "packages")["way_out"] == "python -m pip install rich"


def test_an_old_sqlite_fails(data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.sqlite3, "sqlite_version_info", (3, 30, 0))

    assert found(data, "sqlite")["status"] == "fail"


def test_old_time_zones_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with_summer_time = timezone(timedelta(hours=-5))
    monkeypatch.setattr("zoneinfo.ZoneInfo", lambda _name: with_summer_time)

    assert "an hour off" in checks._zones().text


def test_missing_time_zones_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_name: str) -> None:
        raise ZoneInfoNotFoundError

    monkeypatch.setattr("zoneinfo.ZoneInfo", nowhere)

    assert checks._zones().way_out == "python -m pip install tzdata"


def test_a_loopback_that_refuses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(checks.socket, "create_connection", refused)

    finding = checks._loopback()
    assert finding.status == "fail"
    assert "Permission denied" in finding.text


def test_a_terminal_without_signs_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    class Narrow:
        encoding = "ascii"

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Narrow())

    assert checks._terminal(Settings()).status == "warn"
    assert checks._terminal(Settings(plain=True)).status == "ok"


def test_a_store_that_can_not_be_read_fails(
    af: Call, data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    af("run", "flows.py:doubles")

    def unreadable(_file: Path) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(checks, "_asked", unreadable)

    assert "can't be read: disk I/O error" in found(data, "store")["text"]
    assert "> make it writable" in af("doctor").stdout
