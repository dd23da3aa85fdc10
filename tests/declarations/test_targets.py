from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asyncflow.errors import NotFound, UsageError
from asyncflow.flow import Flow
from asyncflow.targets import flows_in, load_flow

FLOWS = """
from dataclasses import dataclass
from asyncflow import flow, task

@dataclass
class Row:
    value: int

@task
def one() -> Row: ...

@flow
def first(): one()

@flow
def second(size: int = 3): one()

number = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with modules, as the current one; what is imported from it is forgotten again."""
    before, path = set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two_flows.py").write_text(FLOWS, encoding="utf-8")
    (tmp_path / "one_flow.py").write_text(
        "from asyncflow import Flow\nonly = Flow('only')\n", encoding="utf-8"
    )
    (tmp_path / "no_flow.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("x = 1\nraise RuntimeError('at work')\n", encoding="utf-8")
    (tmp_path / "crooked.py").write_text("x = (\n", encoding="utf-8")
    (tmp_path / "lacking.py").write_text("\n\nimport no_such_thing\n", encoding="utf-8")
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("two_flows:first", "first"),
        ("two_flows.py:second", "second"),
        ("./two_flows.py:second", "second"),
        ("one_flow", "only"),
        ("one_flow.py", "only"),
        ("asyncflow.examples.hello:hello_world", "hello world"),
    ],
)
def test_a_reference_finds_a_flow(folder, reference, name):
    found = load_flow(reference)
    assert isinstance(found, Flow)
    assert found.name == name


def test_an_absolute_path_is_a_reference_too(folder):
    assert load_flow(f"{folder / 'two_flows.py'}:first").name == "first"


@pytest.mark.parametrize(
    ("reference", "error", "sentence"),
    [
        (
            "two_flows:frist",
            NotFound,
            "'two_flows' has no flow 'frist', only first, second. Did you mean 'first'?",
        ),
        ("two_flows", UsageError, "has 2 flows; name one as two_flows:NAME, of first, second"),
        ("no_flow", UsageError, "has 0 flows"),
        (
            "two_flows:number",
            UsageError,
            "'number' in 'two_flows' is a int, not a flow; declare it with @flow",
        ),
        ("two_flows:one", UsageError, "is a Task, not a flow"),
        ("no_module:x", NotFound, "no module 'no_module'"),
        ("asyncflow.no_module:x", NotFound, "no module 'asyncflow.no_module'"),
        ("no_file.py:x", NotFound, "no file 'no_file.py'"),
        ("", UsageError, "names no module"),
        (":first", UsageError, "names no module"),
        ("broken:x", UsageError, "broken.py:2: RuntimeError: at work"),
        ("broken.py:x", UsageError, "broken.py:2: RuntimeError: at work"),
        ("crooked:x", UsageError, "crooked.py:1: "),
        ("lacking:x", UsageError, "lacking.py:3: ModuleNotFoundError: No module named 'no_such_thing'"),
    ],
)
def test_a_reference_that_leads_nowhere_says_why(folder, reference, error, sentence):
    with pytest.raises(error) as caught:
        load_flow(reference)
    assert sentence in str(caught.value)
    assert type(caught.value) is error


def test_a_file_that_failed_is_not_left_half_imported(folder):
    with pytest.raises(UsageError):
        load_flow("broken.py")
    assert "broken" not in sys.modules


def test_the_drive_of_a_windows_path_is_no_separator():
    with pytest.raises(NotFound, match="no file"):
        load_flow(r"C:\flows\etl.py")


def test_the_flows_of_a_module_are_listed_in_the_order_of_the_file(folder):
    load_flow("two_flows:first")
    assert list(flows_in(sys.modules["two_flows"])) == ["first", "second"]
    assert Path.cwd() == folder
