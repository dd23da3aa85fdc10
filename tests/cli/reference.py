"""Writes the help texts into docs/cli.md: `python -m tests.cli.reference`."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from asyncflow.cli.app import cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"

_PART = re.compile(r"<!-- help(?:: (\w+))? -->\n.*?<!-- /help -->", re.DOTALL)


def help_of(command: str | None) -> str:
    """Return a command's help as it is shown on 80 columns."""
    args = [] if command is None else [command]
    done = CliRunner(env={"COLUMNS": "80"}).invoke(
        cli, [*args, "--help"], prog_name="asyncflow", terminal_width=80, max_content_width=80
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def with_help(page: str) -> str:
    """Return the page with today's help texts."""
    return _PART.sub(lambda found: _part(found.group(1)), page)


def _part(command: str | None) -> str:
    head = "<!-- help -->" if command is None else f"<!-- help: {command} -->"
    return f"{head}\n```text\n{help_of(command)}```\n<!-- /help -->"


if __name__ == "__main__":
    PAGE.write_text(with_help(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
