from __future__ import annotations

import asyncio
import platform
import sys

import pytest

from asyncflow.errors import NotInThisVersion
from asyncflow.sim import private
from tests.shape.programs import run_program


def test_this_python_has_what_the_simulated_world_relies_on():
    private.require_asyncio()


def test_a_missing_name_is_named_with_the_version_of_python():
    with pytest.raises(NotInThisVersion) as caught:
        private.require(asyncio.Handle, "_run", "_walk", "_fly")
    assert str(caught.value) == (
        f"Python {platform.python_version()} has no Handle._walk, Handle._fly, which the simulated world "
        "relies on; use Python 3.11, 3.12 or 3.13, or the real world"
    )


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("BaseEventLoop", "_run_once"),
        ("BaseEventLoop", "_write_to_self"),
        ("BaseEventLoop", "_check_callback"),
        ("Handle", "_run"),
    ],
)
def test_each_name_is_looked_for(monkeypatch, owner, name):
    monkeypatch.delattr(f"asyncio.{owner}.{name}")
    with pytest.raises(NotInThisVersion, match=name):
        private.require_asyncio()


@pytest.mark.process
def test_a_missing_name_is_met_when_the_world_is_imported(tmp_path):
    program = "import asyncio; del asyncio.BaseEventLoop._run_once; import asyncflow.sim"
    done = run_program([sys.executable, "-c", program], tmp_path)
    assert done.returncode != 0
    assert "BaseEventLoop._run_once" in done.stderr
