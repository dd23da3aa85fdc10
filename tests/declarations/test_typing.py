from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import asyncflow

API = Path(__file__).parents[1] / "typing_api.py"


@pytest.mark.process
def test_the_public_api_is_understood_by_strict_mypy(tmp_path):
    options = ["--strict", "--config-file=", "--no-error-summary", f"--cache-dir={tmp_path}"]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--follow-imports=silent", str(API)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(asyncflow.__file__).parents[1])},
        timeout=110,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
