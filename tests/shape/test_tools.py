"""The linters of the project pass, with the settings of pyproject.toml."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.shape.documents import PAGES, typed_programs
from tests.shape.programs import environment, run_program
from tests.shape.source import ROOT

pytestmark = pytest.mark.process

SOURCES = [name for name in ("asyncflow", "tests", "benchmarks") if (ROOT / name).is_dir()]
TYPED = [name for name in SOURCES if name != "tests"]
GUIDES = [name for name in PAGES if name == "docs/guide.md" or name.startswith("docs/policies/")]


def tool(name: str) -> str:
    """Return the program of that name that belongs to this Python."""
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    assert found, f"{name} is missing; install the extra: pip install -e '.[test]'"
    return found


def in_checkout(command: list[str], home: Path, seconds: float = 60) -> CompletedProcess[str]:
    return run_program(command, ROOT, env=environment(home), seconds=seconds)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["check", "format"])
def test_ruff_has_nothing_to_say(command: list[str], tmp_path: Path):
    done = in_checkout([tool("ruff"), *command, "--no-cache", *SOURCES], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_imports_only_from_floors_below_its_own(tmp_path: Path):
    done = in_checkout([tool("lint-imports"), "--no-cache"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def mypy_says(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy --strict says of package, benchmarks and the programs of the guides: one run for all."""
    samples = tmp_path_factory.mktemp("samples")
    for guide in GUIDES:
        for name, text in typed_programs(PAGES[guide]):
            (samples / name).write_text(text, encoding="utf-8")
    files = [*TYPED, *map(str, sorted(samples.iterdir()))]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        "pyproject.toml",
        "--show-absolute-path",
        *files,
    ]
    done = in_checkout(command, samples, seconds=500)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_the_source_has_the_types_that_it_says(mypy_says: str):
    in_tree = [line for line in mypy_says.splitlines() if line.startswith(str(ROOT)) and ": error:" in line]
    assert in_tree == []


@pytest.mark.timeout(600)
def test_the_programs_of_the_guides_have_the_types_that_they_say(mypy_says: str):
    errors = [line for line in mypy_says.splitlines() if ": error:" in line]
    assert [line for line in errors if not line.startswith(str(ROOT))] == []
