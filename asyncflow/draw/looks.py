"""What each state looks like: a word, a sign and two colours, so that colour is never the only carrier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Shade:
    """One colour in the light and the dark theme, as `#rrggbb`."""

    light: str
    dark: str


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown.

    Attributes:
        word: the state's name in plain words.
        mark: the sign as one character, for terminals and text formats.
        sign: the sign as a path on a field of 16 by 16, of the absolute commands M, L, C and Z.
        shade: the colour of sign, word and border.
        filled: whether the sign is filled; otherwise it is drawn as lines.
    """

    word: str
    mark: str
    sign: str
    shade: Shade
    filled: bool = False


CARD = Shade("#ffffff", "#181c22")
INK = Shade("#1c2127", "#e9e6df")
MUTED = Shade("#5d6570", "#9aa3ae")
PLAIN = Shade("#8b939e", "#6b727c")
"""The border of a box without a state."""
TINT, PLAIN_TINT = 0.08, 0.06
"""How much of a border's colour goes into its box, with a state and without."""

_WAITING = Shade("#94590a", "#e0a63c")
_GREY = Shade("#676e78", "#8b939e")
_RED = Shade("#c4301c", "#ff7a66")
_RING = "M8 3C10.76 3 13 5.24 13 8C13 10.76 10.76 13 8 13C5.24 13 3 10.76 3 8C3 5.24 5.24 3 8 3Z"
_DOTTED_RING = (
    "M8 3C8.97 3 9.91 3.28 10.72 3.81M12.33 5.5C12.81 6.34 13.04 7.3 12.99 8.26"
    "M12.33 10.5C11.85 11.34 11.13 12.02 10.27 12.46M8 13C7.03 13 6.09 12.72 5.28 12.19"
    "M3.67 10.5C3.19 9.66 2.96 8.7 3.01 7.74M3.67 5.5C4.15 4.66 4.87 3.98 5.73 3.54"
)
_STOPWATCH = (
    "M8 4.4C10.54 4.4 12.6 6.46 12.6 9C12.6 11.54 10.54 13.6 8 13.6C5.46 13.6 3.4 11.54 3.4 9"
    "C3.4 6.46 5.46 4.4 8 4.4ZM6.4 2L9.6 2M8 6.6L8 9L9.8 10.2"
)
_HOURGLASS = "M4.2 2.8L11.8 2.8M4.2 13.2L11.8 13.2M5 2.8L11 13.2M11 2.8L5 13.2"

LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "Pending": Look("Pending", "○", _DOTTED_RING, _GREY),
        "Scheduled": Look("Scheduled", "◔", _RING + "M8 5L8 8L10.2 8", _WAITING),
        "Retrying": Look("Retrying", "…", _HOURGLASS, _WAITING),
        "Paused": Look("Paused", "‖", "M5.8 3.5L5.8 12.5M10.2 3.5L10.2 12.5", _WAITING),
        "Running": Look("Running", "▸", "M5 3L13 8L5 13Z", Shade("#2563eb", "#6ea0ff"), filled=True),
        "Success": Look("Success", "✓", "M3 8.5L6.3 11.8L13 4.6", Shade("#157a55", "#4cc38f")),
        "Cached": Look(
            "Cached", "≡", "M3.5 4.5L12.5 4.5M3.5 8L12.5 8M3.5 11.5L12.5 11.5", Shade("#4b69a6", "#93aee6")
        ),
        "Skipped": Look(
            "Skipped", "»", "M3.5 4L7.5 8L3.5 12M8.5 4L12.5 8L8.5 12", Shade("#0b7285", "#4fc3d6")
        ),
        "Failed": Look("Failed", "✗", "M4 4L12 12M12 4L4 12", _RED),
        "TimedOut": Look("Timed out", "◷", _STOPWATCH, Shade("#8a2fa3", "#d38be8")),
        "TriggerFailed": Look(
            "Trigger failed", "⊘", _RING + "M4.5 11.5L11.5 4.5", Shade("#7c3a12", "#d99467")
        ),
        "ValidationFailed": Look(
            "Validation failed", "≠", "M3.5 6L12.5 6M3.5 10L12.5 10M10.5 3L5.5 13", _RED
        ),
        "Cancelled": Look(
            "Cancelled",
            "■",
            "M4.2 4.2L11.8 4.2L11.8 11.8L4.2 11.8Z",
            Shade("#5b6472", "#98a1ad"),
            filled=True,
        ),
        "Crashed": Look("Crashed", "†", "M8 2.5L8 13.5M4.5 6L11.5 6", _RED),
    }
)
"""The look of every state by its name."""


def look_of(state: str | None) -> Look | None:
    """Return the look of a state; a state that is not in the table is shown in grey by its own name."""
    if state is None:
        return None
    return LOOKS.get(state) or Look(state, "?", _RING, _GREY)


def mixed(over: str, under: str, share: float) -> str:
    """Return the colour that a share of `over` makes on `under`."""
    return "#" + "".join(
        f"{round(a * share + b * (1 - share)):02x}"
        for a, b in zip(channels(over), channels(under), strict=True)
    )


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of a colour written `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
