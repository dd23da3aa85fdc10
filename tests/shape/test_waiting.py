"""The rule that no test waits for real, and the fixture for those that need time, held by tests of tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shape.source import ROOT

pytestmark = pytest.mark.process

Played = tuple[str, str]
"""How a test ended, and what its line in the summary says of it."""

SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = -q -rA --tb=line -p no:cacheprovider -p tests.clock -p tests.waiting
markers = real_time(why)
"""

HEAD = """
import asyncio
import threading
import time
from contextlib import suppress

import pytest

from tests.waiting import until
"""

WAITING = {
    "sleeps": "def {test}():\n    time.sleep(0.05)",
    "sleeps_a_little_again_and_again": "def {test}():\n    for _ in range(50):\n        time.sleep(0.001)",
    "sleeps_in_a_thread": "async def {test}():\n    await asyncio.to_thread(time.sleep, 0.05)",
    "sleeps_on_the_loop": "async def {test}():\n    await asyncio.sleep(0.05)",
    "runs_a_loop_that_sleeps": "def {test}():\n    asyncio.run(asyncio.sleep(0.05))",
    "waits_out_a_timeout": (
        "async def {test}():\n"
        "    with suppress(TimeoutError):\n"
        "        async with asyncio.timeout(0.05):\n"
        "            await asyncio.Event().wait()"
    ),
}

FINE = {
    "waits_for_a_thread": (
        "async def {test}():\n"
        "    done = asyncio.Event()\n"
        "    loop = asyncio.get_running_loop()\n"
        "    threading.Timer(0.05, loop.call_soon_threadsafe, [done.set]).start()\n"
        "    async with asyncio.timeout(30):\n"
        "        await done.wait()"
    ),
    "looks_until_it_is_so": (
        "def {test}():\n"
        "    end = time.monotonic() + 0.05\n"
        "    until(lambda: time.monotonic() > end, 'a moment')"
    ),
    "says_why": '@pytest.mark.real_time("it is so")\ndef {test}():\n    time.sleep(0.05)',
    "plays": (
        "async def {test}(virtual_clock):\n"
        "    await asyncio.sleep(3600)\n"
        "    assert virtual_clock.now == 3600"
    ),
}

WRONG = {
    "says_nothing": ("@pytest.mark.real_time()\ndef {test}():\n    pass", "real_time needs a reason"),
    "looks_in_vain": (
        "def {test}():\n    until(lambda: False, 'the end', 0.01)",
        "waited in vain for the end",
    ),
    "plays_and_fails": (
        "async def {test}(virtual_clock):\n    await asyncio.sleep(1)\n    assert virtual_clock.now == 2",
        "AssertionError|assert 1.0 == 2",
    ),
    "plays_for_ever": ("async def {test}(virtual_clock):\n    await asyncio.Event().wait()", "Stuck"),
}


def pytest_of(folder: Path, text: str) -> str:
    """Run a file of tests under the rule, in a process of its own, and return what it says."""
    (folder / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    (folder / "test_it.py").write_text(HEAD + text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "500"}
    command = [sys.executable, "-m", "pytest", "test_it.py"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    ).stdout


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Played]:
    """Returns how one of the tests above ended; all are run at once."""
    bodies = {**WAITING, **FINE, **{name: body for name, (body, _) in WRONG.items()}}
    text = "\n\n".join(body.format(test=f"test_{name}") for name, body in bodies.items())
    said = pytest_of(tmp_path_factory.mktemp("tests"), text)
    lines = re.findall(r"^(PASSED|FAILED|ERROR) test_it\.py::test_(\w+)(.*)$", said, re.MULTILINE)
    ended = {name: (word, rest) for word, name, rest in lines}
    return lambda name: ended.get(name, ("nothing", said))


@pytest.mark.parametrize("name", WAITING)
def test_a_test_that_waits_for_real_fails(played: Callable[[str], Played], name: str) -> None:
    word, said = played(name)
    assert word == "FAILED"
    assert "this test waited for real (0.05" in said


@pytest.mark.parametrize("name", FINE)
def test_waiting_for_an_event_or_in_virtual_time_is_fine(played: Callable[[str], Played], name: str) -> None:
    assert played(name)[0] == "PASSED"


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_otherwise_is_told_as_ever(played: Callable[[str], Played], name: str) -> None:
    word, said = played(name)
    assert word == "FAILED"
    assert re.search(WRONG[name][1], said)


def test_the_place_of_a_sleep_is_told(played: Callable[[str], Played]) -> None:
    assert re.search(r"time\.sleep at .*test_it\.py:\d+", played("sleeps")[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "def test_it(virtual_clock):\n    pass",
            "virtual_clock is for `async def` tests; in others call run_virtual(story())",
        ),
        (
            "@pytest.fixture\nasync def made():\n    return 1\n\n"
            "async def test_it(virtual_clock, made):\n    pass",
            "the fixture made runs on a real event loop; do what it does in the test",
        ),
    ],
)
def test_virtual_time_is_refused_where_it_could_not_hold(tmp_path: Path, text: str, reason: str) -> None:
    said = pytest_of(tmp_path, text)
    assert reason in said
    assert "passed" not in said
