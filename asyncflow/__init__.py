"""asyncflow: fault-tolerant workflows on asyncio. Write the happy path; rehearse the failures.

Importing it defines names and does nothing else: no configuration, no files, no threads, no network.
"""

from asyncflow import signals, states, triggers
from asyncflow.errors import AsyncflowError, TaskFailed
from asyncflow.flow import Flow, flow
from asyncflow.guard.policy import Policy
from asyncflow.handles import Handle, current
from asyncflow.mapping import flatten, unmapped
from asyncflow.policy.backoff import constant, exponential, linear
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.retry import Retry
from asyncflow.recording import Parameter
from asyncflow.task import Task, task

__all__ = [
    "AsyncflowError",
    "Breaker",
    "Flow",
    "Handle",
    "Parameter",
    "Policy",
    "Retry",
    "Task",
    "TaskFailed",
    "constant",
    "current",
    "exponential",
    "flatten",
    "flow",
    "linear",
    "signals",
    "states",
    "task",
    "triggers",
    "unmapped",
]
__version__ = "0.1.0"
