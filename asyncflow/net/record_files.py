"""Records from a file of the user's own, checked before a replica serves them.

A complaint file holds either an answer of the complaint search API or a list, of hits or of bare records. A
post file holds an object with one list per collection (`posts`, `comments`, ...) or a list of posts. What is
wrong with a file is told as `file:line: reason`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from asyncflow.errors import UsageError

Record = dict[str, Any]
Step = str | int

_COMPLAINT_TEXTS = (
    "product",
    "sub_product",
    "issue",
    "sub_issue",
    "complaint_what_happened",
    "date_sent_to_company",
    "company",
    "company_response",
    "company_public_response",
    "state",
    "zip_code",
    "tags",
    "timely",
    "consumer_consent_provided",
    "consumer_disputed",
    "submitted_via",
)


def load_complaints(path: Path) -> list[Record]:
    """Return the complaints in a file, in its order.

    Raises:
        UsageError: when the file can't be read or a record is not a complaint; the text has file and line.
    """
    file = _JsonFile(path)
    at, entries = _complaint_list(file)
    return [_checked_complaint(file, (*at, index), entry) for index, entry in enumerate(entries)]


def load_collections(path: Path) -> dict[str, list[Record]]:
    """Return the collections in a file, by name.

    Raises:
        UsageError: when the file can't be read or a record has no id; the text has file and line.
    """
    file = _JsonFile(path)
    if isinstance(file.data, list):
        return {"posts": _checked_records(file, (), file.data)}
    if not isinstance(file.data, dict) or not file.data:
        file.fail((), "must be a list of posts, or an object with one list per collection")
    return {name: _checked_records(file, (name,), value) for name, value in file.data.items()}


class _JsonFile:
    """A JSON file that can tell on which line a part of it lies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise UsageError(f"{path}: can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise UsageError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from error
        try:
            self.data: Any = json.loads(self.text)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error

    def fail(self, at: Sequence[Step], reason: str) -> NoReturn:
        line = self.text.count("\n", 0, _offset(self.text, at)) + 1
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at).lstrip(".")
        raise UsageError(f"{self.path}:{line}: {place or 'the file'} {reason}")


def _offset(text: str, at: Sequence[Step]) -> int:
    """Return where the value at that place begins; the text is known to be valid JSON with that place in it.

    The standard parser keeps no positions, and a file that large enough for this walk to matter fails once.
    """
    scan = json.JSONDecoder().raw_decode
    position = _next_token(text, 0)
    for step in at:
        position = _next_token(text, position + 1)
        index: Step = 0
        while True:
            if isinstance(step, str):
                index, end = scan(text, position)
                position = _next_token(text, _next_token(text, end) + 1)
            if index == step:
                break
            position = _next_token(text, _next_token(text, scan(text, position)[1]) + 1)
            index = index + 1 if isinstance(index, int) else index
    return position


def _next_token(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _complaint_list(file: _JsonFile) -> tuple[tuple[Step, ...], list[Any]]:
    data = file.data
    if isinstance(data, list):
        return (), data
    hits = data.get("hits") if isinstance(data, dict) else None
    entries = hits.get("hits") if isinstance(hits, dict) else None
    if not isinstance(entries, list):
        file.fail((), "must be an answer of the complaint API (hits.hits a list) or a list of complaints")
    return ("hits", "hits"), entries


def _checked_complaint(file: _JsonFile, at: tuple[Step, ...], entry: Any) -> Record:
    if isinstance(entry, dict) and "_source" in entry:
        at, entry = (*at, "_source"), entry["_source"]
    if not isinstance(entry, dict):
        file.fail(at, f"must be an object, not {_kind(entry)}")
    for name in ("complaint_id", "date_received"):
        if name not in entry:
            file.fail(at, f"has no {name!r}")
        if not isinstance(entry[name], str) or not entry[name]:
            file.fail((*at, name), f"must be text, not {_kind(entry[name])}")
    if not _is_time(entry["date_received"]):
        file.fail(
            (*at, "date_received"), "must be an ISO time with an offset, like 2024-05-17T12:00:00-05:00"
        )
    for name in _COMPLAINT_TEXTS:
        if not isinstance(entry.get(name), str | None):
            file.fail((*at, name), f"must be text or null, not {_kind(entry[name])}")
    return entry


def _checked_records(file: _JsonFile, at: tuple[Step, ...], entries: Any) -> list[Record]:
    if not isinstance(entries, list):
        file.fail(at, f"must be a list, not {_kind(entries)}")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            file.fail((*at, index), f"must be an object, not {_kind(entry)}")
        if not isinstance(entry.get("id"), int | str):
            file.fail((*at, index), "has no 'id' that is a number or text")
    return entries


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _kind(value: Any) -> str:
    """Return what JSON calls the value, for people."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value)[:40]
