"""Local times and the instants that they stand for, where clocks are set forward and back.

A time zone shows some local times twice (the clock is set back) and leaves others out (it is set forward).
PEP 495 has it in one rule: of the offsets with `fold=0` and `fold=1` the first is larger for a time that
comes twice, smaller for one that does not exist, and equal for all others.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from asyncflow.errors import InvalidSchedule, did_you_mean

Zone = str | tzinfo
"""A time zone: an IANA name such as `America/New_York`, or a tzinfo."""

TICK = timedelta(microseconds=1)
"""The shortest length of time that a datetime knows."""


def zone_of(timezone: Zone | None, start: datetime | None = None) -> tzinfo:
    """Return the time zone that was named, else that of the start, else UTC.

    Raises:
        InvalidSchedule: when there is no time zone of that name.
    """
    if timezone is None:
        return (start.tzinfo if start is not None else None) or UTC
    if isinstance(timezone, tzinfo):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        hint = did_you_mean(str(timezone), sorted(available_timezones()))
        raise InvalidSchedule(
            f"there is no time zone {timezone!r};{hint or ''} use an IANA name such as 'America/New_York'"
        ) from error


def instant_of(moment: datetime, zone: tzinfo) -> datetime:
    """Return a moment in UTC; one without a time zone is a local time in `zone`."""
    if moment.tzinfo is None:
        return first_instant(moment, zone)
    return moment.astimezone(UTC)


def offsets(shown: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """Return the zone's offsets from UTC at a local time, with `fold=0` and with `fold=1`."""
    local = shown.replace(tzinfo=zone)
    return _offset(local.replace(fold=0)), _offset(local.replace(fold=1))


def first_instant(shown: datetime, zone: tzinfo) -> datetime:
    """Return the first instant at which clocks in `zone` show a local time, or have just jumped over it.

    Args:
        shown: the local time, without a time zone.
        zone: whose clocks are looked at.
    """
    first, second = offsets(shown, zone)
    if first >= second:
        return (shown - first).replace(tzinfo=UTC)
    return _change((shown - second).replace(tzinfo=UTC), (shown - first).replace(tzinfo=UTC), zone)


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first second in `(before, after]` at which the offset is no longer that of `before`."""
    old = _offset(before.astimezone(zone))
    low, high = 0, -(-(after - before) // timedelta(seconds=1))
    while high - low > 1:
        middle = (low + high) // 2
        if _offset((before + timedelta(seconds=middle)).astimezone(zone)) == old:
            low = middle
        else:
            high = middle
    return (before + timedelta(seconds=high)).replace(microsecond=0)


def _offset(moment: datetime) -> timedelta:
    offset = moment.utcoffset()
    assert offset is not None
    return offset
