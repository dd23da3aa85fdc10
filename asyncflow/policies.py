"""Policies by themselves: `from asyncflow.policies import Policy, Retry` needs no flow in sight."""

from asyncflow.guard.policy import Policy
from asyncflow.guard.scopes import deadline, remaining
from asyncflow.policy.backoff import constant, exponential, linear
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.retry import Retry
from asyncflow.policy.slots import Resource

__all__ = [
    "Breaker",
    "Policy",
    "Resource",
    "Retry",
    "constant",
    "deadline",
    "exponential",
    "linear",
    "remaining",
]
