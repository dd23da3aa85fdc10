"""What all commands share: common options, worked examples and exit codes in the help."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from typing import Any

import click

from asyncflow.cli.catalogue import COMMANDS
from asyncflow.cli.settings import Settings

ONE_DOCUMENT = "Print one JSON document on stdout."
"""What `--json` does as a rule."""

_INDENT = "  "


class Command(click.Command):
    """A command with the common options, and a help that ends with examples and exit codes.

    Args:
        examples: lines to type.
        exits: what each exit code says beside the usual ones.
        json: what the option `--json` does; None for a command that has none.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        exits: Mapping[int, str] | None = None,
        json: str | None = ONE_DOCUMENT,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.examples = tuple(examples)
        self.exits = dict(exits or {})
        self.params += common_options(json=json)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; under `--json` stdout is kept for the answer, whatever user code prints."""
        settings = ctx.ensure_object(Settings)
        settings.stdout = sys.stdout
        with redirect_stdout(sys.stderr) if settings.json else nullcontext():
            return super().invoke(ctx)

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the exit codes."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{_INDENT}{example}\n")
        if self.exits:
            with formatter.section("Exit codes"):
                formatter.write_dl([(str(code), text) for code, text in self.exits.items()])


def declare(
    name: str,
    more: str = "",
    *,
    examples: Sequence[str],
    exits: Mapping[int, str] | None = None,
    json: str | None = ONE_DOCUMENT,
) -> Callable[[Callable[..., int | None]], Command]:
    """Return what turns a function into the command of that name.

    Args:
        name: a name of the catalogue, which has the first sentence of the help.
        more: the rest of the help.
        examples: lines to type.
        exits: what each exit code says beside the usual ones.
        json: what the option `--json` does; None for a command that has none.
    """

    def decorate(fn: Callable[..., int | None]) -> Command:
        made: Command = click.command(
            name,
            cls=Command,
            help="\n\n".join(filter(None, (COMMANDS[name].help, more))),
            short_help=COMMANDS[name].help,
            examples=examples,
            exits=exits,
            json=json,
        )(fn)
        return made

    return decorate


def common_options(*, json: str | None) -> list[click.Parameter]:
    """Return the options that every command has; they change the settings, not the command's arguments."""
    options = [
        _switch("--plain", sets="plain", text="ASCII only: no colours, no signs, no redrawing."),
        _switch("--no-color", sets="colourless", text="No colours; NO_COLOR=1 does the same."),
        debug_option(),
    ]
    if json is not None:
        options.insert(0, _switch("--json", sets="json", text=json))
    return options


def debug_option() -> click.Parameter:
    """Return the option for tracebacks."""
    return _switch("--debug", sets="debug", text="Show tracebacks of errors, as ASYNCFLOW_DEBUG=1 does.")


def quiet_option(text: str) -> Callable[[Any], Any]:
    """Return a decorator that adds `--quiet` to a command."""

    def add(target: Any) -> Any:
        known = getattr(target, "__click_params__", ())
        target.__click_params__ = [*known, _switch("-q", "--quiet", sets="quiet", text=text)]
        return target

    return add


def _switch(*names: str, sets: str, text: str) -> click.Option:
    """Return an option that switches one of the settings on."""

    def note(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Settings), sets, True)

    return click.Option(names, is_flag=True, expose_value=False, is_eager=True, callback=note, help=text)
