"""Other libraries, each with the same four policies around a body: attempt timeout, retry, breaker, bulkhead.

They are the optional dependencies `peers`; what is not installed is left out, and the table says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from benchmarks.rows import Note

Body = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Settings:
    """What all of them are given.

    Attributes:
        timeout: seconds for an attempt, or for the call where a library has only that.
        attempts: attempts at most.
        failures: failures in a row that open the breaker.
        places: calls at once.
    """

    timeout: float = 60.0
    attempts: int = 3
    failures: int = 5
    places: int = 10


@dataclass(frozen=True)
class Peer:
    """One library, or several that are used together.

    Attributes:
        name: what the table calls it, versions included.
        protected: puts the four policies around a body.
    """

    name: str
    protected: Callable[[Body], Body]


def installed(settings: Settings) -> tuple[list[Peer], list[Note]]:
    """Return the peers that are installed, and a note for each that is not."""
    peers: list[Peer] = []
    notes: list[Note] = []
    for distributions, rest, make in _PEERS:
        try:
            names = [f"{each} {version(each)}" for each in distributions]
            peers.append(Peer(" + ".join(names + rest), make(settings)))
        except ImportError as missing:
            left_out = " + ".join(distributions + rest)
            text = f"{left_out} is left out: {missing}; python -m pip install -e '.[peers]'"
            notes.append(Note("policies", text))
    return peers, notes


def _hyx(settings: Settings) -> Callable[[Body], Body]:
    timeout = import_module("hyx.timeout").timeout
    retry = import_module("hyx.retry").retry
    breaker = import_module("hyx.circuitbreaker").consecutive_breaker
    bulkhead = import_module("hyx.bulkhead").bulkhead

    def protected(body: Body) -> Body:
        held = bulkhead(max_concurrency=settings.places, max_capacity=2 * settings.places)(body)
        broken = breaker(exceptions=Exception, failure_threshold=settings.failures)(held)
        wrapped: Body = timeout(settings.timeout)(retry(on=Exception, attempts=settings.attempts)(broken))
        return wrapped

    return protected


def _pyresilience(settings: Settings) -> Callable[[Body], Body]:
    library = import_module("pyresilience")

    def protected(body: Body) -> Body:
        wrapped: Body = library.resilient(
            timeout=library.TimeoutConfig(seconds=settings.timeout),
            retry=library.RetryConfig(max_attempts=settings.attempts),
            circuit_breaker=library.CircuitBreakerConfig(failure_threshold=settings.failures),
            bulkhead=library.BulkheadConfig(max_concurrent=settings.places),
        )(body)
        return wrapped

    return protected


def _mix(settings: Settings) -> Callable[[Body], Body]:
    tenacity = import_module("tenacity")
    breaker = import_module("circuitbreaker").CircuitBreaker

    def protected(body: Body) -> Body:
        places = asyncio.Semaphore(settings.places)
        stop = tenacity.stop_after_attempt(settings.attempts)
        again = tenacity.retry(stop=stop, reraise=True)(
            breaker(failure_threshold=settings.failures).decorate(body)
        )

        async def wrapped() -> Any:
            async with asyncio.timeout(settings.timeout), places:
                return await again()

        return wrapped

    return protected


_PEERS: tuple[tuple[list[str], list[str], Callable[[Settings], Callable[[Body], Body]]], ...] = (
    (["hyx"], [], _hyx),
    (["pyresilience"], [], _pyresilience),
    (["tenacity", "circuitbreaker"], ["asyncio"], _mix),
)
