"""What the text of an SQL statement says of itself, well enough for traces and for naming a fault's place."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_KINDS = {
    **dict.fromkeys(("SELECT", "VALUES", "EXPLAIN"), "read"),
    **dict.fromkeys(("INSERT", "REPLACE", "UPDATE", "DELETE"), "write"),
    **dict.fromkeys(("CREATE", "DROP", "ALTER", "VACUUM", "REINDEX", "ANALYZE"), "write"),
    **dict.fromkeys(("COMMIT", "END"), "commit"),
}
_BLANK = re.compile(r"(?:\s+|--[^\n]*|/\*.*?(?:\*/|\Z)|;)*", re.DOTALL)
_WORDS = re.compile(r"[A-Za-z_][\w$.]*(?:\s+[A-Za-z_][\w$.]*){0,5}(?![\w$.'\"])")
_CHANGE = re.compile(r"\b(?:INSERT|REPLACE|UPDATE|DELETE)\s+(?!\()", re.IGNORECASE)
_SETTING = re.compile(r"\b(?:synchronous|busy_timeout|attach)\b", re.IGNORECASE)
_NAME = r"(?:[\w$]+|\"[^\"]+\"|\[[^\]]+\]|`[^`]+`)"
_TABLE = re.compile(
    r"\b(?:INTO|FROM|UPDATE(?:\s+OR\s+\w+)?|TABLE(?:\s+IF\s+(?:NOT\s+)?EXISTS)?)\s+"
    rf"(?:{_NAME}\s*\.\s*)?({_NAME})",
    re.IGNORECASE,
)


class Statement(NamedTuple):
    """A statement, seen from outside.

    Attributes:
        kind: `read`, `write`, `commit` or `other`.
        words: how it begins, up to the first thing that is no plain word, so no values are among them.
        table: the first table that it names, None where it can't be told.
        settings: which of `busy_timeout`, `synchronous` and `attach` it mentions: it may read or change them.
    """

    kind: str
    words: str
    table: str | None
    settings: tuple[str, ...]


@lru_cache(maxsize=1024)
def read_statement(sql: str) -> Statement:
    """Return what can be told of a statement, or of the first one of a script."""
    begin = _BLANK.match(sql)
    text = sql[begin.end() :] if begin else sql
    found = _WORDS.match(text)
    words = found.group().split() if found else []
    verb = words[0].upper() if words else ""
    kind = _KINDS.get(verb, "other")
    if verb == "WITH":
        kind = "write" if _CHANGE.search(text) else "read"
    table = _table(text) if kind in ("read", "write") else None
    settings = tuple(word.lower() for word in _SETTING.findall(text))
    return Statement(kind, " ".join(words), table, settings)


def _table(text: str) -> str | None:
    found = _TABLE.search(text)
    return found.group(1).strip('"[]`') if found else None
