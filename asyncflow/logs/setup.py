"""Setting up structlog, once and only when asked: importing asyncflow never touches anybody's logging.

Lines go to stderr: for people on a terminal, as JSON elsewhere. Records of the standard library's logging
(aiohttp's, those of user code) take the same road. Which flow, run, task and attempt a line belongs to is
added when it is written, from the scope that writes it, so attempts cost nothing for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from asyncflow import ambient
from asyncflow.errors import UsageError, did_you_mean
from asyncflow.handles import log_context
from asyncflow.logs import lines
from asyncflow.logs.render import Console, as_json
from asyncflow.logs.terminal import is_terminal, reads_escapes, wants_colour
from asyncflow.logs.writing import Handler, LineLogger, Writer

Format = Literal["auto", "console", "json"]

LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_FORMATS = ("auto", "console", "json")
_EventDict = MutableMapping[str, Any]

_context_of: Callable[[], Mapping[str, Any]] = log_context


def set_context(context_of: Callable[[], Mapping[str, Any]]) -> None:
    """Replace the hook that tells where a line belongs; without one the scope that writes it is asked.

    Args:
        context_of: returns `flow`, `run`, `task` and `attempt` inside a run, and nothing outside; it is
            called once for each line that is written, in the context that writes it.
    """
    global _context_of
    _context_of = context_of


def configure(level: str = "info", format: Format = "auto", stream: TextIO | None = None) -> None:
    """Set up logging for this process; calling it again replaces what the last call set up.

    Args:
        level: the least that is written: debug, info, warning, error or critical.
        format: `console` for people, `json` for machines, `auto` for console on a terminal, else JSON.
        stream: where lines go; stderr, as it is when a line is written, when None.

    Raises:
        UsageError: when the level or the format is not one of these.
    """
    import structlog

    least = LEVELS.get(level.lower())
    if least is None:
        raise UsageError(
            f"log level {level!r} is not one of {', '.join(LEVELS)}.{did_you_mean(level, LEVELS)}"
        )
    if format not in _FORMATS:
        raise UsageError(f"log format {format!r} is not one of {', '.join(_FORMATS)}")
    writer = Writer(stream)
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
        add_context,
        add_time,
        structlog.processors.format_exc_info,
    ]
    renderer = _renderer(format, writer)
    structlog.configure(
        processors=[*chain, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *names: LineLogger(writer, str(names[0]) if names else ""),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=chain,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    _install(Handler(writer), formatter, least)
    lines.open_at(least, structlog.get_logger)
    lines.attach()


def reset() -> None:
    """Undo `configure` and `set_context`: structlog's defaults, no handler of ours, no event's line."""
    import structlog

    structlog.reset_defaults()
    _uninstall()
    lines.close()
    set_context(log_context)


def _renderer(format: Format, writer: Writer) -> Callable[[Any, str, _EventDict], str]:
    """Return the last processor of the chain."""
    out = writer.stream
    if format == "json" or (format == "auto" and not is_terminal(out)):
        return as_json
    return Console(colour=wants_colour(out) and reads_escapes())


def add_context(_logger: Any, _method: str, event: _EventDict) -> _EventDict:
    """Add where a line belongs; what the line says itself stands."""
    for key, value in _context_of().items():
        event.setdefault(key, value)
    return event


def add_time(_logger: Any, _method: str, event: _EventDict) -> _EventDict:
    """Add the world's wall-clock time, which is virtual in a simulation."""
    event["timestamp"] = datetime.fromtimestamp(ambient.world().wall(), tz=UTC).isoformat(
        timespec="milliseconds"
    )
    return event


def _install(handler: Handler, formatter: logging.Formatter, least: int) -> None:
    """Make `handler` the one handler of ours at the root."""
    _uninstall()
    root = logging.getLogger()
    handler.setFormatter(formatter)
    handler.root_was = root.level
    root.addHandler(handler)
    root.setLevel(least)
    # At debug it writes every statement with its parameters, which drowns the run that they record.
    logging.getLogger("aiosqlite").setLevel(max(least, logging.INFO))


def _uninstall() -> None:
    """Take our handler off the root, and give the root the level that it had."""
    root = logging.getLogger()
    for known in [handler for handler in root.handlers if isinstance(handler, Handler)]:
        root.removeHandler(known)
        root.setLevel(known.root_was)
        logging.getLogger("aiosqlite").setLevel(logging.NOTSET)
