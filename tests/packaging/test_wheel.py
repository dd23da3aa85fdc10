"""The wheel: what is in it, what it says of itself, and that it works where no checkout is in reach."""

from __future__ import annotations

import email
import email.message
import json
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import asyncflow
from tests.shape.programs import environment, run_program
from tests.shape.source import PACKAGE, ROOT

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

PLACE = Path("Juan Pablo Hernández") / "mi carpeta"
"""A folder like those that people have, with blanks and an accent in its path."""

WINDOWS = sys.platform == "win32"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without a download."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    done = run_program(command, folder, env=environment(folder, package=None), seconds=240)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: list[str]) -> email.message.Message:
    """What the wheel says of itself."""
    (name,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that has the wheel.

    The libraries that asyncflow needs are taken from the environment of the tests, so that nothing is
    downloaded; an editable asyncflow there is out of reach, since only the folder itself is added.
    """
    place = tmp_path_factory.mktemp("installed") / PLACE
    venv.create(place, with_pip=False, symlinks=not WINDOWS)
    folder = place / ("Scripts" if WINDOWS else "bin")
    python = folder / ("python.exe" if WINDOWS else "python")
    env = environment(place, package=None)
    asked = run_program(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], place, env=env
    )
    libraries = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (Path(asked.stdout.strip()) / "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        wheel,
    ]
    done = run_program(pip, place, env=env, seconds=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


# ------------------------------------------------------------------ what is in it


def test_the_wheel_has_every_module_of_the_package(names: list[str]):
    modules = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_wheel_has_every_scenario_in_its_gallery(names: list[str]):
    shipped = {f"asyncflow/gallery/{path.name}" for path in (ROOT / "scenarios").glob("*.toml")}
    assert shipped
    assert {name for name in names if name.startswith("asyncflow/gallery/")} == shipped


def test_the_wheel_says_that_it_is_typed(names: list[str]):
    assert "asyncflow/py.typed" in names


def test_the_wheel_has_nothing_but_the_package_and_its_own_description(names: list[str]):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"asyncflow"}
    assert not [name for name in names if "test" in name.lower().split("/")[-1]]


def test_the_metadata_names_the_distribution_and_the_python_that_it_needs(metadata: email.message.Message):
    assert metadata["Name"] == "asyncflow-ft"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_licence_lies_in_the_wheel_and_is_named(metadata: email.message.Message, names: list[str]):
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


# ------------------------------------------------------------------ that it works


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to work in."""
    made = tmp_path / PLACE
    made.mkdir(parents=True)
    return made


def run_asyncflow(programs: Path, folder: Path, *words: str) -> tuple[int, str, str]:
    python = programs / ("python.exe" if WINDOWS else "python")
    env = environment(folder / "home", package=None)
    done = run_program([python, "-m", "asyncflow", *words], folder, env=env)
    return done.returncode, done.stdout, done.stderr


def test_the_installed_package_is_the_one_of_the_wheel(programs: Path, folder: Path):
    python = programs / ("python.exe" if WINDOWS else "python")
    code = (
        "import asyncflow, importlib.metadata as metadata\n"
        "print(asyncflow.__file__, asyncflow.__version__, metadata.version('asyncflow-ft'), sep='\\n')"
    )
    done = run_program([python, "-c", code], folder, env=environment(folder, package=None))
    file, version, installed = done.stdout.splitlines()
    assert programs.parent in Path(file).parents
    assert version == installed == asyncflow.__version__


def test_a_shipped_scenario_plays_from_an_empty_folder(programs: Path, folder: Path):
    code, said, logged = run_asyncflow(programs, folder, "scenario", "fail_parse")
    assert code == 0, said + logged
    sentence = "Failed successfully: raise struck parse_complaints, and the flow ended Failed, as expected."
    assert sentence in " ".join(said.split())


def test_the_answer_as_json_says_the_same(programs: Path, folder: Path):
    code, said, logged = run_asyncflow(programs, folder, "scenario", "fail_parse", "--json")
    assert code == 0, said + logged
    answer = json.loads(said)
    assert (answer["verdict"], answer["flow"]["state"]) == ("held", "Failed")


def test_the_gallery_of_the_wheel_is_listed(programs: Path, folder: Path):
    code, said, logged = run_asyncflow(programs, folder, "scenarios", "--json")
    assert code == 0, said + logged
    listed = json.loads(said)
    assert [row["name"] for row in listed] == sorted(
        path.stem for path in (ROOT / "scenarios").glob("*.toml")
    )
    assert all(programs.parent in Path(row["file"]).parents for row in listed)


def test_the_command_is_installed_under_its_own_name(programs: Path, folder: Path):
    program = programs / ("asyncflow.exe" if WINDOWS else "asyncflow")
    done = run_program([program, "scenarios"], folder, env=environment(folder / "home", package=None))
    assert done.returncode == 0, done.stderr
    assert "fail_parse" in done.stdout
