"""The command line: everything that people type, and the only part that prints."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line on this process's arguments, and end the process with its exit code."""
    from asyncflow.cli.app import cli
    from asyncflow.cli.endings import leave
    from asyncflow.cli.settings import Settings

    leave(lambda: cli(obj=Settings.from_environment(owns_process=True)))
