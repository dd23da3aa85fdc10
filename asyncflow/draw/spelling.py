"""Names made fit to be shown: no control characters, no tricks of direction, only letters that are there."""

from __future__ import annotations

import unicodedata

_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that reorder the text around them and could make one name look like another."""
_NOT_XML = frozenset("\ufffe\uffff")


def readable(name: str) -> str:
    """Return the name on one line, with everything that can't be seen written as an escape."""
    text = unicodedata.normalize("NFC", " ".join(name.split()))
    return "".join(escape(char) if _is_hidden(char) else char for char in text)


def in_cp1252(name: str) -> str:
    """Return the readable name in the letters of Windows code page 1252, others written as escapes."""
    return "".join(char if _fits_cp1252(char) else escape(char) for char in readable(name))


def in_ascii(name: str) -> str:
    """Return the readable name in ASCII, other characters written as escapes."""
    return "".join(char if char.isascii() else escape(char) for char in readable(name))


def escape(char: str) -> str:
    r"""Return a character as Python would write it in a string: `\xe9`, `\u4e2d`, `\U0001f680`."""
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cells(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(_cells_of(char) for char in text)


def _cells_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") or char in _DIRECTION or char in _NOT_XML


def _fits_cp1252(char: str) -> bool:
    try:
        char.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True
