from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from asyncflow.scenario import homes as module
from asyncflow.scenario.homes import STORE, Homes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def played(folder: Path, text: str = "") -> Path:
    """Make a folder as a rehearsal leaves it."""
    with Homes(folder) as homes:
        home = homes.again("id")
        (home / STORE).write_text(text, encoding="utf-8")
    return home


def test_a_fresh_folder_is_named_by_the_run_and_made_with_all_above_it(tmp_path: Path) -> None:
    with Homes(tmp_path / "a" / "b") as homes:
        home = homes.fresh("id")
    assert home == tmp_path / "a" / "b" / "id"
    assert list(home.iterdir()) == []
    assert names(tmp_path / "a" / "b") == ["id"]


def test_the_newer_rehearsal_takes_the_place_of_the_older_one(tmp_path: Path) -> None:
    older = played(tmp_path, "older")
    (older / "more").mkdir()
    newer = played(tmp_path, "newer")
    assert older == newer == tmp_path / "id"
    assert [path.name for path in newer.iterdir()] == [STORE]
    assert (newer / STORE).read_text(encoding="utf-8") == "newer"
    assert names(tmp_path) == ["id"]


def test_repeats_work_in_the_same_empty_folder_and_the_first_one_stays(tmp_path: Path) -> None:
    with Homes(tmp_path) as homes:
        seen = []
        for number in range(4):
            home = homes.again("id")
            seen.append((home, list(home.iterdir())))
            (home / STORE).write_text(str(number), encoding="utf-8")
    assert seen == [(tmp_path / "id", [])] * 4
    assert (tmp_path / "id" / STORE).read_text(encoding="utf-8") == "0"
    assert names(tmp_path) == ["id"]


def test_the_first_one_stays_when_a_repeat_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Homes(tmp_path) as homes:
        (homes.again("id") / STORE).write_text("first", encoding="utf-8")
        homes.again("id")
        raise ZeroDivisionError
    assert (tmp_path / "id" / STORE).read_text(encoding="utf-8") == "first"


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    with Homes(tmp_path) as one:
        (one.again("id") / STORE).write_text("one", encoding="utf-8")
        with Homes(tmp_path) as other:
            assert other.again("id") == tmp_path / "id-2"
        assert (tmp_path / "id" / STORE).read_text(encoding="utf-8") == "one"
    with Homes(tmp_path) as later:
        assert later.again("id") == tmp_path / "id"


@pytest.mark.process
def test_another_process_that_plays_it_is_noticed_and_its_death_too(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from asyncflow.scenario.homes import Homes\n"
        "with Homes(Path(sys.argv[1])) as homes:\n"
        "    print(homes.again('id').name, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "id\n"
        with Homes(tmp_path) as homes:
            assert homes.again("id").name == "id-2"
        process.kill()
        process.communicate()
    with Homes(tmp_path) as homes:
        assert homes.again("id").name == "id"


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    played(tmp_path, "older")
    (tmp_path / "id.first").mkdir()
    (tmp_path / "id.first" / "left").touch()
    (tmp_path / "id.old").mkdir()
    with Homes(tmp_path) as homes:
        homes.again("id")
        homes.again("id")
    assert names(tmp_path) == ["id"]


@pytest.mark.parametrize("kind", ["file", "strange folder", "link", "dead link"])
def test_what_no_rehearsal_made_is_left_alone(tmp_path: Path, kind: str) -> None:
    home, elsewhere = tmp_path / "id", tmp_path / "elsewhere"
    if kind == "file":
        home.write_text("mine", encoding="utf-8")
    elif kind == "strange folder":
        home.mkdir()
        (home / "mine").touch()
    else:
        if kind == "link":
            elsewhere.mkdir()
            (elsewhere / STORE).touch()
        home.symlink_to(elsewhere, target_is_directory=True)
    before = names(tmp_path)
    with Homes(tmp_path) as homes:
        assert homes.again("id") == tmp_path / "id-2"
    assert names(tmp_path) == sorted([*before, "id-2"])


def test_a_folder_that_can_not_be_moved_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(tmp_path, "older")

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "in use")

    with Homes(tmp_path) as homes, monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        assert homes.again("id") == tmp_path / "id-2"
    assert (tmp_path / "id" / STORE).read_text(encoding="utf-8") == "older"


def test_where_there_are_no_locks_rehearsals_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(module, "_lock", refused)
    assert played(tmp_path).name == "id"
