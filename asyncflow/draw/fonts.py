"""How wide text is in Helvetica, which every PDF reader has, and in Arial, which browsers take for it."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable

from asyncflow.draw.spelling import readable

_THOUSANDTHS = """
     278  278  355  556  556  889  667  191  333  333  389  584  278  333  278  278
     556  556  556  556  556  556  556  556  556  556  278  278  584  584  584  556
    1015  667  667  722  722  667  611  778  722  278  500  667  556  833  722  778
     667  778  722  667  611  722  667  944  667  667  611  278  278  278  469  556
     333  556  556  500  556  556  278  556  556  222  222  500  222  833  556  556
     556  556  333  500  278  556  500  722  500  500  500  334  260  334  584    0
     556    0  222  556  333 1000  556  556  333 1000  667  333 1000    0  611    0
       0  222  222  333  333  350  556 1000  333 1000  500  333  944    0  500  667
     278  333  556  556  556  556  260  556  333  737  370  556  584  333  737  333
     400  584  333  333  333  556  537  278  333  333  365  556  834  834  834  611
     667  667  667  667  667  667 1000  722  667  667  667  667  278  278  278  278
     722  722  778  778  778  778  778  584  778  722  722  722  722  667  667  611
     556  556  556  556  556  556  889  500  556  556  556  556  278  278  278  278
     556  556  556  556  556  556  556  584  611  556  556  556  556  500  556  500
"""
"""Advance widths in thousandths of the size, from code 32 of page 1252 on, 16 a row; 0 for no letter."""

_WIDTHS = {
    bytes([code]).decode("cp1252"): int(width)
    for code, width in enumerate(_THOUSANDTHS.split(), 32)
    if int(width)
}
_ELLIPSIS = "…"
_JOINERS = "\u200d\ufe0e\ufe0f"


def text_width(text: str, size: float) -> float:
    """Return the width of the text in the unit of `size`; characters that Helvetica lacks are estimated."""
    return sum(_char_width(char) for char in text) * size / 1000


def is_measured(text: str) -> bool:
    """Return whether the width of each character is known, not estimated."""
    return all(char in _WIDTHS for char in text)


def fitted(name: str, spell: Callable[[str], str], size: float, room: float) -> str:
    """Return the name as it is spelled; if wider than `room`, without its middle: ends tell names apart."""
    whole = spell(name)
    if text_width(whole, size) <= room:
        return whole
    clean = readable(name)
    keep = bisect_right(
        range(len(clean)), room, key=lambda keep: text_width(_without_middle(clean, keep, spell), size)
    )
    return _without_middle(clean, keep - 1, spell)


def _without_middle(name: str, keep: int, spell: Callable[[str], str]) -> str:
    """Keep that many characters, half at each end, but no accent or part of an emoji without its base."""
    head, tail = name[: (keep + 1) // 2], name[len(name) - keep // 2 :]
    while tail and (tail[0] in _JOINERS or unicodedata.combining(tail[0])):
        tail = tail[1:]
    return spell(head.rstrip(_JOINERS)) + _ELLIPSIS + spell(tail)


def _char_width(char: str) -> int:
    known = _WIDTHS.get(char)
    if known is not None:
        return known
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 1000 if unicodedata.east_asian_width(char) in "WF" else 650
