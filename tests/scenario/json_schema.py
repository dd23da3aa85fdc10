"""The part of JSON Schema that the schema of scenarios uses, for tests that hold the two together."""

import re
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
Check = Callable[[Any, Any, Schema, Schema], bool]

SORTS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
NOTES = {"$schema", "$defs", "title", "description", "default", "then"}


def accepts(schema: Any, value: Any, root: Schema) -> bool:
    """Return whether a schema accepts a value; a keyword that is not known here is an error."""
    if isinstance(schema, bool):
        return schema
    return all(CHECKS[word](schema[word], value, schema, root) for word in schema if word not in NOTES)


def _type(said: str, value: Any, _schema: Schema, _root: Schema) -> bool:
    return isinstance(value, SORTS[said]) and isinstance(value, bool) == (said == "boolean")


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _others(said: Any, value: Any, schema: Schema, root: Schema) -> bool:
    known = schema.get("properties", {})
    return all(accepts(said, item, root) for key, item in value.items() if key not in known)


def of(kind: type | tuple[type, ...], check: Check) -> Check:
    """A keyword that has nothing to say about values of other types."""
    return lambda said, value, schema, root: not isinstance(value, kind) or check(said, value, schema, root)


NUMBER = (int, float)
CHECKS: dict[str, Check] = {
    "$ref": lambda said, value, _, root: accepts(root["$defs"][said.removeprefix("#/$defs/")], value, root),
    "type": _type,
    "enum": lambda said, value, *_: any(_same(one, value) for one in said),
    "const": lambda said, value, *_: _same(said, value),
    "anyOf": lambda said, value, _, root: any(accepts(option, value, root) for option in said),
    "allOf": lambda said, value, _, root: all(accepts(option, value, root) for option in said),
    "not": lambda said, value, _, root: not accepts(said, value, root),
    "if": lambda said, value, schema, root: (
        not accepts(said, value, root) or accepts(schema["then"], value, root)
    ),
    "required": of(dict, lambda said, value, *_: all(key in value for key in said)),
    "properties": of(
        dict,
        lambda said, value, _, root: all(
            accepts(said[key], value[key], root) for key in value if key in said
        ),
    ),
    "additionalProperties": of(dict, _others),
    "propertyNames": of(dict, lambda said, value, _, root: all(accepts(said, key, root) for key in value)),
    "items": of(list, lambda said, value, _, root: all(accepts(said, item, root) for item in value)),
    "minItems": of(list, lambda said, value, *_: len(value) >= said),
    "minLength": of(str, lambda said, value, *_: len(value) >= said),
    "pattern": of(str, lambda said, value, *_: re.search(said, value, re.ASCII) is not None),
    "minimum": of(NUMBER, lambda said, value, *_: value >= said),
    "maximum": of(NUMBER, lambda said, value, *_: value <= said),
    "exclusiveMinimum": of(NUMBER, lambda said, value, *_: value > said),
    "exclusiveMaximum": of(NUMBER, lambda said, value, *_: value < said),
}
