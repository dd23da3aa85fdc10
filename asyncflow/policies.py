"""Policies by themselves: `from asyncflow.policies import Policy, Retry` needs no flow in sight."""

from asyncflow.guard.policy import Policy
from asyncflow.guard.scopes import deadline, remaining
from asyncflow.policy.backoff import constant, exponential, linear
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.budget import Budget, TokenBudget
from asyncflow.policy.bulkhead import Bulkhead
from asyncflow.policy.fallback import Fallback
from asyncflow.policy.hedge import Hedge
from asyncflow.policy.hooks import Judged
from asyncflow.policy.limit_rules import AIMD, Gradient2, Vegas
from asyncflow.policy.rate_limit import RateLimit
from asyncflow.policy.retry import Retry
from asyncflow.policy.slots import Resource
from asyncflow.policy.throttle import Throttle

__all__ = [
    "AIMD",
    "Breaker",
    "Budget",
    "Bulkhead",
    "Fallback",
    "Gradient2",
    "Hedge",
    "Judged",
    "Policy",
    "RateLimit",
    "Resource",
    "Retry",
    "Throttle",
    "TokenBudget",
    "Vegas",
    "constant",
    "deadline",
    "exponential",
    "linear",
    "remaining",
]
