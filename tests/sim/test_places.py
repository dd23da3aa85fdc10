"""Which place of several a report names: the user's, wherever asyncflow lies."""

import asyncio
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import asyncflow
from asyncflow.errors import Escaped
from asyncflow.places import users_place
from asyncflow.sim import run

PACKAGE = Path(asyncflow.__file__).parent
STANDARD = Path(sysconfig.get_path("stdlib"))
FILES = {
    "mine": Path("orders/load.py"),
    "example": PACKAGE / "examples" / "hello.py",
    "installed": STANDARD / "site-packages" / "aiohttp" / "client.py",
    "engine": PACKAGE / "engine" / "flow_run.py",
    "standard": STANDARD / "subprocess.py",
    "simulated": PACKAGE / "sim" / "border" / "guarding.py",
}


def frame_in(file):
    names = {"__name__": Path(file).stem}
    exec(compile("import sys; frame = sys._getframe()", str(file), "exec"), names)
    return names["frame"]


@pytest.mark.parametrize(
    ("whose", "best"),
    [
        (["engine", "mine", "installed", "standard", "simulated"], "mine"),
        (["engine", "example", "standard", "simulated"], "example"),
        (["engine", "installed", "standard", "simulated"], "installed"),
        (["simulated", "engine", "standard"], "engine"),
        (["simulated", "standard", "simulated"], "standard"),
        (["simulated"], "simulated"),
    ],
)
@pytest.mark.parametrize("is_installed", [False, True])
def test_the_place_that_tells_the_user_most_is_named(whose, best, is_installed, monkeypatch):
    files = dict(FILES)
    if is_installed:  # as for everybody who uses asyncflow and does not develop it
        package = STANDARD / "site-packages" / "asyncflow"
        files = {
            whom: package / file.relative_to(PACKAGE) if PACKAGE in file.parents else file
            for whom, file in files.items()
        }
        for name, folder in {
            "_PACKAGE": package,
            "_WORLD": package / "sim",
            "_EXAMPLES": package / "examples",
        }.items():
            monkeypatch.setattr(f"asyncflow.places.{name}", f"{folder}{'/'}")
    assert users_place([frame_in(files[whom]) for whom in whose]).startswith(f"{files[best].name}:1 in ")


def test_a_library_s_function_in_a_thread_is_told_by_whoever_waits_for_it():
    async def main():
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", ""])

    with pytest.raises(Escaped, match=r"a process is not simulated \(tests/sim/test_places.py:\d+ in "):
        run(main())
