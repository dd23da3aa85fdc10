"""The JSON Schema of scenario files, with which editors complete and check them.

It is a little wider than the loader, which decides: an action word that several layers know may have the keys
of each.
"""

from __future__ import annotations

from typing import Any

import msgspec

from asyncflow.scenario.actions import ACTIONS, ADDRESS_KEYS, Action, words_at
from asyncflow.scenario.format import ADDRESSES, Address, Scenario
from asyncflow.scenario.rules import COMMON

_REFERENCE = "#/$defs/{name}"


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of format 1, ready for `json.dumps`."""
    _, parts = msgspec.json.schema_components(
        (Scenario, *ADDRESSES.values()), schema_hook=_of_custom_type, ref_template=_REFERENCE
    )
    parts = {name: _without_null(part) for name, part in parts.items()}
    _close_faults(parts["Fault"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **parts.pop("Scenario"),
        "title": "asyncflow scenario, format 1",
        "$defs": dict(sorted(parts.items())),
    }


def _of_custom_type(kind: type[Any]) -> dict[str, Any]:
    if kind is Address:
        return {"anyOf": [{"$ref": _REFERENCE.format(name=table.__name__)} for table in ADDRESSES.values()]}
    schema: dict[str, Any] = kind.schema()
    return schema


def _without_null(part: Any) -> Any:
    """Return a schema without null, which TOML does not have."""
    if isinstance(part, list):
        return [_without_null(item) for item in part if item != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    kept = {
        key: _without_null(value) for key, value in part.items() if not (key == "default" and value is None)
    }
    options = kept.get("anyOf")
    if options is not None and len(options) == 1:
        del kept["anyOf"]
        kept |= options[0]
    return kept


def _close_faults(fault: dict[str, Any]) -> None:
    """Add to the table of faults which words each address takes, and which keys each word."""
    words = list(dict.fromkeys(action.do for action in ACTIONS))
    fault["properties"]["do"] = {"enum": words}
    fault["allOf"] = [*map(_words_at, ADDRESS_KEYS), *map(_keys_of, words)]


def _words_at(key: str) -> dict[str, Any]:
    """Return the condition that an address of this kind takes the words of its layers only."""
    earlier = ADDRESS_KEYS[: ADDRESS_KEYS.index(key)]
    at: dict[str, Any] = {"required": [key]}
    if earlier:
        at["not"] = {"anyOf": [{"required": [other]} for other in earlier]}
    return {"if": {"properties": {"at": at}}, "then": {"properties": {"do": {"enum": words_at((key,))}}}}


def _keys_of(word: str) -> dict[str, Any]:
    """Return the condition that a fault with this word has the keys of its actions only."""
    meant = [action for action in ACTIONS if action.do == word]
    known = dict.fromkeys((*COMMON, *(key for action in meant for key in action.known)))
    needed = [key for key in meant[0].needed if all(key in action.needed for action in meant)]
    then: dict[str, Any] = {"description": _said(meant), "propertyNames": {"enum": list(known)}}
    if needed:
        then["required"] = needed
    return {"if": {"properties": {"do": {"const": word}}}, "then": then}


def _said(actions: list[Action]) -> str:
    return "; ".join(f"{action.layer}: {action.says}" for action in actions)
