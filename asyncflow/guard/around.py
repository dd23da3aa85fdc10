"""What stands around the attempts of a call, as settings."""

from __future__ import annotations

from dataclasses import dataclass

from asyncflow.policy.fallback import Fallback
from asyncflow.policy.hedge import Hedge


@dataclass(frozen=True, slots=True)
class Outer:
    """The outer part of a policy.

    Attributes:
        deadline: seconds that a call may take in all; None for as long as what it inherits lets it.
        hedge: when it is made once more beside itself.
        fallback: what stands in for a failure.
        pays: whether a hedged call has to tell the hedge's budget of itself, since its retries are not paid
            from the same one.
    """

    deadline: float | None = None
    hedge: Hedge | None = None
    fallback: Fallback | None = None
    pays: bool = True


NOTHING = Outer()
"""For a call that has no outer part, but inherits a deadline that does not cut its asyncio task yet."""
