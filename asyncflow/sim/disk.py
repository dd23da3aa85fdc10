"""The disk of a simulated world: aiosqlite runs inline, each operation at its virtual time."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from asyncflow import ambient
from asyncflow.errors import Crashed
from asyncflow.sim.clock import Clock
from asyncflow.sim.entropy.swaps import swapped
from asyncflow.sim.sqlite.calls import Call
from asyncflow.sim.sqlite.lanes import Hands, Lane
from asyncflow.sim.sqlite.operations import Hook, Operation, database_name
from asyncflow.sim.sqlite.senses import SQLiteSenses
from asyncflow.sim.sqlite.settings import Settings
from asyncflow.sim.sqlite.shape import check_shape
from asyncflow.sim.sqlite.statements import read_statement
from asyncflow.sim.trace.trace import Trace

LATENCY = 0.0005
"""Seconds that an operation takes unless a disk is told otherwise."""


class Disk:
    """Where aiosqlite's operations go while a simulation is running.

    SQLite is the real one, on real files. Different are when it is asked, that it neither sleeps nor syncs,
    and what it takes for the time and for chance.

    Args:
        clock: the world's clock.
        trace: told of each operation.
        latency: seconds that each operation of an aiosqlite connection takes.
        hook: stands around each of them.

    Attributes:
        latency: as above; may be changed at any time.
        hook: as above; may be changed at any time.
        is_inline: whether the `with` block of `inline` is being run.
        at_work: the lanes that have something to do, in the order in which they got it.
    """

    def __init__(
        self, clock: Clock, trace: Trace, *, latency: float = LATENCY, hook: Hook | None = None
    ) -> None:
        self.latency = latency
        self.hook = hook
        self.is_inline = False
        self.at_work: dict[Lane, None] = {}
        self._clock = clock
        self._trace = trace
        self._operations = itertools.count(1)
        self._connections = itertools.count(1)
        self._connect: Callable[..., sqlite3.Connection] = sqlite3.connect
        self._senses: SQLiteSenses | None = None
        self._is_opening = False

    @contextmanager
    def inline(self) -> Iterator[None]:
        """Run the operations of all connections that are made inside the `with` block on the loop.

        At its end everything is as it was, and what still waited for its time has been done; after a crash
        it never is. A connection that was left open can be used and closed afterwards; it then does at once
        what it is asked.

        Raises:
            NotInThisVersion: when aiosqlite is not built in the way that this relies on.
        """
        import aiosqlite.core as core  # here: the import of asyncflow.sim has no need of it

        self._connect = sqlite3.connect
        self._senses = SQLiteSenses(
            self._clock, ambient.world().stream("sqlite"), partial(sqlite3.connect, check_same_thread=False)
        )
        swaps = [
            (core, "Thread", Hands),
            (core, "SimpleQueue", partial(Lane, self)),
            (sqlite3, "connect", self._plain),
            (sqlite3.dbapi2, "connect", self._plain),
        ]
        with swapped(swaps):
            check_shape(core)
            self.is_inline = True
            end = Lane.finish
            try:
                yield
            except Crashed:
                end = Lane.forget
                raise
            finally:
                self.is_inline = False
                for lane in tuple(self.at_work):
                    end(lane)

    def number_connection(self) -> int:
        """Return the number of a connection that is about to be opened."""
        return next(self._connections)

    def operation(self, call: Call, database: str, connection: int) -> Operation:
        """Return what is about to be done as a value.

        Args:
            call: what is known of it.
            database: the file's name.
            connection: the number of the connection.
        """
        number = next(self._operations)
        return Operation(number, call.kind, database, connection, call.words, call.sql, call.table)

    def before(self, operation: Operation) -> BaseException | None:
        """Return the error to answer an operation with instead of doing it, or None."""
        return self.hook.before(operation) if self.hook is not None else None

    def after(self, operation: Operation) -> BaseException | None:
        """Return the error to answer an operation with although it took effect, or None."""
        return self.hook.after(operation) if self.hook is not None else None

    def tell(self, operation: Operation, *outcome: str) -> None:
        """Put an operation into the trace.

        Args:
            operation: what was done.
            outcome: a word for what came of it, where that is not the usual.
        """
        self._trace.emit(
            "store",
            operation.number,
            operation.kind,
            operation.database,
            operation.connection,
            operation.words,
            *outcome,
        )

    def open(self, connector: Callable[[], sqlite3.Connection]) -> tuple[sqlite3.Connection, Settings]:
        """Make a connection for aiosqlite, and give it the world's time and chance.

        Returns:
            The connection, and what it is told about waiting and syncing.
        """
        self._is_opening = True
        try:
            connection = connector()
        finally:
            self._is_opening = False
        return connection, self._adopt(connection)

    def _plain(self, database: Any, *arguments: Any, **settings: Any) -> sqlite3.Connection:
        """Connect as `sqlite3.connect` does; on behalf of aiosqlite, or of code that can't wait."""
        connection = self._connect(database, *arguments, **settings)
        if not self._is_opening:
            self._adopt(connection)
            self._watch(connection, database_name(database), self.number_connection())
        return connection

    def _adopt(self, connection: sqlite3.Connection) -> Settings:
        if self._senses is not None:
            self._senses.give_to(connection)
        return Settings(connection)

    def _watch(self, connection: sqlite3.Connection, database: str, number: int) -> None:
        """Put the statements of a connection into the trace that is not aiosqlite's."""

        def tell(sql: str) -> None:
            kind, words, table, settings = read_statement(sql)
            self.tell(self.operation(Call(kind, words, sql, table, settings), database, number))

        self.tell(self.operation(Call("open", "open"), database, number))
        connection.set_trace_callback(tell)
