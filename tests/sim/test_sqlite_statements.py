from __future__ import annotations

import pytest

from asyncflow.sim.sqlite.statements import read_statement


@pytest.mark.parametrize(
    ("sql", "kind", "words", "table"),
    [
        ("SELECT * FROM note", "read", "SELECT", "note"),
        ("select id, name from main.note n join other", "read", "select id", "note"),
        ("SELECT 1", "read", "SELECT", None),
        ("SELECT a FROM (SELECT b FROM inner_one)", "read", "SELECT a FROM", "inner_one"),
        ("VALUES (1)", "read", "VALUES", None),
        ("EXPLAIN QUERY PLAN SELECT * FROM t", "read", "EXPLAIN QUERY PLAN SELECT", "t"),
        ("INSERT INTO note VALUES (1)", "write", "INSERT INTO note VALUES", "note"),
        ("insert or replace into note(a) select b from t", "write", "insert or replace into note", "note"),
        ("REPLACE INTO note VALUES (?)", "write", "REPLACE INTO note VALUES", "note"),
        ("UPDATE note SET a = 1 WHERE b = 'x'", "write", "UPDATE note SET a", "note"),
        ("UPDATE OR IGNORE note SET a = 1", "write", "UPDATE OR IGNORE note SET a", "note"),
        ("DELETE FROM note WHERE id = 'secret'", "write", "DELETE FROM note WHERE id", "note"),
        ("CREATE TABLE IF NOT EXISTS note (a)", "write", "CREATE TABLE IF NOT EXISTS note", "note"),
        ("DROP TABLE IF EXISTS note", "write", "DROP TABLE IF EXISTS note", "note"),
        ("ALTER TABLE note ADD COLUMN b", "write", "ALTER TABLE note ADD COLUMN b", "note"),
        ("CREATE INDEX i ON note (a)", "write", "CREATE INDEX i ON note", None),
        ('INSERT INTO "my notes" VALUES (1)', "write", "INSERT INTO", "my notes"),
        ("INSERT INTO [my notes] VALUES (1)", "write", "INSERT INTO", "my notes"),
        ("INSERT INTO `my notes` VALUES (1)", "write", "INSERT INTO", "my notes"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "read", "WITH x AS", "x"),
        ("WITH x AS (SELECT 1) INSERT INTO note SELECT * FROM x", "write", "WITH x AS", "note"),
        ("WITH x AS (SELECT replace(a, 'b', 'c') FROM t) SELECT 1", "read", "WITH x AS", "t"),
        ("WITH x AS (SELECT replace (a, 'b', 'c') FROM t) SELECT 1", "read", "WITH x AS", "t"),
        ("COMMIT", "commit", "COMMIT", None),
        ("END TRANSACTION", "commit", "END TRANSACTION", None),
        ("BEGIN IMMEDIATE", "other", "BEGIN IMMEDIATE", None),
        ("ROLLBACK TO point", "other", "ROLLBACK TO point", None),
        ("PRAGMA user_version = 7", "other", "PRAGMA user_version", None),
        ("VACUUM INTO '/srv/data/copy.db'", "write", "VACUUM INTO", None),
        ("ATTACH DATABASE '/srv/data/other.db' AS other", "other", "ATTACH DATABASE", None),
        ("  -- why\n /* and\nhow */ ;SELECT a\n\tFROM t", "read", "SELECT a FROM t", "t"),
        ("-- nothing but words", "other", "", None),
        ("", "other", "", None),
        ("/* without an end", "other", "", None),
    ],
)
def test_a_statement_is_known_by_how_it_begins(sql: str, kind: str, words: str, table: str | None) -> None:
    assert read_statement(sql)[:3] == (kind, words, table)


@pytest.mark.parametrize(
    "sql",
    ["SELECT id FROM t WHERE id=5", "SELECT x'55'", "UPDATE t SET a 5e3", "DELETE FROM t WHERE a IN (5)"],
)
def test_no_value_is_among_the_words(sql: str) -> None:
    assert "5" not in read_statement(sql).words
    assert "'" not in read_statement(sql).words


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ("PRAGMA synchronous = FULL", ("synchronous",)),
        ("pragma BUSY_TIMEOUT", ("busy_timeout",)),
        ("ATTACH 'x' AS y", ("attach",)),
        ("SELECT synchronously FROM t", ()),
        ("PRAGMA user_version", ()),
    ],
)
def test_settings_that_a_statement_mentions_are_found(sql: str, settings: tuple[str, ...]) -> None:
    assert read_statement(sql).settings == settings
