"""What lies in a store's file: three tables and a view, versioned by `PRAGMA user_version`.

`run` has one row per flow run, which lists read: what was known at its start, and where it stands. `chunk`
holds the events, one row per run and write: the text is a JSON array, the position of an event in its run is
`first` plus its place in the array. `event` is a view that shows one row per event, for people and their
queries; the store itself does not use it. `cache` holds results of tasks for other runs; each write removes
those whose time is over. `docs/store.md` has examples.

Rows per write, not per event, because a row costs more than writing its event down: measured with 500
events in a write, 0.8 microseconds an event instead of 1.7 with a row for each, and 3 with a column for
each field.
"""

from __future__ import annotations

APPLICATION_ID = 0x6173796E
"""Marks a SQLite file as ours (`PRAGMA application_id`): the letters `asyn`."""

_VERSION_1 = (
    """
    CREATE TABLE run (
        number     INTEGER PRIMARY KEY,  -- what `chunk` refers to
        id         TEXT NOT NULL UNIQUE,
        name       TEXT NOT NULL,        -- the friendly name
        flow       TEXT NOT NULL,
        started    REAL NOT NULL,        -- UTC epoch seconds
        parent     TEXT,                 -- the id of the run that called this one
        scenario   TEXT,                 -- the scenario that rehearsed it
        seed       TEXT,                 -- the world's seed, in decimal digits
        parameters TEXT NOT NULL,        -- JSON object: name -> short text
        version    INTEGER NOT NULL,     -- of the events' JSON form
        state      TEXT NOT NULL,        -- the newest state of the flow itself
        ended      REAL,                 -- UTC epoch seconds, NULL while it goes on
        tasks      INTEGER NOT NULL,     -- these three are 0 until it has ended
        attempts   INTEGER NOT NULL,
        faults     INTEGER NOT NULL,
        home       TEXT                  -- the folder that holds its events, NULL when they are here
    )
    """,
    "CREATE INDEX run_newest ON run (started DESC, id DESC) WHERE parent IS NULL",
    "CREATE INDEX run_name ON run (name)",
    """
    CREATE TABLE chunk (
        run    INTEGER NOT NULL REFERENCES run (number),
        first  INTEGER NOT NULL,         -- the position of its first event in the run, from 0
        events TEXT NOT NULL,            -- JSON array of [offset, kind, task, attempt, detail]
        PRIMARY KEY (run, first)
    ) WITHOUT ROWID
    """,
    """
    CREATE VIEW event AS
    SELECT run.id                                       AS run,
           chunk.first + item.key                       AS seq,
           run.started + json_extract(item.value, '$[0]') AS at,
           json_extract(item.value, '$[0]')             AS offset,
           json_extract(item.value, '$[1]')             AS kind,
           json_extract(item.value, '$[2]')             AS task,
           json_extract(item.value, '$[3]')             AS attempt,
           json_extract(item.value, '$[4].state')       AS state,
           json_extract(item.value, '$[4]')             AS detail
    FROM run JOIN chunk ON chunk.run = run.number, json_each(chunk.events) AS item
    """,
)

_VERSION_2 = (
    "ALTER TABLE run ADD COLUMN variant TEXT",  # of the scenario, NULL for the scenario itself
    "ALTER TABLE run ADD COLUMN world TEXT NOT NULL DEFAULT 'real'",  # or 'simulated'
)

_VERSION_CACHE = (
    """
    CREATE TABLE cache (
        family  TEXT NOT NULL,           -- module and name of the task, or the name that tasks share
        inputs  TEXT NOT NULL,           -- digest of what has to be the same
        code    TEXT NOT NULL,           -- digest of the task's code; empty for a shared name
        made    REAL NOT NULL,           -- UTC epoch seconds: when it was computed,
        expires REAL NOT NULL,           -- until when it is valid,
        gone    REAL NOT NULL,           -- when it may be thrown away
        run     TEXT NOT NULL,           -- the name of the flow run that computed it
        value   TEXT NOT NULL,           -- JSON; what JSON lacks is {"$": kind, "v": ...}
        PRIMARY KEY (family, inputs, code)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX cache_gone ON cache (gone)",
    """
    CREATE TRIGGER cache_kept AFTER INSERT ON cache BEGIN
        DELETE FROM cache WHERE gone <= NEW.made;
    END
    """,
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, _VERSION_2, _VERSION_CACHE)
"""The statements that lead from each version to the next; the first one starts from an empty file."""

IDENTIFY = """
SELECT application_id, user_version
FROM pragma_application_id, pragma_user_version, (SELECT count(*) FROM sqlite_master)
"""
"""Reads what the file says of itself; the count makes SQLite read the schema, so damage shows here."""
