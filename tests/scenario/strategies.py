"""Generates valid scenarios as data, out of the format's own tables."""

from functools import cache
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect as types

from asyncflow.scenario.actions import ACTIONS, Action, layers_at
from asyncflow.scenario.format import ADDRESSES, Fault, Scenario
from asyncflow.scenario.rules import COMMON, SIGNAL_KEYS
from asyncflow.scenario.shape import described
from asyncflow.scenario.values import Delay, Duration, Reference, Shift, Span
from asyncflow.scenario.wire_rules import PLACES

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
durations = st.one_of(
    st.tuples(st.integers(1, 999), st.sampled_from(("ms", "s", "m", "h"))).map(
        lambda one: f"{one[0]}{one[1]}"
    ),
    st.integers(1, 100),
    st.floats(0.001, 1000),
)
delays = st.one_of(
    durations,
    st.lists(durations, min_size=1, max_size=3),
    st.sampled_from(("constant 1s", "linear 1s", "exponential 200ms cap 5s", "decorrelated 10ms cap 1m30s")),
)
CUSTOM: dict[type, st.SearchStrategy[Any]] = {
    Duration: durations,
    Span: durations,
    Shift: durations.map(lambda one: f"-{one}" if isinstance(one, str) else -one),
    Delay: delays,
    Reference: st.sampled_from(("module:flow", "a.b.c:d", "my flows/file.py:etl")),
}
plain = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), words),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)


def of_type(kind: types.Type) -> st.SearchStrategy[Any]:
    match kind:
        case types.CustomType(cls):
            return CUSTOM[cls]
        case types.UnionType(options):
            return st.one_of([of_type(one) for one in options if not isinstance(one, types.NoneType)])
        case types.StructType(cls):
            return of_table(cls)
        case types.DictType():
            return st.dictionaries(words, of_type(kind.value_type), max_size=2)
        case types.ListType():
            return st.lists(of_type(kind.item_type), min_size=kind.min_length or 0, max_size=2)
    return of_plain_type(kind)


def of_plain_type(kind: types.Type) -> st.SearchStrategy[Any]:
    match kind:
        case types.LiteralType(values):
            return st.sampled_from(values)
        case types.IntType():
            return st.integers(kind.ge if kind.ge is not None else 1, kind.le or 2**31)
        case types.FloatType():
            low, high = kind.ge if kind.ge is not None else kind.gt or 0, kind.le or kind.lt or 9.0
            return st.floats(low, high, exclude_min=kind.gt is not None, exclude_max=kind.lt is not None)
        case types.StrType():
            return words
    return st.booleans() if isinstance(kind, types.BoolType) else plain


@cache
def of_table(cls: type) -> st.SearchStrategy[dict[str, Any]]:
    """A table with some of its keys, made to keep the table's rule."""
    if cls is Fault:
        return faults
    info = described(cls)
    assert isinstance(info, types.StructType)
    needed = {one.encode_name: of_type(one.type) for one in info.fields if one.required}
    others = {one.encode_name: of_type(one.type) for one in info.fields if not one.required}
    return st.fixed_dictionaries(needed, optional=others).map(lambda raw: _obeying(cls, raw))


def _obeying(cls: type, raw: dict[str, Any]) -> dict[str, Any]:
    name = cls.__name__
    if name.endswith("Options"):
        return _of_policy(name, raw)
    if name == "Window":
        raw = {"from": "100ms", "to": "200h"}
    elif name == "Range":
        raw = {"min": 1, "max": raw.get("max", 0) + 1}
    elif name == "Rows":
        raw = {key: value for key, value in raw.items() if key not in ("min", "max")}
        raw.setdefault("count", 3)
    elif name == "ProcessAt":
        raw = {"process": "step", "nth": raw.get("nth", 1)}
    elif name == "TaskAt":
        raw = raw if raw.get("when") == "inside" else {k: v for k, v in raw.items() if k != "step"}
    elif name == "ServiceAt" and "path" in raw:
        raw["path"] = f"/{raw['path']}"
    return raw


def _of_policy(name: str, raw: dict[str, Any]) -> dict[str, Any]:
    if name == "PolicyOptions":
        raw["without"] = [part for part in raw.get("without", []) if part not in raw]
    elif name == "RetryOptions" and str(raw.get("delay")).startswith("decorrelated"):
        raw.pop("jitter", None)
    elif name == "HedgeOptions":
        raw = {"max_hedges": 2, "after": raw.get("after", "1s")}
    elif name == "FallbackOptions":
        raw = {"value": raw.get("value", 1)}
    return raw


@cache
def keys_of(action: Action) -> st.SearchStrategy[dict[str, Any]]:
    info = described(Fault)
    assert isinstance(info, types.StructType)
    fields = {one.encode_name: one.type for one in info.fields}
    needed = {name: of_type(fields[name]) for name in action.needed}
    others = {name: of_type(fields[name]) for name in (*COMMON[2:], *action.known) if name not in needed}
    return st.fixed_dictionaries(needed, optional=others)


def _on_the_wire(at: dict[str, Any], do: str, raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return address and keys of a network fault, made to keep the rules of its word."""
    at = {key: value for key, value in at.items() if key in ("service", *PLACES[do], "task", "attempt")}
    at.setdefault(PLACES[do][0], 1)  # without a key of the wire the word may be one of HTTP
    if "part" not in at:
        at.pop("request", None)
    if at.get("direction") == "both":
        at["direction"] = "down"
    raw.pop("jitter", None)
    if do in ("partition", "reset-all", "clog"):
        raw["window"] = {"from": "1s", "to": "2s"}
    return at, raw


@st.composite
def _faults(draw: st.DrawFn) -> dict[str, Any]:
    key = draw(st.sampled_from(sorted(ADDRESSES)))
    at = draw(of_table(ADDRESSES[key]))
    layers = layers_at(at)
    action: Action = draw(
        st.sampled_from([one for one in ACTIONS if one.layer == layers[0] or one.layer == layers[-1]])
    )
    info = types.type_info(Fault)
    assert isinstance(info, types.StructType)
    fields = {
        one.encode_name: of_type(one.type) for one in info.fields if one.encode_name not in ("at", "do")
    }
    raw = draw(
        st.fixed_dictionaries(
            {name: fields[name] for name in action.needed},
            optional={
                name: fields[name] for name in (*COMMON[2:], *action.known) if name not in action.needed
            },
        )
    )
    if action.do == "raise":
        raw.pop("message", None)
    elif action.do == "wrong-result":
        raw.pop("keep", None)
    elif action.do == "wrong-length":
        raw["off"] = -3
    elif action.do == "signal":
        kept = SIGNAL_KEYS[raw["signal"]]
        raw = {k: v for k, v in raw.items() if k in kept or k not in ("message", "result", "state", "delay")}
        if raw["signal"] == "ENDRUN":
            raw["state"] = "Failed"
    elif action.layer == "network":
        at, raw = _on_the_wire(at, action.do, raw)
    return {"at": at, "do": action.do, **raw}


faults = _faults()


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """A valid scenario as the data of its file."""
    data = draw(of_table(Scenario))
    data["format"] = 1
    data.setdefault("fires", 3)  # without it nothing may count them
    services = data.setdefault("service", {})
    for fault in data.get("fault", []):
        if "service" in fault["at"]:
            services.setdefault(fault["at"]["service"], {"replica": "cfpb"})
    return data
