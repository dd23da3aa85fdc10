"""`python -m benchmarks published`: every published result, measured again and held against its band."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure import FULL, QUICK, Effort
from benchmarks.published import adaptive_limits, aws_backoff, hedging, retry_budgets, storms, throttling
from benchmarks.published.claims import Finding

_STUDIES = (
    aws_backoff,
    throttling,
    retry_budgets,
    storms,
    hedging,
    adaptive_limits,
)

STUDIES: dict[str, tuple[str, Callable[[Effort], Iterator[Finding]]]] = {
    study.NAME: (study.QUESTION, study.findings) for study in _STUDIES
}
"""What was published, by name; each gives its claims with what a run of ours came to."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print each finding as it comes, and return the exit code: 1 when a claim does not hold."""
    chosen = _parser().parse_args(arguments)
    found: dict[str, list[Finding]] = {}
    for name in chosen.studies or STUDIES:
        question, findings = STUDIES[name]
        if not chosen.json:
            print(f"{name}: {question}", flush=True)
        found[name] = []
        for finding in findings(QUICK if chosen.quick else FULL):
            found[name].append(finding)
            if not chosen.json:
                print(f"  {finding}", flush=True)
    every = [finding for findings in found.values() for finding in findings]
    if chosen.json:
        told = {name: [finding.to_json() for finding in findings] for name, findings in found.items()}
        print(json.dumps(told, indent=2))
    else:
        print(_sum(every))
    return int(not all(finding.holds for finding in every))


def _sum(every: Sequence[Finding]) -> str:
    held = sum(finding.holds for finding in every)
    return f"{held} of {len(every)} claims hold."


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, STUDIES))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks published",
        description="Measure published results about policies again, in virtual time.",
        epilog="studies:\n"
        + "\n".join(f"  {name:<{width}} {question}" for name, (question, _) in STUDIES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "studies", nargs="*", metavar="STUDY", choices=[*STUDIES, []], help="which; all without one"
    )
    parser.add_argument("--quick", action="store_true", help="the size that the tests run")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser
