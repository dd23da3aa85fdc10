"""Logs: structlog, set up by the command line or by one explicit call, and run events as log lines."""

from asyncflow.logs.lines import attach, listener
from asyncflow.logs.setup import configure, reset, set_context

__all__ = ["attach", "configure", "listener", "reset", "set_context"]
