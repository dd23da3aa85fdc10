"""What holds for every test: nobody's settings, nobody's data folder, a Ctrl-C that is heard, no deadline."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

pytest_plugins = ["tests.clock", "tests.waiting"]

# How long an example takes says something about the machine, not about asyncflow.
hypothesis.settings.register_profile("asyncflow", deadline=None, print_blob=True)
hypothesis.settings.load_profile("asyncflow")

_TASTES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "PYTHONWARNINGS")
_DATA_FOLDERS = ("XDG_DATA_HOME", "WIN_PD_OVERRIDE_LOCAL_APPDATA")


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take the settings of whoever runs the tests out of the environment, and put their data folder aside."""
    theirs = [name for name in os.environ if name.startswith("ASYNCFLOW_") or name in _TASTES]
    with pytest.MonkeyPatch.context() as environment:
        for name in theirs:
            environment.delenv(name)
        for name in _DATA_FOLDERS:
            environment.setenv(name, str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Hear Ctrl-C, and let the processes that tests start hear it, where a shell runs the tests with `&`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
