"""What runs and rehearsals came to, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncflow.cli.output import Output

if TYPE_CHECKING:
    from asyncflow.history import RunHistory
    from asyncflow.scenario.play import Rehearsal
    from asyncflow.scenario.verdict import Report


def introduce(rehearsal: Rehearsal, out: Output) -> None:
    """Say what is about to be played, so that the story can be read meanwhile."""
    scenario = rehearsal.scenario
    out.sentence(scenario.title or rehearsal.name, "name")
    if rehearsal.variant is not None:
        title = scenario.variants[rehearsal.variant].title
        out.sentence(f"Variant {rehearsal.variant}{': ' if title else ''}{title}")
    if scenario.story:
        out.sentence(scenario.story, "dim")
    out.lines([[]])


def tell_run(history: RunHistory, out: Output) -> None:
    """Draw a run's timeline."""
    from asyncflow.report.timeline import timeline

    out.lines([*timeline(history, out.look), []])


def tell_runs(report: Report, out: Output) -> None:
    """Draw the timeline of a rehearsal, or one for each run of a schedule."""
    from asyncflow.human import duration

    for number, run in enumerate(report.runs, 1):
        if report.fires:
            later = run.header.started - report.fires[0].header.started
            place = f", {duration(later)} after the first" if later else ""
            out.sentence(f"Fire {number} of {len(report.fires)}{place}", "name")
        tell_run(run, out)


def tell_state(history: RunHistory, out: Output) -> None:
    """Say where a flow run ended, in its own words."""
    from asyncflow.report.words import mark

    shown = mark(history.state)
    text = f"{shown.word}: {history.state.message}" if history.state.message else shown.word
    out.sentence(text, shown.style, sign=out.look.of(shown))


def tell_result(value: Any, out: Output) -> None:
    """Show a flow's value in short, when it has one."""
    if value is not None:
        out.sentence(short(value), sign="result")


def short(value: Any) -> str:
    """Return a short text of any value; an object whose text can't be made is told by its type."""
    from reprlib import Repr

    teller = Repr()
    teller.maxstring = teller.maxother = 200
    teller.maxlist = teller.maxtuple = teller.maxdict = teller.maxset = 8
    return teller.repr(value)


def tell_checks(report: Report, out: Output) -> None:
    """Name the expectations that are false, or count those that held."""
    from asyncflow.human import plural
    from asyncflow.report.words import mark

    broken = [check for check in report.checks if not check.held]
    for check in broken:
        out.sentence(f"{check.what}: {check.detail}", "failed", sign=out.look.of(mark("Failed")))
    held = len(report.checks) - len(broken)
    if held:
        out.sentence(f"{plural(held, 'expectation')} held", "dim", sign=out.look.of(mark("Success")))


def tell_trace(report: Report, out: Output) -> None:
    """Say of a simulated rehearsal how much time it spared, and whether it is the same each time."""
    from asyncflow.cli.traces import tell_difference
    from asyncflow.human import duration, plural

    repeats = report.repeats
    if repeats is None:
        return
    if repeats.difference is not None:
        out.sentence(f"{plural(repeats.times, 'run')}, {plural(repeats.traces, 'trace')}", "failed")
        tell_difference(repeats.difference, out)
        return
    spent = f"{duration(report.lasted)} simulated in {duration(report.wall_s)}"
    if repeats.times > 1:
        spent = f"{repeats.times:,} runs, one trace, {duration(report.wall_s)}"
    out.sentence(f"{spent} (sha256 {repeats.digest[:12]})", "dim")


def tell_verdict(report: Report, out: Output) -> None:
    """Say the verdict in plain words; of a stuck run each task has a line, with the place where it waits."""
    if report.verdict == "stuck" and not out.is_terse:
        head, *tasks = report.stuck.splitlines()
        out.sentence(f"Stuck: {head}", "failed")
        for task in tasks:
            out.sentence(task.strip(), "failed", sign=out.look.sign("dot"))
        return
    out.sentence(report.sentence, "success" if report.verdict == "held" else "failed")
