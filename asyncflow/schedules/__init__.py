"""When a flow is run by itself: intervals, cron expressions and dates, with filters and rules.

A schedule is a plain value: asked for the fires after an instant it computes them, and reads no clock.
`Flow(name, schedule)` and `asyncflow serve` follow one.
"""

from asyncflow.schedules import adjustments, clocks, filters
from asyncflow.schedules.clocks import Clock, CronClock, DatesClock, Fire, IntervalClock
from asyncflow.schedules.schedule import CronSchedule, DatesSchedule, IntervalSchedule, Schedule

__all__ = [
    "Clock",
    "CronClock",
    "CronSchedule",
    "DatesClock",
    "DatesSchedule",
    "Fire",
    "IntervalClock",
    "IntervalSchedule",
    "Schedule",
    "adjustments",
    "clocks",
    "filters",
]
