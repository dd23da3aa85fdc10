from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import asyncflow


def test_the_public_names_are_few_and_all_there():
    assert len(asyncflow.__all__) <= 20
    assert all(hasattr(asyncflow, name) for name in asyncflow.__all__)
    assert asyncflow.__all__ == sorted(asyncflow.__all__)


WATCHED = """
import logging, sys, threading

seen = []

def watch(event, args):
    if event == "open":
        path, mode, flags = args
        if mode is not None and not set("wax+").isdisjoint(mode):
            seen.append(f"{event} {args}")
    elif event.split(".")[0] in ("socket", "subprocess", "sqlite3") or event in (
        "os.mkdir", "os.remove", "os.rename", "os.system", "os.putenv", "signal.pthread_kill"
    ):
        seen.append(f"{event} {args}")

before = set(threading.enumerate())
handlers, level = list(logging.root.handlers), logging.root.level
sys.dont_write_bytecode = True
sys.addaudithook(watch)

import asyncflow
import asyncflow.tasks

assert set(threading.enumerate()) == before, "a thread was started"
assert (list(logging.root.handlers), logging.root.level) == (handlers, level), "logging was configured"
assert "asyncio.events" not in sys.modules or sys.modules["asyncio"]._get_running_loop() is None
heavy = {"rich", "aiosqlite", "aiohttp", "structlog", "click", "asyncflow.engine", "asyncflow.store"}
loaded = heavy & set(sys.modules)
print(seen, sorted(loaded))
"""


@pytest.mark.process
def test_importing_defines_names_and_does_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", "-c", textwrap.dedent(WATCHED)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(asyncflow.__file__).parents[1])},
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[] []", "")
    assert list(tmp_path.iterdir()) == []
