from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)


@pytest.mark.process
def test_a_quick_run_measures_every_case_and_gives_finite_numbers():
    done = benchmarks("--quick", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {row["case"] for row in told["rows"]} == {
        "durable",
        "engine",
        "memory",
        "policies",
        "retries",
        "scaling",
        "start",
    }
    for row in told["rows"]:
        assert math.isfinite(row["value"]), row
        assert row["value"] > 0, row
    assert told["machine"]["python"]


@pytest.mark.process
def test_a_case_that_there_is_not_is_refused():
    done = benchmarks("no-such-case")
    assert done.returncode == 2
    assert "no-such-case" in done.stderr
