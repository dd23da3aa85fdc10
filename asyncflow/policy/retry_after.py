"""What a server asked for: the wait that an error carries.

An error says it by an attribute `retry_after` (seconds or a timedelta), or by a `Retry-After` header (RFC
9110, section 10.2.3: seconds, or an HTTP date) in its `headers` or in the `headers` of its `response`.
"""

from __future__ import annotations

import math
from calendar import timegm
from datetime import timedelta
from email.utils import parsedate_tz


def wish_of(error: BaseException, wall: float) -> float | None:
    """Return the seconds that the error asks to wait, or None when it asks for nothing that makes sense.

    Args:
        error: what the attempt ended with.
        wall: the time now, UTC epoch seconds, against which a date is held.
    """
    direct = getattr(error, "retry_after", None)
    if direct is not None:
        return _length(direct)
    for holder in (error, getattr(error, "response", None)):
        header = _header(getattr(holder, "headers", None))
        if header is not None:
            return _length(header) if _length(header) is not None else _until(header, wall)
    return None


def _header(headers: object) -> str | None:
    """Return the Retry-After header, however its name is spelled and whatever kind of mapping holds it."""
    items = getattr(headers, "items", None)
    if not callable(items):
        return None
    return next((str(value) for name, value in items() if str(name).lower() == "retry-after"), None)


def _length(wish: object) -> float | None:
    """Return a wish given as a length of time in seconds."""
    if isinstance(wish, timedelta):
        wish = wish.total_seconds()
    if isinstance(wish, bool) or not isinstance(wish, int | float | str):
        return None
    try:
        length = float(wish)
    except (ValueError, OverflowError):
        return None
    return max(0.0, length) if math.isfinite(length) else None


def _until(date: str, wall: float) -> float | None:
    """Return the seconds until an HTTP date; 0 when it has passed."""
    parts = parsedate_tz(date)
    if parts is None:
        return None
    try:
        # A date without a zone is in GMT, as all HTTP dates are.
        return max(0.0, timegm(parts[:9]) - (parts[9] or 0) - wall)
    except (ValueError, OverflowError):
        return None
