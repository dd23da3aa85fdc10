"""Filtering, ordering and slicing a list of records by the parameters of a URL, as JSONPlaceholder does.

Names that begin with an underscore steer the listing; any other name is a filter on that field, a dotted one
(`address.city`) on a field inside a field. A filter on a field that no record has is ignored, as it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = dict[str, Any]

PAGE_SIZE = 10
_MISSING = object()


class BadListing(Exception):
    """A listing parameter that can't be understood; the text names it."""


def select(records: Sequence[Record], pairs: Iterable[tuple[str, str]]) -> tuple[list[Record], int]:
    """Return the records that the parameters ask for, and how many there were before slicing.

    Args:
        records: the whole collection.
        pairs: names and values, in their order; several values of one filter are alternatives.

    Raises:
        BadListing: when a number or an order can't be understood.
    """
    filters: dict[str, list[str]] = {}
    steering: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith("_"):
            steering[name] = value
        else:
            filters.setdefault(name, []).append(value)
    found = _filtered(records, filters)
    found = _ordered(found, steering)
    return found[_slice(steering)], len(found)


def _filtered(records: Sequence[Record], filters: Mapping[str, Sequence[str]]) -> list[Record]:
    found = list(records)
    for name, values in filters.items():
        if any(_field(record, name) is not _MISSING for record in records):
            found = [record for record in found if _as_text(_field(record, name)) in values]
    return found


def _ordered(records: list[Record], steering: Mapping[str, str]) -> list[Record]:
    if "_sort" not in steering:
        return records
    names = steering["_sort"].split(",")
    orders = steering.get("_order", "asc").lower().split(",")
    # The last key first: sorting is stable, so the first key decides in the end.
    for position in reversed(range(len(names))):
        order = orders[position] if position < len(orders) else "asc"
        if order not in ("asc", "desc"):
            raise BadListing(f"_order: {order!r} must be asc or desc")
        name = names[position]
        records = sorted(records, key=lambda record: _rank(_field(record, name)), reverse=order == "desc")
    return records


def _slice(steering: Mapping[str, str]) -> slice:
    limit = _number(steering, "_limit")
    if "_page" in steering:
        size = PAGE_SIZE if limit is None else limit
        first = (max(_number(steering, "_page") or 1, 1) - 1) * size
        return slice(first, first + size)
    first = _number(steering, "_start") or 0
    if limit is not None:
        return slice(first, first + limit)
    return slice(first, _number(steering, "_end"))


def _number(steering: Mapping[str, str], name: str) -> int | None:
    text = steering.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadListing(f"{name}: {text!r} must be a whole number, 0 or more")
    return int(text)


def _field(record: Any, name: str) -> Any:
    for part in name.split("."):
        if not isinstance(record, Mapping) or part not in record:
            return _MISSING
        record = record[part]
    return record


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rank(value: Any) -> tuple[int, Any]:
    """Return a key that puts numbers before texts before the rest, so that mixed fields can be ordered."""
    if isinstance(value, int | float):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return 2, 0
