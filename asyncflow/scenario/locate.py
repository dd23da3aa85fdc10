"""Where the keys of a TOML text stand, so that an error names its line.

`tomllib` keeps no positions. This scanner walks a text that `tomllib` has already accepted, so it may take
the grammar for granted: it skips values and notes the line of each key and each array element.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

Path = tuple[str | int, ...]
"""The way to a value: names of keys, and positions in arrays from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_STRINGS = tuple(
    (quotes, re.compile(pattern, re.DOTALL))
    for quotes, pattern in (
        ('"""', r'"""(?:\\.|(?!""").)*"{3,5}'),
        ("'''", r"'''(?:(?!''').)*'{3,5}"),
        ('"', r'"(?:\\.|[^"\\\n])*"'),
        ("'", r"'[^'\n]*'"),
    )
)


def shown_path(path: Path) -> str:
    """Return a path as people read it; elements of arrays are counted from 1, as all else in a scenario."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{key}" if text else key
    return text


@dataclass(frozen=True)
class Source:
    """The text of a scenario file and the name by which its errors are located.

    Attributes:
        file: the file as the user named it, or another short name for text from elsewhere.
        text: the whole text.
    """

    file: str
    text: str = field(default="", repr=False)

    @cached_property
    def places(self) -> Mapping[Path, int]:
        """The line of every key and array element, from 1; empty when the text can't be scanned."""
        try:
            return Scanner(self.text.replace("\r\n", "\n")).scan()
        except (ValueError, RecursionError):
            return {}

    def line(self, path: Path) -> int:
        """Return the line of the value at `path`, or of the nearest table around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, 1)

    def locate(self, path: Path, reason: str) -> str:
        """Return `file:line: path: reason`."""
        where = f"{shown_path(path)}: " if path else ""
        return f"{self.file}:{self.line(path)}: {where}{reason}"


class ScanError(ValueError):
    """The text is not what the scanner takes for granted."""


class Scanner:
    """One pass over a valid TOML text.

    Args:
        text: the text, with every line end a single line feed.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [found.end() for found in re.finditer("\n", text)]
        self._places: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        """Return the line of every key and array element."""
        table: Path = ()
        while self._next():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._places

    def _next(self) -> str:
        """Skip blanks, line ends and comments; return the character that follows, or an empty text."""
        self._skip(_BLANK)
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ScanError(f"unexpected text at offset {self._at}")
        self._at = found.end()
        return found[0]

    def _expect(self, word: str) -> None:
        if not self._text.startswith(word, self._at):
            raise ScanError(f"{word!r} is missing at offset {self._at}")
        self._at += len(word)

    def _note(self, path: Path, at: int) -> None:
        self._places.setdefault(path, bisect_right(self._ends, at) + 1)

    def _header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]` and return the path of the table that it opens."""
        start = self._at
        many = self._text.startswith("[[", start)
        self._expect("[[" if many else "[")
        *outer, last = self._keys()
        self._expect("]]" if many else "]")
        path: Path = ()
        for key in outer:
            path = self._newest((*path, key))
            self._note(path, start)
        path = (*path, last)
        if many:
            self._arrays[path] = self._arrays.get(path, 0) + 1
            self._note(path, start)
        path = self._newest(path)
        self._note(path, start)
        return path

    def _newest(self, path: Path) -> Path:
        """Return `path`, or its newest element when it is an array of tables."""
        count = self._arrays.get(path, 0)
        return (*path, count - 1) if count else path

    def _keys(self) -> list[str]:
        """Read a dotted key and the blanks around it."""
        keys = [self._key()]
        while self._next() == ".":
            self._at += 1
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        quote = self._next()
        if quote not in ('"', "'"):
            return self._skip(_BARE_KEY)
        return str(tomllib.loads(f"key = {self._string()}")["key"])

    def _pair(self, table: Path) -> None:
        """Read `key = value` inside `table`."""
        start = self._at
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._expect("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._next()
        if opening in ('"', "'"):
            self._string()
        elif opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _string(self) -> str:
        opened = (pattern for quotes, pattern in _STRINGS if self._text.startswith(quotes, self._at))
        return self._skip(next(opened))

    def _array(self, path: Path) -> None:
        self._expect("[")
        index = 0
        while self._next() != "]":
            self._note((*path, index), self._at)
            self._value((*path, index))
            index += 1
            if self._next() == ",":
                self._at += 1
        self._expect("]")

    def _inline_table(self, path: Path) -> None:
        self._expect("{")
        while self._next() not in ("}", ""):
            self._pair(path)
            if self._next() == ",":
                self._at += 1
        self._expect("}")
