"""`python -m asyncflow` is the command line."""

import sys
from importlib.util import find_spec

_NEEDED = ("aiohttp", "aiosqlite", "click", "msgspec", "platformdirs", "rich", "structlog")


def main() -> None:
    """Run the command line, or say what this Python lacks for it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(
            f"asyncflow is not installed for {sys.executable}, which lacks {', '.join(missing)}; use the "
            "Python of the virtual environment, such as .venv/bin/python, or: python -m pip install ."
        )
    from asyncflow.cli import main as command_line

    command_line()


if __name__ == "__main__":  # a process that is spawned imports this module under another name
    main()
