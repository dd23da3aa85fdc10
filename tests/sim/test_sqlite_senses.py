from __future__ import annotations

import datetime
import sqlite3
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.sim.clock import EPOCH, Clock
from asyncflow.sim.sqlite.senses import SQLiteSenses

_VERSION = sqlite3.sqlite_version_info


def _connection(*, later: float = 0.0, seed: int = 1) -> sqlite3.Connection:
    """Return a connection whose world is that many seconds old."""
    clock = Clock()
    clock.now = later
    connection = sqlite3.connect(":memory:", isolation_level=None)
    SQLiteSenses(clock, Random(seed), sqlite3.connect).give_to(connection)
    return connection


def _asked(connection: sqlite3.Connection, *statements: str) -> Any:
    """Run statements and return the rows of the last one, or the beginning of the first complaint."""
    try:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        return str(error)
    finally:
        connection.close()
    return rows


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CURRENT_TIMESTAMP", "2023-11-14 23:13:20"),
        ("current_date", "2023-11-14"),
        ("Current_Time", "23:13:20"),
        ("datetime()", "2023-11-14 23:13:20"),
        ("datetime('now')", "2023-11-14 23:13:20"),
        ("DATETIME('NOW')", "2023-11-14 23:13:20"),
        ("datetime('now', '+1 day', 'start of month')", "2023-11-01 00:00:00"),
        ("date()", "2023-11-14"),
        ("date('now', '-1 month')", "2023-10-14"),
        ("time()", "23:13:20"),
        ("time('now', '+90 seconds')", "23:14:50"),
        ("strftime('%Y %j')", "2023 318"),
        ("strftime('%f', 'now')", "20.250"),
        ("strftime('%s', 'now', '+1 second')", "1700003601"),
        ("julianday()", 2460263.467595486),
        ("julianday('now')", 2460263.467595486),
        # What is not about the present is SQLite's business.
        ("date('2021-02-03 04:05:06')", "2021-02-03"),
        ("datetime(0, 'unixepoch')", "1970-01-01 00:00:00"),
        ("julianday('2000-01-01 12:00:00')", 2451545.0),
        ("strftime('now', '2021-02-03')", "now"),
        ("strftime()", None),
        ("date(NULL)", None),
        ("date('now', NULL)", None),
        ("time('no time')", None),
    ],
)
def test_the_present_is_that_of_the_world(expression: str, value: object) -> None:
    assert _asked(_connection(later=3600.25), f"SELECT {expression}") == [(value,)]


@pytest.mark.skipif(_VERSION < (3, 38), reason="unixepoch came with SQLite 3.38")
@pytest.mark.parametrize(
    "expression", ["unixepoch()", "unixepoch('now')", "unixepoch('2023-11-14 22:13:20')"]
)
def test_unixepoch_counts_the_seconds_of_the_world(expression: str) -> None:
    assert _asked(_connection(later=0.9), f"SELECT {expression}") == [(EPOCH,)]


@pytest.mark.skipif(_VERSION < (3, 42), reason="subsec came with SQLite 3.42")
def test_fractions_of_seconds_are_those_of_the_world() -> None:
    assert _asked(_connection(later=0.25), "SELECT datetime('subsec')") == [("2023-11-14 22:13:20.250",)]


@pytest.mark.skipif(_VERSION < (3, 43), reason="timediff came with SQLite 3.43")
def test_differences_of_times_know_the_present() -> None:
    asked = _asked(_connection(later=1.0), "SELECT timediff('now', '2023-11-14 22:13:20')")
    assert asked == [("+0000-00-00 00:00:01.000",)]


def test_a_function_that_sqlite_does_not_have_is_not_there_either() -> None:
    for name in ("unixepoch", "timediff"):
        asked = f"SELECT count(*) FROM pragma_function_list WHERE name = '{name}'"
        assert bool(_asked(_connection(), asked)[0][0]) == bool(
            _asked(sqlite3.connect(":memory:"), asked)[0][0]
        )


@given(
    milliseconds=st.integers(0, 4_000_000_000_000),
    modifiers=st.lists(
        st.sampled_from(["+1 day", "-3 months", "start of year", "weekday 0", "nonsense"]), max_size=3
    ),
    name=st.sampled_from(["date", "time", "datetime", "julianday"]),
)
def test_now_is_reckoned_with_as_the_same_moment_in_figures_is(
    milliseconds: int, modifiers: list[str], name: str
) -> None:
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
        milliseconds=milliseconds
    )
    places = "".join(", ?" for _ in modifiers)
    plain = sqlite3.connect(":memory:")
    ours = _connection(later=milliseconds / 1000 - EPOCH)
    text = moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1000:03}"
    expected = plain.execute(f"SELECT {name}(?{places})", [text, *modifiers]).fetchone()
    assert ours.execute(f"SELECT {name}('now'{places})", modifiers).fetchone() == expected
    plain.close()
    ours.close()


def test_chance_follows_the_seed() -> None:
    asked = "SELECT random(), random(), hex(randomblob(4))"
    first, again, other = (_asked(_connection(seed=seed), asked) for seed in (1, 1, 2))
    assert first == again != other
    assert first[0][0] != first[0][1]


def test_chance_has_the_range_of_sqlites_own() -> None:
    connection = _connection()
    drawn = [row[0] for row in connection.execute("SELECT random() FROM json_each(?)", [str([0] * 400)])]
    connection.close()
    assert len(set(drawn)) == 400
    assert min(drawn) < -(1 << 62) < 1 << 62 < max(drawn)
    assert all(-(1 << 63) <= number < 1 << 63 for number in drawn)


@pytest.mark.parametrize(("size", "length"), [("3", 3), ("0", 1), ("-5", 1), ("NULL", 1), ("'x'", 1)])
def test_a_random_blob_has_the_length_that_sqlite_would_give_it(size: str, length: int) -> None:
    asked = f"SELECT length(randomblob({size}))"
    assert _asked(_connection(), asked) == _asked(sqlite3.connect(":memory:"), asked) == [(length,)]


_WRITTEN = ("INSERT INTO t (a) VALUES ('2021-02-03')", "SELECT * FROM t")


@pytest.mark.parametrize(
    ("statements", "rows"),
    [
        (
            ("CREATE TABLE t (a, b DEFAULT CURRENT_TIMESTAMP)", *_WRITTEN),
            [("2021-02-03", "2023-11-14 22:13:20")],
        ),
        (("CREATE TABLE t (a, b DEFAULT CURRENT_DATE)", *_WRITTEN), [("2021-02-03", "2023-11-14")]),
        (
            ("CREATE TABLE t (a, b DEFAULT (datetime('now')))", *_WRITTEN),
            [("2021-02-03", "2023-11-14 22:13:20")],
        ),
        (
            (
                "CREATE TABLE t (a)",
                "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = time('now'); END",
                *_WRITTEN,
            ),
            [("22:13:20",)],
        ),
        (("CREATE VIEW v AS SELECT date('now') AS today", "SELECT * FROM v"), [("2023-11-14",)]),
        (("CREATE TABLE t (a, b AS (date(a, '+1 day')))", *_WRITTEN), [("2021-02-03", "2021-02-04")]),
        (("CREATE TABLE t (a)", "CREATE INDEX i ON t (date(a))", *_WRITTEN), [("2021-02-03",)]),
        (("CREATE TABLE t (a CHECK (date(a) IS NOT NULL))", *_WRITTEN), [("2021-02-03",)]),
        (("CREATE TABLE t (a CHECK (a < CURRENT_TIMESTAMP))", *_WRITTEN), [("2021-02-03",)]),
        (
            ("PRAGMA encoding = 'UTF-16le'", "CREATE TABLE t (a DEFAULT (time('now')))", "PRAGMA encoding"),
            [("UTF-16le",)],
        ),
    ],
)
def test_a_schema_may_use_time_where_sqlite_lets_it(statements: tuple[str, ...], rows: object) -> None:
    assert _asked(_connection(), *statements) == rows


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE t (a, b AS (random()))",),
        ("CREATE TABLE t (a)", "CREATE INDEX i ON t (random())"),
        ("CREATE TABLE t (a, b AS (CURRENT_TIMESTAMP))",),
        ("CREATE TABLE t (a)", "CREATE INDEX i ON t (CURRENT_DATE)"),
        ("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN b DEFAULT CURRENT_DATE"),
        ("SELECT random(1)",),
        ("SELECT randomblob()",),
    ],
)
def test_what_sqlite_refuses_is_refused_in_the_same_words(statements: tuple[str, ...]) -> None:
    refused = _asked(_connection(), *statements)
    assert isinstance(refused, str)
    assert refused == _asked(sqlite3.connect(":memory:"), *statements)


def test_the_connection_aside_is_closed_with_the_last_one_that_needs_it() -> None:
    made: list[sqlite3.Connection] = []

    def connect(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        made.append(sqlite3.connect(*arguments, **settings))
        return made[0]

    connection = sqlite3.connect(":memory:")
    SQLiteSenses(Clock(), Random(1), connect).give_to(connection)
    assert connection.execute("SELECT date('now'), time('now')").fetchone() == ("2023-11-14", "22:13:20")
    connection.close()
    del connection
    (aside,) = made
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        aside.execute("SELECT 1")


def test_a_function_of_the_users_own_goes_before() -> None:
    connection = _connection()
    connection.create_function("random", 0, lambda: 4)
    assert _asked(connection, "SELECT random()") == [(4,)]
