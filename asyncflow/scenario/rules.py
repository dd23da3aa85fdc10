"""What the tables of a scenario must hold beyond the types of their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from asyncflow.errors import did_you_mean, nearest
from asyncflow.scenario import format as tables
from asyncflow.scenario.actions import ACTIONS, Action, find_action, words_at
from asyncflow.scenario.shape import Problem, Rule
from asyncflow.scenario.values import Duration, Range
from asyncflow.scenario.wire_rules import wire_problems
from asyncflow.states import BY_NAME

Raw = Mapping[str, Any]

COMMON = ("at", "do", "optional", "probability", "window", "boot")
"""The keys of a fault that belong to every action."""

SIGNAL_KEYS: Mapping[str, tuple[str, ...]] = {
    "SUCCESS": ("message", "result"),
    "FAIL": ("message",),
    "SKIP": ("message", "result"),
    "RETRY": ("message", "delay"),
    "PAUSE": ("message",),
    "LOOP": ("message", "result"),
    "TRIGGERFAIL": ("message",),
    "VALIDATIONFAIL": ("message",),
    "ENDRUN": ("message", "result", "state"),
}
"""The keys that say something about each signal."""


def _fault(raw: Raw) -> Iterator[Problem]:
    action = find_action(raw["at"], raw["do"])
    if action is None:
        yield ("do",), _unknown_action(raw["at"], raw["do"])
        return
    keys = [key for key in raw if key not in COMMON]
    for key in keys:
        if key not in action.known:
            yield (key,), _foreign_key(action)
    for key in action.needed:
        if key not in raw:
            yield (key,), f"is missing; do = {action.do!r} needs it"
    if action.layer == "network":
        yield from wire_problems(raw)
    elif action.do in _BY_ACTION:
        yield from _BY_ACTION[action.do](raw)


def _unknown_action(at: Raw, do: str) -> str:
    known = words_at(at)
    elsewhere = [action.layer for action in ACTIONS if action.do == do]
    if elsewhere:
        return f"{do!r} is an action of the layer {elsewhere[0]}; known here: {', '.join(known)}."
    near = nearest(do, known)
    hint = f"Did you mean {near!r}?" if near else f"Known here: {', '.join(known)}."
    return f"unknown action {do!r}. {hint}"


def _foreign_key(action: Action) -> str:
    keys = f"its keys are {', '.join(action.known)}" if action.known else "it has no keys of its own"
    return f"does not belong to do = {action.do!r} ({action.layer}); {keys}."


def _raise(raw: Raw) -> Iterator[Problem]:
    if "message" in raw and ": " in raw.get("error", ""):
        yield ("message",), "the text is said twice; leave it out here or after the colon in error"


def _wrong_result(raw: Raw) -> Iterator[Problem]:
    if "value" in raw and "keep" in raw:
        yield ("keep",), "value and keep exclude each other"


def _signal(raw: Raw) -> Iterator[Problem]:
    name = raw.get("signal")
    if name is None:
        return
    for key in ("message", "result", "state", "delay"):
        if key in raw and key not in SIGNAL_KEYS[name]:
            yield (key,), f"does not belong to the signal {name}, which takes {', '.join(SIGNAL_KEYS[name])}"
    if name == "ENDRUN" and "state" not in raw:
        yield ("state",), "is missing; ENDRUN ends the run with this state"
    elif name == "ENDRUN" and not BY_NAME[raw["state"]]().is_final():
        yield ("state",), f"{raw['state']!r} is not a final state, which ENDRUN needs"


def _wrong_length(raw: Raw) -> Iterator[Problem]:
    if raw.get("off") == 0:
        yield ("off",), "would make the length right; say a positive or a negative number"


_BY_ACTION: Mapping[str, Rule] = {
    "raise": _raise,
    "wrong-result": _wrong_result,
    "signal": _signal,
    "wrong-length": _wrong_length,
}


def _task_at(raw: Raw) -> Iterator[Problem]:
    if "step" in raw and raw.get("when") != "inside":
        yield ("step",), "counts the awaits of the body; it needs when = 'inside'"


def _service_at(raw: Raw) -> Iterator[Problem]:
    if not raw.get("path", "/").startswith("/"):
        yield ("path",), f"expected a path that begins with '/', got {raw['path']!r}"


def _process_at(raw: Raw) -> Iterator[Problem]:
    if ("site" in raw) != (raw["process"] == "site"):
        yield ("site",), "belongs to process = 'site', which needs it"


def _window(raw: Raw) -> Iterator[Problem]:
    if not raw:
        yield (), "says neither from nor to"
    elif "from" in raw and "to" in raw and Duration.parse(raw["from"]) >= Duration.parse(raw["to"]):
        yield ("to",), f"is not later than from = {raw['from']!r}"


def _range(raw: Raw) -> Iterator[Problem]:
    if not raw:
        yield (), "says neither min nor max"
    elif raw.get("min", 0) > raw.get("max", raw.get("min", 0)):
        yield ("max",), f"is less than min = {raw['min']}"


def _rows(raw: Raw) -> Iterator[Problem]:
    claims = ("count", "min", "max", "null", "not_null", "unique")
    if not any(key in raw for key in claims):
        yield (), f"claims nothing; say one of {', '.join(claims)}"
    elif "count" in raw and ("min" in raw or "max" in raw):
        yield ("count",), "says it exactly; leave out min and max"
    else:
        yield from _range({"min": 0, **raw})


def _policy(raw: Raw) -> Iterator[Problem]:
    for part in raw.get("without", ()):
        if part in raw:
            yield (part,), "is also in without; say one of them"


def _hedge(raw: Raw) -> Iterator[Problem]:
    if "after" not in raw and "quantile" not in raw:
        yield (), "needs one of after, quantile"


def _fallback(raw: Raw) -> Iterator[Problem]:
    if "value" in raw and "function" in raw:
        yield ("function",), "value and function exclude each other; let the function return the value"
    elif "value" not in raw and "function" not in raw and not raw.get("cached"):
        yield (), "needs one of value, function, cached"


def _retry(raw: Raw) -> Iterator[Problem]:
    drawn = str(raw.get("delay")).lstrip().startswith("decorrelated")
    if drawn and raw.get("jitter", "decorrelated") != "decorrelated":
        yield ("jitter",), "a decorrelated delay is drawn already; leave it out"


def _scenario(raw: Raw) -> Iterator[Problem]:
    if "fires" not in raw:
        yield from _without_fires(raw)
    services = raw.get("service", {})
    for index, fault in enumerate(raw.get("fault", ())):
        host = fault["at"].get("service")
        if host is None:
            continue
        if host not in services:
            reason = f"no [service.{json.dumps(host, ensure_ascii=False)}] stands in for this host."
            yield ("fault", index, "at", "service"), reason + did_you_mean(host, services)
        elif fault["do"] == "wrong-length" and services[host].get("framing", "length") != "length":
            framing = services[host]["framing"]
            reason = f"lies about a length that no answer declares with framing = {framing!r}; say 'truncate'"
            yield ("fault", index, "do"), reason


def _without_fires(raw: Raw) -> Iterator[Problem]:
    """Yield what counts the fires of a schedule that is not followed."""
    reason = "counts the runs of a schedule; say at the top how many are made, as in fires = 3"
    for index, fault in enumerate(raw.get("fault", ())):
        if "fire" in fault["at"]:
            yield ("fault", index, "at", "fire"), reason
    if "fires" in raw.get("expect", {}):
        yield ("expect", "fires"), reason
    for name, variant in raw.get("variant", {}).items():
        if "fires" in variant.get("expect", {}):
            yield ("variant", name, "expect", "fires"), reason


RULES: Mapping[type, Rule] = {
    tables.Scenario: _scenario,
    tables.Fault: _fault,
    tables.TaskAt: _task_at,
    tables.ServiceAt: _service_at,
    tables.ProcessAt: _process_at,
    tables.Window: _window,
    tables.Rows: _rows,
    tables.PolicyOptions: _policy,
    tables.RetryOptions: _retry,
    tables.HedgeOptions: _hedge,
    tables.FallbackOptions: _fallback,
    Range: _range,
}
"""The rule of each table that has one."""
