"""What a fault on the wire must hold: which keys of an address and which times go with each of its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asyncflow.scenario.shape import Problem
from asyncflow.scenario.values import Duration

Raw = Mapping[str, Any]

_LOOKUP = ("lookup",)
_CONNECTION = ("connection",)
_STREAM = ("connection", "direction")
_BYTE = ("connection", "direction", "byte", "part", "request")

PLACES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("nxdomain", "servfail", "dns-timeout", "dns-slow", "dns-wrong"), _LOOKUP),
    **dict.fromkeys(("refuse", "unreachable", "hang"), _CONNECTION),
    **dict.fromkeys(("reset", "eof", "half-close", "blackhole"), _BYTE),
    **dict.fromkeys(("corrupt", "stall", "drip", "slice", "bandwidth", "latency"), _BYTE),
    **dict.fromkeys(("partition", "flap", "clog"), _STREAM),
    "reset-all": _CONNECTION,
    **dict.fromkeys(("bad-certificate", "tls-reset", "tls-stall", "tls-corrupt"), _CONNECTION),
}
"""The keys of an address that narrow down where each word of the layer network strikes."""

_WHOSE = ("task", "attempt")


def wire_problems(raw: Raw) -> Iterator[Problem]:
    """Yield what makes no sense about a fault of the layer network whose keys are right for its word."""
    at, do = raw["at"], raw["do"]
    known = ("service", *PLACES[do], *_WHOSE)
    for key in at:
        if key not in known:
            reason = f"does not belong to do = {do!r} (network); its address takes {', '.join(known)}."
            yield ("at", key), reason
    if "request" in at and "part" not in at:
        yield ("at", "request"), "counts the messages of a connection; say part = 'head' or 'body' of it too"
    if do == "half-close" and at.get("direction") == "both":
        yield ("at", "direction"), "half-close ends one direction; say up or down, or do = 'eof' for both"
    yield from _times(raw)


def _times(raw: Raw) -> Iterator[Problem]:
    do, window = raw["do"], raw.get("window", {})
    if do == "partition" and not window:
        yield ("window",), "is missing; the partition lasts as long as it, such as { from = '5s', to = '9s' }"
    elif do == "reset-all" and not Duration.parse(window.get("from", 0)):
        yield ("window",), "says no from above 0; connections are reset when the window begins"
    elif do == "clog" and "seconds" not in raw and "to" not in window:
        yield ("seconds",), "is missing; say for how long data is held back, here or by window.to"
    seconds, jitter = (Duration.parse(raw.get(key, 0)) for key in ("seconds", "jitter"))
    if jitter > seconds and "seconds" in raw:
        yield ("jitter",), f"is more than seconds = {raw['seconds']!r}; nothing arrives before it was sent"
