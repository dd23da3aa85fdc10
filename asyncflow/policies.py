"""Policies by themselves: `from asyncflow.policies import Policy, Retry` needs no flow in sight."""

from asyncflow.guard.policy import Policy
from asyncflow.policy.backoff import constant, exponential, linear
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.budget import Budget, TokenBudget
from asyncflow.policy.hooks import Judged
from asyncflow.policy.retry import Retry
from asyncflow.policy.slots import Resource

__all__ = [
    "Breaker",
    "Budget",
    "Judged",
    "Policy",
    "Resource",
    "Retry",
    "TokenBudget",
    "constant",
    "exponential",
    "linear",
]
