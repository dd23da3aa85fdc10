from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncflow import Flow
from asyncflow.errors import NotFound, UsageError
from asyncflow.targets import flows_in, load_flow, load_module

ONE = (
    "from asyncflow import flow, task\n\n\n@task\ndef work(): return 1\n\n\n@flow\ndef etl(): return work()\n"
)
TWO = ONE + "\n\n@flow\ndef reload(): return work()\n\nsize = 3\nnothing = None\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder of the user's, with modules that are forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    known = dict(sys.modules)
    importlib.invalidate_caches()
    write("one_flow.py", ONE)
    write("two_flows.py", TWO)
    write("no_flow.py", "size = 3\n")
    write("pack/__init__.py", "")
    write("pack/flows.py", ONE)
    yield tmp_path
    for name in sys.modules.keys() - known.keys():
        del sys.modules[name]
    sys.modules.update(known)


def write(name: str, text: str, folder: Path = Path()) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("reference", "flow"),
    [
        ("one_flow", "etl"),
        ("one_flow:etl", "etl"),
        ("one_flow.py", "etl"),
        ("one_flow.py:etl", "etl"),
        ("./one_flow.py:etl", "etl"),
        ("two_flows:reload", "reload"),
        ("two_flows.py:reload", "reload"),
        ("pack.flows", "etl"),
        ("pack.flows:etl", "etl"),
        ("pack/flows.py:etl", "etl"),
        ("asyncflow.examples.hello:hello_world", "hello world"),
    ],
)
def test_a_reference_leads_to_its_flow(reference: str, flow: str) -> None:
    assert load_flow(reference).name == flow


@pytest.mark.parametrize("name", ["my flows.py", "flöwe.py", "流れ.py", "a.b.py", "flow-1.py", "MINE.PY"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    write(f"my project é/{name}", ONE, tmp_path)
    assert load_flow(f"my project é/{name}").name == "etl"
    assert load_flow(f"{tmp_path}/my project é/{name}:etl").name == "etl"


HERE = "it was looked for in {here} and the installed packages."
INSIDE = "it was looked for in the package"

NOT_FOUND = {
    "nowhere:etl": f"there is no module 'nowhere'; {HERE}",
    "nowhere.at.all:etl": f"there is no module 'nowhere'; {HERE}",
    "one_flo:etl": f"there is no module 'one_flo'; {HERE} Did you mean 'one_flow'?",
    "pack.flow:etl": f"there is no module 'pack.flow'; {INSIDE} 'pack'. Did you mean 'flows'?",
    "pack.flows.more:etl": f"there is no module 'pack.flows.more'; {INSIDE} 'pack.flows'.",
    "asyncflow.examples.hallo": (
        f"there is no module 'asyncflow.examples.hallo'; {INSIDE} 'asyncflow.examples'. Did you mean 'hello'?"
    ),
    "nowhere.py:etl": "there is no file 'nowhere.py'.",
    "two_flow.py:etl": "there is no file 'two_flow.py'. Did you mean 'two_flows.py'?",
    "nowhere/one_flow.py:etl": "there is no file 'nowhere/one_flow.py'.",
    "pack.py": "there is no file 'pack.py'.",
    r"C:\my\nowhere.py": r"there is no file 'C:\\my\\nowhere.py'.",
    r"C:\my\nowhere.py:etl": r"there is no file 'C:\\my\\nowhere.py'.",
    r"C:nowhere.py": r"there is no file 'C:nowhere.py'.",
    "two_flows:reloade": "'two_flows' has no flow 'reloade'. Did you mean 'reload'?",
    "two_flows:zzz": "'two_flows' has no flow 'zzz'. It has: etl, reload.",
    "two_flows:nothing": "'two_flows' has no flow 'nothing'. It has: etl, reload.",
    "no_flow.py:zzz": "'no_flow.py' has no flow 'zzz'. It has: none.",
}

NEITHER = "is neither a module, as in package.module, nor a file.py"

USAGE = {
    "two_flows": "'two_flows' has 2 flows; name one as two_flows:NAME, of etl, reload",
    "two_flows.py": "'two_flows.py' has 2 flows; name one as two_flows.py:NAME, of etl, reload",
    "no_flow": ("'no_flow' declares no flow; write @flow above a function, or `with Flow(...) as f:`"),
    "two_flows:work": "'work' in 'two_flows' is a Task, not a flow; declare it with @flow",
    "two_flows.py:size": "'size' in 'two_flows.py' is an int, not a flow; declare it with @flow",
    "": "'' names no module; write package.module:flow or file.py:flow",
    ":etl": "':etl' names no module; write package.module:flow or file.py:flow",
    "one_flow:": "'' in 'one_flow:' can't be the name of a flow; write one_flow:name",
    "one_flow.py:my-flow": (
        "'my-flow' in 'one_flow.py:my-flow' can't be the name of a flow; write one_flow.py:name"
    ),
    "pack/flows:etl": f"'pack/flows' {NEITHER}; for the file write pack/flows.py",
    "pack/none:etl": f"'pack/none' {NEITHER}",
    ".flows:etl": f"'.flows' {NEITHER}",
    "one flow": f"'one flow' {NEITHER}",
    "C:/my/flows": f"'C:/my/flows' {NEITHER}",
}


@pytest.mark.parametrize("reference", [*NOT_FOUND, *USAGE])
def test_a_reference_that_leads_nowhere_is_answered_with_what_to_write(project: Path, reference: str) -> None:
    with pytest.raises(NotFound if reference in NOT_FOUND else UsageError) as caught:
        load_flow(reference)
    assert str(caught.value) == (NOT_FOUND | USAGE)[reference].replace("{here}", str(project))


BROKEN = {
    "raises": ("x = 1\n\n\ny = 1 / 0\n", 4, "ZeroDivisionError: division by zero"),
    "syntax": ("x = 1\ndef f(:\n", 2, "invalid syntax"),
    "indent": ("x = 1\n  y = 2\n", 2, "unexpected indent"),
    "imports": ("import json\nimport no_such\n", 2, "ModuleNotFoundError: No module named 'no_such'"),
    "from": ("from json import nothing\n", 1, "ImportError: cannot import name 'nothing' from 'json'"),
    "in_library": ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError: Expecting property name"),
    "in_us": ("from asyncflow import task\n\ntask(timeout=0)(print)\n", 3, "InvalidPolicy: timeout=0"),
    "calls": ("def f():\n    raise OSError('no')\n\nf()\n", 2, "OSError: no"),
    "helped": ("x = 1\nimport broken_helper\n", None, "RuntimeError: of the helper"),
}
"""Modules by name: their text, the line that fails or None for one in the helper, and the reason."""


@pytest.mark.parametrize("form", ["{}", "{}.py", "sub/{}.py"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_module_that_fails_is_told_with_the_users_own_line(tmp_path: Path, name: str, form: str) -> None:
    text, line, reason = BROKEN[name]
    file = write(f"{form.format(name).removesuffix('.py')}.py", text, tmp_path)
    helper = write("broken_helper.py", "\n\nraise RuntimeError('of the helper')\n", file.parent)
    place = f"{file}:{line}" if line is not None else f"{helper}:3"
    source = form.format(name)
    with pytest.raises(UsageError) as caught:
        load_flow(f"{source}:etl")
    assert str(caught.value).startswith(f"{source!r} can't be imported: {place}: {reason}")
    assert name not in sys.modules


def test_a_missing_module_inside_a_package_is_the_users_error_and_not_a_wrong_reference(
    tmp_path: Path,
) -> None:
    write("pack/sub/__init__.py", "import pack.nowhere\n", tmp_path)
    with pytest.raises(
        UsageError, match=r"'pack.sub' can't be imported: .*__init__.py:1: ModuleNotFoundError"
    ):
        load_flow("pack.sub:etl")


def test_what_ends_the_process_is_not_swallowed(tmp_path: Path) -> None:
    write("leaves.py", "import sys\nsys.exit(3)\n", tmp_path)
    with pytest.raises(SystemExit):
        load_flow("leaves.py")
    assert "leaves" not in sys.modules


def test_a_file_does_not_stand_in_for_a_module_of_the_same_name(tmp_path: Path) -> None:
    write("json.py", ONE, tmp_path)
    write("antigravity.py", ONE, tmp_path)  # a module of Python's that nobody has imported
    write("elsewhere/pack.py", ONE, tmp_path)
    package = importlib.import_module("pack") if load_flow("pack.flows") else None
    assert load_flow("json.py").name == load_flow("antigravity.py").name == "etl"
    assert load_flow("elsewhere/pack.py").name == "etl"
    assert sys.modules["json"] is json
    assert sys.modules["pack"] is package
    assert "antigravity" not in sys.modules


def test_a_file_that_fails_leaves_a_module_of_the_same_name_alone(tmp_path: Path) -> None:
    write("json.py", "1 / 0", tmp_path)
    with pytest.raises(UsageError):
        load_flow("json.py")
    assert sys.modules["json"] is json


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    assert list(flows_in(load_module("one_flow.py"))) == ["etl"]
    write("one_flow.py", TWO + "# longer", tmp_path)
    assert list(flows_in(load_module("one_flow.py"))) == ["etl", "reload"]
    assert "one_flow" in sys.modules


def test_a_file_finds_its_neighbours_and_its_own_types(tmp_path: Path) -> None:
    write("far/helper.py", "SIZE = 3\n", tmp_path)
    text = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\nfrom typing import get_type_hints\nfrom helper import SIZE\n"
        "@dataclass\nclass Row:\n    size: Size\nSize = int\n"
        "assert get_type_hints(Row) == {'size': int}\n"
    )
    write("far/flows.py", text + ONE, tmp_path)
    assert load_flow("far/flows.py").name == "etl"


def test_the_flows_of_a_module_are_in_the_order_of_the_file() -> None:
    found = flows_in(load_module("two_flows"))
    assert list(found) == ["etl", "reload"]
    assert all(isinstance(flow, Flow) for flow in found.values())
