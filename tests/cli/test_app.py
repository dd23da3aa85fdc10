"""The group of commands: its help, its misspelt names, and what it leaves alone."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest

from asyncflow.cli import main
from asyncflow.cli.app import cli
from asyncflow.cli.catalogue import COMMANDS, SECTIONS
from asyncflow.cli.command import Command
from tests.cli.conftest import Call, environment


def test_the_help_has_three_groups_and_every_command(af: Call) -> None:
    shown = af("--help").stdout

    places = [shown.index(f"{section}:") for section in SECTIONS]
    assert places == sorted(places)
    assert SECTIONS == ("Start", "Operate", "Tools")
    for name, entry in COMMANDS.items():
        assert f"  {name}" in shown
        assert entry.help.split()[0] in shown


def test_without_a_command_the_help_is_the_answer(af: Call) -> None:
    done = af()

    assert done.exit_code == 0
    assert done.stdout == af("--help").stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_a_worked_example_that_begins_with_its_name(af: Call, name: str) -> None:
    done = af(name, "--help")

    assert done.exit_code == 0
    assert done.stdout.isascii()
    assert "Examples:\n" in done.stdout
    command = importlib.import_module(f"asyncflow.cli.commands.{name}").command
    assert isinstance(command, Command)
    assert all(example.startswith(f"asyncflow {name}") for example in command.examples)
    assert done.stdout.count(f"\n  asyncflow {name}") == len(command.examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_can_be_parsed(name: str) -> None:
    command = importlib.import_module(f"asyncflow.cli.commands.{name}").command
    known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    known |= {"--long", "-l"} if name == "scenarios" else set()

    for example in command.examples:
        used = [word.partition("=")[0] for word in example.split() if word.startswith("-")]
        assert set(used) <= known, example


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (("scenari",), "There is no command 'scenari'. Did you mean 'scenario'?"),
        (("vizualise",), "There is no command 'vizualise'. Did you mean 'visualize'?"),
        (("frobnicate",), "There is no command 'frobnicate'. There are: scenario, scenarios, run"),
        (("scenario", "fail_parse", "--sed", "3"), "--seed"),
        (("runs", "--jsn"), "--json"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest(af: Call, typed: tuple[str, ...], hint: str) -> None:
    done = af(*typed)

    assert done.exit_code == 2
    assert done.stdout == ""
    assert hint in done.stderr


def test_the_version_is_printed(af: Call) -> None:
    from asyncflow import __version__

    assert af("--version").stdout == f"asyncflow {__version__}\n"


def test_unknown_names_are_no_commands() -> None:
    assert cli.get_command(click.Context(cli), "nothing") is None


@pytest.mark.process
@pytest.mark.parametrize("word", ["--version", "--help"])
def test_the_help_imports_nothing_heavy(word: str) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['asyncflow', {word!r}]\n"
        "from asyncflow.cli.app import cli\n"
        "try: cli()\n"
        "except SystemExit: pass\n"
        "heavy = {'rich', 'aiohttp', 'aiosqlite', 'structlog', 'asyncflow.scenario', 'asyncflow.engine'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )

    assert "HEAVY []" in done.stdout


def test_the_entry_point_takes_the_words_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["asyncflow", "--version"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("asyncflow ")


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False)])
def test_the_environment_may_ask_for_tracebacks(
    af: Call, monkeypatch: pytest.MonkeyPatch, value: str, shown: bool
) -> None:
    monkeypatch.setenv("ASYNCFLOW_DEBUG", value)

    assert ("Traceback" in af("show").stderr) is shown
    assert "Traceback" in af("show", "--debug").stderr
    assert "Traceback" in af("--debug", "show").stderr
