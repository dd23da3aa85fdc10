"""What a run's events add up to; every view is made from it."""

from asyncflow.history.decisions import BreakerChange, Decided, Hedge
from asyncflow.history.elements import Elements
from asyncflow.history.folding import History, fold
from asyncflow.history.record import (
    Attempt,
    ErrorText,
    Fault,
    Notice,
    RunHistory,
    Standing,
    TaskHistory,
    Wait,
)
from asyncflow.history.why import explain

__all__ = [
    "Attempt",
    "BreakerChange",
    "Decided",
    "Elements",
    "ErrorText",
    "Fault",
    "Hedge",
    "History",
    "Notice",
    "RunHistory",
    "Standing",
    "TaskHistory",
    "Wait",
    "explain",
    "fold",
]
