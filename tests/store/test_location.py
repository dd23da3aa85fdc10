from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from asyncflow.store import MemoryStore, SQLiteStore, choose, data_folder, told


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for the user's data folder; no store is named and no project is near."""
    monkeypatch.delenv("ASYNCFLOW_STORE", raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path / "user data")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path / "user data"


@pytest.fixture
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder; the working directory lies two folders below it."""
    folder = tmp_path / "project"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    monkeypatch.chdir(folder / "src" / "deep")
    return folder


def test_a_store_that_is_given_comes_before_everything(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCFLOW_STORE", str(tmp_path / "env.db"))
    assert choose(tmp_path / "mine.db").label == str(tmp_path / "mine.db")
    assert choose(str(tmp_path / "mine.db")).label == str(tmp_path / "mine.db")
    mine = MemoryStore()
    assert choose(mine) is mine


def test_the_environment_comes_next(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_STORE", str(tmp_path / "env.db"))
    assert choose().label == str(tmp_path / "env.db")
    assert data_folder() == tmp_path


def test_an_empty_variable_counts_as_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_STORE", "")
    assert choose().label == str(project / ".asyncflow" / "asyncflow.db")


@pytest.mark.parametrize("marker", ["pyproject.toml", "asyncflow.toml", ".asyncflow/"])
def test_then_the_nearest_project_upwards(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inner"
    (inner / "src").mkdir(parents=True)
    (outer / "pyproject.toml").touch()
    if marker.endswith("/"):
        (inner / marker).mkdir()
    else:
        (inner / marker).touch()
    monkeypatch.chdir(inner / "src")
    assert choose().label == str(inner / ".asyncflow" / "asyncflow.db")
    assert data_folder() == inner / ".asyncflow"


def test_last_comes_the_users_data_folder(home: Path) -> None:
    assert choose().label == str(home / "asyncflow.db")
    assert data_folder() == home


def test_choosing_makes_nothing(project: Path) -> None:
    store = choose()
    assert isinstance(store, SQLiteStore)
    assert not (project / ".asyncflow").exists()


def test_memory_can_be_asked_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose(":memory:"), MemoryStore)
    monkeypatch.setenv("ASYNCFLOW_STORE", ":memory:")
    assert isinstance(choose(), MemoryStore)
    assert data_folder() == project / ".asyncflow"


def test_a_folder_means_the_file_in_it(project: Path, tmp_path: Path) -> None:
    assert choose(tmp_path).label == str(tmp_path / "asyncflow.db")
    assert choose(f"{tmp_path}/new/").label == str(tmp_path / "new" / "asyncflow.db")
    assert data_folder(tmp_path) == tmp_path
    assert data_folder(tmp_path / "runs.db") == tmp_path


def test_a_path_may_start_at_the_users_home(project: Path) -> None:
    assert choose("~/runs.db").label == str(Path.home() / "runs.db")


def test_only_what_somebody_asked_for_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told() is None
    assert isinstance(told("runs.db"), SQLiteStore)
    monkeypatch.setenv("ASYNCFLOW_STORE", "runs.db")
    chosen = told()
    assert chosen is not None
    assert chosen.label == str(project / "src" / "deep" / "runs.db")
