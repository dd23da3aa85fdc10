"""What others may import, as a list that only a deliberate change changes; and what importing it costs."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import asyncflow
from tests.shape.programs import run_program

LIST = Path(__file__).with_name("public_api.txt")
LINES = LIST.read_text(encoding="utf-8").split()
PATHS = list(dict.fromkeys(line.rpartition(".")[0] for line in LINES))
MOST_NAMES = 20

NOT_BY_ITSELF = (
    "aiohttp",
    "aiosqlite",
    "click",
    "cronsim",
    "msgspec",
    "platformdirs",
    "rich",
    "sqlite3",
    "structlog",
)


def public_names(module: ModuleType) -> list[str]:
    """Return what a module says is public."""
    return sorted(f"{module.__name__}.{name}" for name in module.__all__)


@pytest.mark.parametrize("path", PATHS)
def test_the_public_names_are_those_of_the_list(path: str):
    module = importlib.import_module(path)
    assert public_names(module) == [line for line in LINES if line.rpartition(".")[0] == path]
    assert all(hasattr(module, name) for name in module.__all__)


def test_the_list_has_every_public_path():
    assert PATHS == [
        "asyncflow",
        "asyncflow.policies",
        "asyncflow.schedules",
        "asyncflow.schedules.adjustments",
        "asyncflow.schedules.clocks",
        "asyncflow.schedules.filters",
        "asyncflow.signals",
        "asyncflow.states",
        "asyncflow.tasks",
        "asyncflow.triggers",
    ]


def test_the_package_itself_has_few_names():
    assert len(asyncflow.__all__) <= MOST_NAMES


def test_a_public_name_means_the_same_under_every_path():
    for name in asyncflow.__all__:
        for path in PATHS:
            module = importlib.import_module(path)
            if name in module.__all__:
                assert getattr(module, name) is getattr(asyncflow, name)


def test_every_public_name_says_what_it_is():
    meant = {
        line: getattr(importlib.import_module(line.rpartition(".")[0]), line.rpartition(".")[2])
        for line in LINES
    }
    things = {
        line: thing for line, thing in meant.items() if isinstance(thing, type | FunctionType | ModuleType)
    }
    assert len(things) > 0.9 * len(LINES)
    assert [line for line, thing in things.items() if not inspect.getdoc(thing)] == []


@pytest.mark.process
def test_importing_asyncflow_imports_nothing_that_declarations_do_not_need(tmp_path: Path):
    program = "import json, sys; import asyncflow; print(json.dumps(sorted(sys.modules)))"
    done = run_program([sys.executable, "-c", program], tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint(NOT_BY_ITSELF), loaded & set(NOT_BY_ITSELF)
    assert not any(name.startswith("asyncflow.engine") for name in json.loads(done.stdout))
