"""Playing a scenario and its variants for the command line, and telling them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from asyncflow.cli.endings import DONE, NOT_HELD
from asyncflow.cli.following import following
from asyncflow.cli.output import Output
from asyncflow.cli.progress import Progress
from asyncflow.cli.rehearsing import Keeper, played, rehearsal_folder
from asyncflow.cli.settings import Settings

if TYPE_CHECKING:
    from asyncflow.report.comparing import Side as Shown
    from asyncflow.scenario.compare import Comparison, Side
    from asyncflow.scenario.play import Rehearsal
    from asyncflow.scenario.verdict import Report


def compared(
    rehearsals: Sequence[Rehearsal],
    store: str | None,
    settings: Settings,
    log_level: str | None,
    log_format: Literal["auto", "console", "json"],
) -> int:
    """Play rehearsals one after the other, tell them side by side, and return the exit code.

    Args:
        rehearsals: a scenario and its variants.
        store: where their summaries are kept; None for the usual place.
        settings: how answers are written.
        log_level: the least that is logged; None for what is usual.
        log_format: how log lines look.

    Raises:
        KeyboardInterrupt: after Ctrl-C; what was over by then is kept.
    """
    from asyncflow.scenario.compare import compare

    out = Output(settings)
    if not out.is_terse:
        _introduce(rehearsals[0], out)
    with Keeper(store) as keeper:
        folder = rehearsal_folder(store)
        numbers = {id(rehearsal): number for number, rehearsal in enumerate(rehearsals, 1)}
        live = settings.look().live and not out.is_terse
        with Progress(len(rehearsals), live=live) as progress:

            def play(rehearsal: Rehearsal) -> Report:
                progress.at(numbers[id(rehearsal)])
                with following(settings, log_level, log_format, is_rehearsal=True, live=False) as follower:
                    report = played(rehearsal, folder, follower.listeners)
                for run in report.runs:
                    keeper.keep(run, report.home)
                return report

            found = compare(rehearsals, play)
    _tell(found, out, settings)
    return DONE if found.held else NOT_HELD


def _introduce(rehearsal: Rehearsal, out: Output) -> None:
    """Say what is about to be played, so that the story can be read meanwhile."""
    scenario = rehearsal.scenario
    out.sentence(scenario.title or rehearsal.name, "name")
    if scenario.story:
        out.sentence(scenario.story, "dim")
    out.lines([[]])


def _tell(found: Comparison, out: Output, settings: Settings) -> None:
    """Say what the comparison came to."""
    from asyncflow.report.comparing import comparison
    from asyncflow.report.measures import measures_table

    if settings.json:
        out.data(found.to_json())
        return
    if not settings.quiet:
        sides = [shown for side in found.sides for shown in _shown(side)]
        out.lines([*comparison(sides, out.look), [], *measures_table(sides, out.look), []])
        for side in found.sides:
            if side.report.verdict != "held":
                out.sentence(f"{side.label}: {side.report.sentence}", "failed")
    out.sentence(found.sentence, "success" if found.held else "failed")
    broken = [side.report for side in found.sides if side.report.verdict != "held"]
    if broken and not settings.quiet:
        out.command("Look closer", _closer(broken[0], settings))


def _closer(report: Report, settings: Settings) -> str:
    """Return the command that plays one of them alone."""
    from shlex import quote

    variant = f" --variant {quote(report.variant)}" if report.variant else ""
    world = f" --world {'real' if report.verdict == 'escaped' else report.world}"
    return f"{settings.program} scenario {quote(report.scenario)}{variant}{world} --seed {report.seed}"


def _shown(side: Side) -> list[Shown]:
    """Return what is drawn of one of them: its run, or each of those of a schedule."""
    from asyncflow.history.measures import measures_of
    from asyncflow.report.comparing import Side as Shown

    report = side.report
    held = sum(check.held for check in report.checks)
    return [
        Shown(
            label=f"{side.label} #{number}" if len(report.runs) > 1 else side.label,
            title=side.title,
            verdict=report.verdict,
            history=run,
            measures=measures_of(run),
            breakers=report.breakers,
            expectations=(len(report.checks), held),
        )
        for number, run in enumerate(report.runs, 1)
    ]
