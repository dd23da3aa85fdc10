"""docs/cli.md has every command with today's help."""

from __future__ import annotations

from asyncflow.cli.catalogue import COMMANDS
from tests.cli.reference import PAGE, with_help


def test_the_page_has_every_command() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for name in COMMANDS:
        assert f"\n#### {name}\n" in page
        assert f"<!-- help: {name} -->" in page


def test_the_help_texts_in_the_page_are_those_of_today() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_help(page), "write them anew: python -m tests.cli.reference"
