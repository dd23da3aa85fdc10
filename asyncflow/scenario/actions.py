"""What can go wrong: every action word of every layer with its keys, and the addresses where each may strike.

The second half of format 1; the tables of the file are in `asyncflow.scenario.format`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from asyncflow.errors import nearest
from asyncflow.scenario.values import shown

ADDRESS_KEYS = ("service", "store", "process", "clock", "policy", "task")
"""The keys that name an address; the first that is there tells. `task` is last: elsewhere it narrows down."""

WIRE = ("connection", "lookup", "direction", "byte", "part")
"""The keys that make an address of a service one on its wire."""

_LAYERS_AT = {"task": ("task", "signal"), "service": ("http", "network")}


def address_key(keys: Collection[str]) -> str | None:
    """Return the key that tells which address a table is, or None when it has none of them."""
    return next((key for key in ADDRESS_KEYS if key in keys), None)


def no_address(value: object) -> str:
    """Return why a value is no address: it is no table, or has no key that names one."""
    if not isinstance(value, dict):
        return f"expected a table such as {{ task = 'parse', attempt = 1 }}, got {shown(value)}"
    near = next(filter(None, (nearest(key, ADDRESS_KEYS) for key in value)), None)
    return f"names none of {', '.join(ADDRESS_KEYS)}." + (f" Did you mean {near!r}?" if near else "")


def layers_at(keys: Collection[str]) -> tuple[str, ...]:
    """Return the layers whose actions may strike at an address with these keys, the likeliest first."""
    key = address_key(keys)
    if key is None:
        return ()
    layers = _LAYERS_AT.get(key, (key,))
    if key == "service" and any(wire in keys for wire in WIRE):
        layers = ("network",)
    return (*layers, "process")


class Action(NamedTuple):
    """One action word of one layer, with its keys; those that it can't do without end in `!`."""

    layer: str
    do: str
    keys: str
    says: str

    @property
    def known(self) -> tuple[str, ...]:
        """The keys that belong to it."""
        return tuple(self.keys.replace("!", "").split())

    @property
    def needed(self) -> tuple[str, ...]:
        """The keys that it can't do without."""
        return tuple(key[:-1] for key in self.keys.split() if key.endswith("!"))


ACTIONS: tuple[Action, ...] = tuple(
    Action(*row)
    for row in (
        (
            "task",
            "raise",
            "error! message grouped",
            "raise `error` with `message`, alone or in an ExceptionGroup",
        ),
        ("task", "delay", "seconds!", "wait that long"),
        ("task", "hang", "", "wait until something cancels the attempt"),
        ("task", "cancel", "", "cancel the attempt"),
        ("task", "wrong-result", "value keep", "return `value`, else the first `keep` items, else None"),
        ("signal", "signal", "signal! message result state delay grouped", "raise that signal"),
        ("http", "status", "status! retry_after body headers", "answer with that status"),
        ("http", "slow", "seconds!", "answer that much later"),
        ("http", "hang", "", "never answer"),
        ("http", "reset", "keep", "reset instead of an answer, or after `keep` bytes of the body"),
        ("http", "truncate", "keep", "end the body after `keep` bytes, by default in the middle"),
        ("http", "drip", "seconds!", "send the body in small pieces over that time"),
        (
            "http",
            "wrong-length",
            "off",
            "declare a Content-Length that is `off` by so many bytes, by default 10",
        ),
        ("http", "malformed-json", "", "send a body that is not JSON"),
        ("http", "malformed-line", "line", "send NDJSON of which a line is not JSON"),
        ("http", "wrong-content-type", "content_type", "declare another Content-Type or charset"),
        ("http", "bad-chunk", "", "send a chunk with a wrong size"),
        ("http", "bad-gzip", "", "declare gzip and send something else"),
        ("http", "giant-header", "bytes", "send a header of that size"),
        ("http", "redirect-loop", "", "redirect to the same place for ever"),
        ("http", "stale-keep-alive", "", "close a kept connection just as it is used again"),
        ("http", "extra-bytes", "bytes", "send more bytes after the body"),
        ("network", "nxdomain", "", "the name does not exist"),
        ("network", "servfail", "", "the name server fails"),
        ("network", "dns-timeout", "seconds", "the name server does not answer"),
        ("network", "dns-slow", "seconds!", "the name server answers that much later"),
        ("network", "dns-wrong", "address", "the name leads to another address"),
        ("network", "refuse", "", "the connection is refused"),
        ("network", "unreachable", "", "there is no way to the host"),
        ("network", "hang", "", "the connection is never made"),
        ("network", "reset", "", "the connection is reset at that byte"),
        ("network", "eof", "", "the stream ends at that byte"),
        ("network", "half-close", "", "one direction ends at that byte, the other stays open"),
        ("network", "blackhole", "", "from that byte on nothing arrives"),
        ("network", "corrupt", "bytes mask", "flip bits of so many bytes"),
        ("network", "stall", "seconds!", "nothing arrives for that long"),
        ("network", "drip", "bytes seconds!", "so many bytes arrive at a time, that far apart"),
        ("network", "slice", "bytes!", "data arrives in pieces of that size"),
        ("network", "bandwidth", "rate!", "so many bytes a second"),
        ("network", "latency", "seconds! jitter", "everything arrives that much later"),
        ("network", "partition", "", "nothing passes, in one direction or both, while the window is open"),
        ("network", "flap", "up! down!", "the link is up and down in turn"),
        ("network", "clog", "seconds", "data is held back, then arrives at once"),
        ("network", "reset-all", "", "every open connection is reset"),
        ("network", "bad-certificate", "certificate", "the certificate does not verify"),
        ("network", "tls-reset", "", "the connection is reset in the handshake"),
        ("network", "tls-stall", "seconds", "the handshake stops"),
        ("network", "tls-corrupt", "", "bits of a record are flipped"),
        ("store", "busy", "seconds", "the database is locked"),
        ("store", "full", "", "the disk is full"),
        ("store", "io-error", "", 'the disk fails; with when = "after" although it took effect'),
        ("store", "read-only", "", "the database can't be written"),
        ("store", "malformed", "", "the database is damaged"),
        ("store", "slow", "seconds!", "the operation takes that much longer"),
        ("store", "disconnect", "", "the connection to the database is lost"),
        ("process", "crash", "", "the process dies"),
        ("process", "power-loss", "keep", "the machine dies; `keep` bytes of the write-ahead log survive"),
        ("process", "sigterm", "grace", "the process is told to end within that time"),
        ("process", "second-runner", "", "another process opens the same store"),
        ("process", "block", "seconds!", "the event loop is blocked for that long"),
        ("clock", "step", "shift!", "the clock is set forward or back"),
        ("clock", "skew", "shift!", "the clock of a host is ahead or behind"),
        ("clock", "drift", "factor!", "the clock runs faster or slower"),
        ("clock", "suspend", "seconds!", "the machine sleeps; monotonic time stops"),
        ("clock", "late", "seconds!", "timers fire that much late"),
        ("clock", "coarse", "seconds!", "the clock moves in steps of that size"),
        ("clock", "tie", "", "deadlines that lie close fall on the same instant"),
        ("policy", "empty-budget", "", "the retry budget is used up"),
        ("policy", "jitter", "draw!", "the jitter draws that share of its range: 0 the least, 1 the most"),
        ("policy", "force-breaker", "to!", "the breaker is put into that state"),
        ("policy", "reject", "retry_after", "the policy rejects the attempt"),
        ("policy", "tie", "", "the timer of this edge fires in the instant in which the attempt ends"),
        ("policy", "cancel", "", "the task run is cancelled at this edge"),
    )
)
"""Every action of every layer, in the order of the documentation."""


def find_action(at: Collection[str], do: str) -> Action | None:
    """Return the action that the word `do` means at an address with the keys `at`, or None."""
    by_layer = {action.layer: action for action in ACTIONS if action.do == do}
    return next((by_layer[layer] for layer in layers_at(at) if layer in by_layer), None)


def words_at(at: Collection[str]) -> list[str]:
    """Return the words that an address with the keys `at` takes, those of the likeliest layer first."""
    of_layers = (action.do for layer in layers_at(at) for action in ACTIONS if action.layer == layer)
    return list(dict.fromkeys(of_layers))
