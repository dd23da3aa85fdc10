from __future__ import annotations

import json
import math

import pytest

from benchmarks import __main__ as command
from benchmarks.measure import FULL, QUICK
from benchmarks.published import confirm
from benchmarks.published.claims import Claim, Finding

HALF = Claim("share of the calls", 0.5, 0.4, 0.6, "a paper")
NEVER = Claim("recovery", math.inf, math.inf, math.inf, "a paper")


def studies(**findings):
    """Return a table of studies that give these findings and note the effort that they are asked for."""
    asked = []

    def study(name, found):
        def run(effort):
            asked.append((name, effort))
            yield from found

        return f"what is {name}?", run

    return {name: study(name, found) for name, found in findings.items()}, asked


@pytest.fixture
def known(monkeypatch):
    """Put studies of the test's own into the table, and return who was asked."""

    def put(**findings):
        table, asked = studies(**findings)
        monkeypatch.setattr(confirm, "STUDIES", table)
        return asked

    return put


@pytest.mark.parametrize(
    ("claim", "measured", "told"),
    [
        (HALF, 0.55, "holds: share of the calls: 0.55 (published 0.5, band 0.4 to 0.6; a paper)"),
        (HALF, 0.4, "holds: share of the calls: 0.4 (published 0.5, band 0.4 to 0.6; a paper)"),
        (HALF, 0.61, "FAILS: share of the calls: 0.61 (published 0.5, band 0.4 to 0.6; a paper)"),
        (HALF, math.nan, "FAILS: share of the calls: nan (published 0.5, band 0.4 to 0.6; a paper)"),
        (NEVER, math.inf, "holds: recovery: never (published never, never alone confirms it; a paper)"),
        (NEVER, 3, "FAILS: recovery: 3 (published never, never alone confirms it; a paper)"),
    ],
)  # fmt: skip
def test_a_finding_says_what_was_published_what_was_measured_and_whether_it_holds(claim, measured, told):
    finding = Finding(claim, measured)
    assert str(finding) == told
    assert finding.holds == told.startswith("holds")


@pytest.mark.parametrize(("measured", "code"), [([0.5, 0.41], 0), ([0.5, 0.39], 1), ([], 0)])
def test_one_claim_that_fails_makes_the_exit_code(known, capsys, measured, code):
    known(sums=[Finding(HALF, one) for one in measured])
    assert command.main(["published"]) == code
    out = capsys.readouterr().out
    assert out.startswith("sums: what is sums?\n")
    assert out.endswith(f"{len(measured) - code} of {len(measured)} claims hold.\n")


def test_the_chosen_studies_run_with_the_chosen_effort(known):
    asked = known(one=[], two=[], three=[])
    assert command.main(["published", "three", "one", "--quick"]) == 0
    assert command.main(["published"]) == 0
    assert asked == [("three", QUICK), ("one", QUICK), ("one", FULL), ("two", FULL), ("three", FULL)]


def test_an_unknown_study_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as left:
        command.main(["published", "strom"])
    assert left.value.code == 2
    assert "storms" in capsys.readouterr().err


def test_json_has_every_finding_and_null_for_never(known, capsys):
    known(ends=[Finding(HALF, 0.5), Finding(NEVER, 3.0)])
    assert command.main(["published", "--json"]) == 1
    half, never = json.loads(capsys.readouterr().out)["ends"]
    assert half == {
        "what": "share of the calls", "measured": 0.5, "published": 0.5, "low": 0.4, "high": 0.6,
        "holds": True, "source": "a paper",
    }  # fmt: skip
    assert (never["measured"], never["published"], never["holds"]) == (3.0, None, False)


def test_every_study_has_a_question():
    for name, (question, _) in confirm.STUDIES.items():
        assert name.isidentifier()
        assert question.endswith("?")
