"""Writes data as TOML, for tests that generate scenario files."""

import json
from typing import Any


def write(data: dict[str, Any]) -> str:
    """Return a TOML text in which every top-level value stands on a line of its own."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in data.items())


def write_tables(data: dict[str, Any]) -> str:
    """Return the same data with tables and arrays of tables under headers, one level deep."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in data.items() if not _headed(value)]
    for key, value in data.items():
        if not _headed(value):
            continue
        for table in value if isinstance(value, list) else [value]:
            head = f"[[{_key(key)}]]" if isinstance(value, list) else f"[{_key(key)}]"
            lines += ["", head, *(f"{_key(name)} = {_value(item)}" for name, item in table.items())]
    return "\n".join(lines) + "\n"


def _headed(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
    )


def _key(key: str) -> str:
    return _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    return repr(value)
