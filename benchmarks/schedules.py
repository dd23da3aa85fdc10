"""How long does a schedule take to find its next fire? One clock each, with daylight saving."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from asyncflow.schedules import CronSchedule, IntervalSchedule, Schedule, filters
from benchmarks.measure import Effort
from benchmarks.rows import Row, row

NAME = "schedules"
QUESTION = "time to compute a fire of a schedule"

_ZONE = "America/New_York"
_AFTER = datetime(2026, 3, 7, 12, tzinfo=UTC)

SCHEDULES: dict[str, Schedule] = {
    "interval of a minute": IntervalSchedule(timedelta(minutes=1)),
    "interval of a day, by local time": IntervalSchedule(timedelta(days=1), timezone=_ZONE),
    "cron */5 * * * *": CronSchedule("*/5 * * * *", timezone=_ZONE),
    "cron 0 9 * * 1-5": CronSchedule("0 9 * * 1-5", timezone=_ZONE),
    "cron 0 9 * * *, weekdays only": CronSchedule("0 9 * * *", timezone=_ZONE, filters=[filters.is_weekday]),
}


def rows(effort: Effort) -> Iterator[Row]:
    """Measure each schedule, one fire after the other."""
    count = effort.tasks(2_000)
    for name, schedule in SCHEDULES.items():
        values = [_seconds(schedule, count) / count * 1e6 for _ in range(effort.repetitions(9))]
        yield row(NAME, name, values, "us", target=100)


def _seconds(schedule: Schedule, count: int) -> float:
    fires = schedule.fires(_AFTER)
    began = time.process_time()
    for _ in range(count):
        next(fires)
    return time.process_time() - began
