from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.errors import NotFound
from asyncflow.scenario import gallery
from asyncflow.scenario.load import load
from asyncflow.scenario.support import unsupported


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two shipped scenarios, with the current folder elsewhere."""
    (tmp_path / "asyncflow").mkdir()
    (tmp_path / "pyproject.toml").touch()
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    for name in ("trip_breaker.toml", "fail_parse.toml", "README.md"):
        (scenarios / name).touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(gallery.resources, "files", lambda _package: tmp_path / "asyncflow")
    return tmp_path


def test_a_checkout_reads_its_folder_of_scenarios(checkout: Path) -> None:
    assert gallery.folder() == checkout / "scenarios"
    assert gallery.names() == ("fail_parse", "trip_breaker")
    assert gallery.find("fail_parse") == checkout / "scenarios" / "fail_parse.toml"


def test_an_installed_package_reads_its_own_copy_and_no_folder_beside_it(checkout: Path) -> None:
    (checkout / "pyproject.toml").unlink()
    assert gallery.names() == ()
    (checkout / "asyncflow" / "gallery").mkdir()
    (checkout / "asyncflow" / "gallery" / "slow_fetch.toml").touch()
    assert gallery.names() == ("slow_fetch",)
    assert gallery.find("slow_fetch") == checkout / "asyncflow" / "gallery" / "slow_fetch.toml"


@pytest.mark.parametrize(
    "reference", ["mine.toml", "./mine.toml", "sub/other.toml", "sub/bare", "bare", "sub/"]
)
def test_a_path_is_found_as_it_is(checkout: Path, reference: str) -> None:
    Path("sub").mkdir()
    for name in ("mine.toml", "sub/other.toml", "sub/bare", "bare"):
        Path(name).touch()
    assert gallery.find(reference) == Path(reference)


def test_a_shipped_scenario_stands_above_a_file_of_the_same_name(checkout: Path) -> None:
    Path("fail_parse").touch()
    assert gallery.find("fail_parse") == checkout / "scenarios" / "fail_parse.toml"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("fail_prase", "there is no scenario 'fail_prase'. Did you mean 'fail_parse'?"),
        ("fail-parse", "there is no scenario 'fail-parse'. Did you mean 'fail_parse'?"),
        (
            "zzz",
            "there is no scenario 'zzz'. `asyncflow scenarios` lists those that come with asyncflow; "
            "a file is named by its path.",
        ),
        ("mien.toml", "there is no file 'mien.toml'. Did you mean 'mine.toml'?"),
        ("fail_parse.toml", "there is no file 'fail_parse.toml'. Did you mean 'fail_parse'?"),
        ("none/there.toml", "there is no file 'none/there.toml'."),
        ("", "there is no scenario ''. `asyncflow scenarios` lists those that come with asyncflow; "
         "a file is named by its path."),
    ],
)  # fmt: skip
def test_what_is_not_there_is_answered_with_the_nearest(checkout: Path, reference: str, message: str) -> None:
    Path("mine.toml").touch()
    with pytest.raises(NotFound) as caught:
        gallery.find(reference)
    assert str(caught.value) == message


def test_this_checkout_has_scenarios() -> None:
    assert gallery.folder().name == "scenarios"
    assert "fail_parse" in gallery.names()


@pytest.mark.parametrize("name", gallery.names())
def test_every_shipped_scenario_can_be_run_in_this_version(name: str) -> None:
    scenario = load(gallery.find(name))
    assert unsupported(scenario) == []
    assert unsupported(scenario.changed(world="simulated")) == []
    assert scenario.title
