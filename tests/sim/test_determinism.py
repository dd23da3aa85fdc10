"""The promise of the simulated world: the same seed, code and Python give the same bytes in every process.

Each scenario that ships is played in two fresh processes whose hashes differ, on each Python that is found
here, and three of them many times over in one process.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.shape.programs import environment, run_program
from tests.shape.source import ROOT

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

SCENARIOS = sorted(path.stem for path in (ROOT / "scenarios").glob("*.toml"))
HERE = "{}.{}".format(*sys.version_info)
HASH_SEEDS = ("1", "4242")


@functools.cache
def pythons() -> dict[str, str]:
    """The Pythons on this machine that the project says it runs on, by their minor version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    found = {HERE: sys.executable}
    for minor in said:
        for program in _candidates(minor):
            if minor not in found and _version(program) == minor:
                found[minor] = program
    return found


def _candidates(minor: str) -> list[str]:
    on_path = shutil.which(f"python{minor}")
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [on_path] * (on_path is not None) + [
        str(path) for path in sorted(managed.glob(f"{minor}.*/bin/python{minor}"))
    ]


def _version(program: str) -> str:
    ask = "import sys, ensurepip; print('{}.{}'.format(*sys.version_info))"
    return subprocess.run([program, "-c", ask], capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that gives a Python of that minor version on which this checkout is installed.

    It is tried once for each version; where that fails, all tests of the version say why.
    """

    @functools.cache
    def install(minor: str) -> tuple[str, str | None]:
        place = tmp_path_factory.mktemp(f"python{minor}")
        program = str(place / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        steps = [pythons()[minor], "-m", "venv", "env"], [program, "-m", "pip", "install", "-q", str(ROOT)]
        for step in steps:
            try:
                done = run_program(step, place, env=environment(place, package=None), seconds=250)
            except subprocess.TimeoutExpired as late:
                return program, str(late)
            if done.returncode:
                return program, done.stdout + done.stderr
        return program, None

    def python(minor: str) -> str:
        program, trouble = (sys.executable, None) if minor == HERE else install(minor)
        assert trouble is None, trouble
        return program

    return python


def traces(python: str, scenario: str, folder: Path) -> list[bytes]:
    """Play a scenario in fresh processes at the same time, one for each hash seed, and return their traces.

    The head of a trace's file says how it was played, the hash seed among it, and is left out.
    """
    playing = []
    for hash_seed in HASH_SEEDS:
        place = folder / hash_seed
        place.mkdir()
        package = ROOT if python == sys.executable else None
        env = environment(place, package=package) | {"PYTHONHASHSEED": hash_seed}
        command = [python, "-m", "asyncflow", "scenario", scenario, "--world", "simulated"]
        command += ["--trace", "trace.txt", "--quiet"]
        playing.append(
            subprocess.Popen(command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    told = [process.communicate(timeout=120)[0].decode() for process in playing]
    assert [process.returncode for process in playing] == [0] * len(playing), "\n".join(told)
    files = [(folder / hash_seed / "trace.txt").read_bytes() for hash_seed in HASH_SEEDS]
    return [file.partition(b"\n\n")[2] for file in files]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("minor", pythons())
def test_two_processes_with_other_hashes_leave_the_same_trace(minor, scenario, installed, tmp_path):
    one, other = traces(installed(minor), scenario, tmp_path)
    assert len(one.splitlines()) > 10
    assert one == other


@pytest.mark.parametrize("scenario", ["one_extract_recovers", "reset_mid_body", "short_body_taken_for_whole"])
def test_two_hundred_repeats_in_one_process_leave_one_trace(scenario, tmp_path):
    command = [sys.executable, "-m", "asyncflow", "scenario", scenario, "--world", "simulated"]
    done = run_program([*command, "--repeat", "200", "--json"], tmp_path, seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["repeats"], told["traces"], told["verdict"]) == (200, 1, "held")
