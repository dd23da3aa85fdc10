import json
import os
from pathlib import Path
from random import Random

import pytest

from asyncflow.net.complaint_records import complaints

_DATA = os.environ.get("ASYNCFLOW_DATA", "")
"""A folder with an answer of the real API, for those who have one."""

_REAL = Path(_DATA) / "cfpb_complaints.json"


def pytest_generate_tests(metafunc):
    """A test of `answer_file` runs on an answer that we made, and on a real one where there is one."""
    if "answer_file" in metafunc.fixturenames:
        metafunc.parametrize(
            "answer_file", ["made"] + ["real"] * bool(_DATA and _REAL.is_file()), indirect=True
        )


@pytest.fixture
def answer_file(request, tmp_path):
    if request.param == "real":
        return _REAL
    hits = [{"_id": record["complaint_id"], "_source": record} for record in complaints(Random(3), 60)]
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"took": 1, "hits": {"hits": hits}}, indent=1), encoding="utf-8")
    return path
