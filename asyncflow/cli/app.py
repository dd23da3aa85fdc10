"""The group of all commands: lazy, sorted into three groups, and helpful about misspelt names."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from asyncflow import __version__
from asyncflow.cli.catalogue import COMMANDS, SECTIONS
from asyncflow.cli.command import debug_option
from asyncflow.cli.endings import code_of, prepare_streams
from asyncflow.cli.settings import Settings
from asyncflow.errors import did_you_mean

_ABOUT = """Run flows under timeouts, retries and circuit breakers, and rehearse their failures.

A scenario plays a flow under injected faults and checks what the flow made of them:
`asyncflow scenario fail_parse` is a good beginning."""


class Commands(click.Group):
    """All commands; a command's module is imported when the command is used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"asyncflow.cli.commands.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; an unknown one is answered with the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            hint = did_you_mean(name, COMMANDS) or f" There are: {', '.join(COMMANDS)}."
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their groups."""
        widest = max(map(len, COMMANDS))
        for section in SECTIONS:
            rows = [(f"{name:<{widest}}", of.help) for name, of in COMMANDS.items() if of.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]  # it always ends the process
        """Run a command and exit with its code; every error ends here as a text on stderr."""
        settings = extra.setdefault("obj", Settings.from_environment())
        extra["standalone_mode"] = False
        prepare_streams()
        raise SystemExit(code_of(lambda: super(Commands, self).main(args, prog_name, **extra), settings))


@click.group(cls=Commands, invoke_without_command=True, help=_ABOUT)
@click.version_option(__version__, prog_name="asyncflow", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Note what was typed, and show the help when nothing was."""
    ctx.ensure_object(Settings).program = ctx.info_name or "asyncflow"
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


cli.params.append(debug_option())
