"""Policies by themselves: `from asyncflow.policies import Policy, Retry` needs no flow in sight."""

from asyncflow.guard.policy import Policy
from asyncflow.policy.backoff import constant, exponential, linear
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.bulkhead import Bulkhead
from asyncflow.policy.rate_limit import RateLimit
from asyncflow.policy.retry import Retry
from asyncflow.policy.slots import Resource

__all__ = [
    "Breaker",
    "Bulkhead",
    "Policy",
    "RateLimit",
    "Resource",
    "Retry",
    "constant",
    "exponential",
    "linear",
]
