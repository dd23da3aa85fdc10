from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from asyncflow.scenario.check import Check
from asyncflow.scenario.load import loads
from asyncflow.scenario.rows import check_rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of three people, one of them without an age, and other files."""
    folder = tmp_path_factory.mktemp("a b#?é")
    with closing(sqlite3.connect(folder / "my.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute('CREATE TABLE people (name TEXT, age INTEGER, gone TEXT, "my ""col" TEXT)')
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, NULL, 'x')", [("Ada", 36), ("Bo", 7), ("Cy", None)]
        )
        connection.execute('CREATE TABLE "we""ird; --" (a)')
        connection.execute("CREATE VIEW grown_ups AS SELECT * FROM people WHERE age > 17")
    (folder / "text.db").write_text("no database at all, but long enough to be read as one", encoding="utf-8")
    (folder / "folder.db").mkdir()
    return folder


def checks(home: Path, text: str) -> list[Check]:
    """Check one table of claims, about `people` in `my.db` unless the text says otherwise."""
    usual = {"database": "'my.db'", "table": "'people'"}
    row = ", ".join([text, *(f"{key} = {value}" for key, value in usual.items() if f"{key} =" not in text)])
    (rows,) = loads(f"format = 1\nflow = 'm:f'\n[expect]\nrows = [{{ {row} }}]").expect.rows
    return list(check_rows(rows, home))


PEOPLE = "people in my.db"


@pytest.mark.parametrize(
    ("text", "what", "found"),
    [
        ("count = 3", "PEOPLE has 3 rows", None),
        ("count = 1", "PEOPLE has 1 row", "3 rows"),
        ("count = 0", "PEOPLE has 0 rows", "3 rows"),
        ("min = 3", "PEOPLE has at least 3 rows", None),
        ("min = 4", "PEOPLE has at least 4 rows", "3 rows"),
        ("max = 3", "PEOPLE has at most 3 rows", None),
        ("max = 2", "PEOPLE has at most 2 rows", "3 rows"),
        ("min = 1, max = 2", "PEOPLE has 1 to 2 rows", "3 rows"),
        ("where = 'age > 7', count = 1", "PEOPLE where age > 7 has 1 row", None),
        ("where = 'age > 7', count = 2", "PEOPLE where age > 7 has 2 rows", "1 row"),
        ("where = 'age > 7 -- old', count = 1", "PEOPLE where age > 7 -- old has 1 row", None),
        ("null = 'gone'", "PEOPLE has NULL for gone in every row", None),
        ("null = 'age'", "PEOPLE has NULL for age in every row", "2 rows with a value"),
        ("where = 'age ISNULL', null = 'age'", "PEOPLE where age ISNULL has NULL for age in every row", None),
        ("not_null = 'name'", "PEOPLE has a value for name in every row", None),
        ("not_null = 'age'", "PEOPLE has a value for age in every row", "1 row without one"),
        (
            "where = 'age > 0', not_null = 'age'",
            "PEOPLE where age > 0 has a value for age in every row",
            None,
        ),
        (
            "where = '1 OR 1', not_null = 'name'",
            "PEOPLE where 1 OR 1 has a value for name in every row",
            None,
        ),
        ("not_null = 'my \"col'", 'PEOPLE has a value for my "col in every row', None),
        ("table = 'People', count = 3", "People in my.db has 3 rows", None),
        ("table = 'grown_ups', count = 1", "grown_ups in my.db has 1 row", None),
        ("table = 'grown_ups', null = 'gone'", "grown_ups in my.db has NULL for gone in every row", None),
        ("table = 'we\"ird; --', count = 0", 'we"ird; -- in my.db has 0 rows', None),
    ],
)
def test_a_claim_about_rows_holds_or_says_what_was_found(
    home: Path, text: str, what: str, found: str | None
) -> None:
    assert checks(home, text) == [Check(what.replace("PEOPLE", PEOPLE), found is None, found or "")]


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("table = 'persons', count = 0", "persons in my.db", "no such table: persons"),
        ("not_null = 'nmae'", PEOPLE, "no such column: people.nmae"),
        ("null = 'nmae'", PEOPLE, "no such column: people.nmae"),
        ("where = 'ago > 7', count = 0", f"{PEOPLE} where ago > 7", "no such column: ago"),
        ("where = 'age >', count = 0", f"{PEOPLE} where age >", 'near ")": syntax error'),
        (
            "where = '1); SELECT (1', count = 3",
            f"{PEOPLE} where 1); SELECT (1",
            "You can only execute one st",
        ),
        ("database = 'mine.db', count = 0", "people in mine.db", "no file mine.db"),
        ("database = 'folder.db', count = 0", "people in folder.db", "no file folder.db"),
        ("database = 'text.db', count = 0", "people in text.db", "file is not a database"),
        ('database = "a\\u0000b", count = 0', "people in a\0b", "no file a\0b"),
        ('table = "a\\u0000b", count = 0', "a\0b in my.db", "the query contains a null character"),
    ],
)
def test_no_claim_holds_about_what_cant_be_read(home: Path, text: str, place: str, found: str) -> None:
    (check,) = checks(home, text)
    assert (check.what, check.held) == (f"{place} can be read", False)
    assert check.detail.startswith(found)


def test_several_claims_about_a_table_are_several_checks(home: Path) -> None:
    text = "where = 'age > 7', count = 1, null = ['gone', 'age'], not_null = ['name', 'gone']"
    place = f"{PEOPLE} where age > 7 has"
    assert checks(home, text) == [
        Check(f"{place} 1 row", True),
        Check(f"{place} NULL for gone in every row", True),
        Check(f"{place} NULL for age in every row", False, "1 row with a value"),
        Check(f"{place} a value for name in every row", True),
        Check(f"{place} a value for gone in every row", False, "1 row without one"),
    ]


def test_looking_at_a_database_makes_and_changes_none(home: Path, tmp_path: Path) -> None:
    (check,) = checks(tmp_path, "count = 0")
    assert not check.held
    assert list(tmp_path.iterdir()) == []
    (check,) = checks(home, "where = 'age > 7', count = 1")
    before = (home / "my.db").read_bytes()
    checks(home, "where = '1); DELETE FROM people WHERE (1', count = 1")
    assert (home / "my.db").read_bytes() == before


def test_a_database_may_lie_in_a_folder_of_the_run(home: Path) -> None:
    (check,) = checks(home.parent, f"database = '{home.name}/my.db', count = 3")
    assert check == Check(f"people in {home.name}/my.db has 3 rows", True)
