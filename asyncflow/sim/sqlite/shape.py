"""Whether aiosqlite is built in the way that lets its connections run without threads."""

from __future__ import annotations

from importlib import metadata
from types import CodeType, ModuleType

from asyncflow.errors import NotInThisVersion
from asyncflow.sim.sqlite.calls import STOP
from asyncflow.sim.sqlite.lanes import Hands, Lane


def check_shape(core: ModuleType) -> None:
    """Look at a connection that is never opened.

    Args:
        core: `aiosqlite.core`, with a lane in the place of `SimpleQueue` and hands in that of `Thread`.

    Raises:
        NotInThisVersion: names the version of aiosqlite and everything that is missing.
    """
    connection = core.connect(":memory:")
    asked = getattr(getattr(connection, "_connector", None), "__code__", None)
    stop = getattr(core.Connection.stop, "__code__", None)
    found = {
        "Connection._tx made by SimpleQueue()": isinstance(getattr(connection, "_tx", None), Lane),
        "Connection._thread made by Thread()": isinstance(getattr(connection, "_thread", None), Hands),
        "name `database` in connect()": "database" in getattr(asked, "co_freevars", ()),
        f"function `{STOP}` in Connection.stop()": STOP in _inner_names(stop),
    }
    missing = [what for what, is_there in found.items() if not is_there]
    if missing:
        raise NotInThisVersion(
            f"aiosqlite {metadata.version('aiosqlite')} has no {', no '.join(missing)}, which the simulated "
            "world relies on; use aiosqlite 0.22.1, or the real world"
        )


def _inner_names(code: CodeType | None) -> list[str]:
    return [] if code is None else [inner.co_name for inner in code.co_consts if isinstance(inner, CodeType)]
