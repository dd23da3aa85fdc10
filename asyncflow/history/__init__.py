"""What a run's events add up to; every view is made from it."""

from asyncflow.history.elements import Elements
from asyncflow.history.folding import History, fold
from asyncflow.history.record import (
    Attempt,
    BreakerChange,
    Decided,
    ErrorText,
    Fault,
    Hedge,
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
