"""Which commands there are: enough for `--help` without importing any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """A command's place in the help, and what it does in a sentence."""

    section: str
    help: str


COMMANDS: Mapping[str, Entry] = {
    "scenario": Entry("Start", "Play a flow under injected faults, and judge the outcome."),
    "scenarios": Entry("Start", "List the scenarios that come with asyncflow."),
    "run": Entry("Start", "Run a flow and keep a record of it."),
    "show": Entry("Start", "Show one run: its timeline, and why each attempt ended so."),
    "flows": Entry("Operate", "List flows and what their runs came to."),
    "runs": Entry("Operate", "List the newest runs."),
    "resume": Entry("Operate", "Go on with a paused run."),
    "serve": Entry("Operate", "Run flows at the fires of their schedules, until stopped."),
    "visualize": Entry("Operate", "Draw a flow, or a run with the states of its tasks."),
    "replica": Entry("Tools", "Serve a local stand-in for a web service, faults included."),
    "doctor": Entry("Tools", "Check this machine and the store, and say how to mend them."),
    "schema": Entry("Tools", "Print the JSON Schema of scenario files, or of an answer."),
    "trace": Entry("Tools", "Compare two traces of the simulated world."),
}
"""Every command by name, in the order of the help; `asyncflow.cli.commands` has a module for each."""

SECTIONS = tuple(dict.fromkeys(entry.section for entry in COMMANDS.values()))
"""The groups of the help, in order."""
