"""What the complaint search API answers to a query: choosing, ordering, paging and counting records.

Plain functions over a list of records; `asyncflow.net.cfpb` puts them behind HTTP. Like the real service it
ignores parameters that it does not know, and takes several values of one filter as alternatives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

Record = dict[str, Any]
Values = dict[str, list[str]]
T = TypeVar("T")
D = TypeVar("D")

DEFAULT_SIZE = 10
LARGEST_SIZE = 1000
LARGEST_FRM = 10_000

FORMATS = ("default", "json", "csv")
SORTS = ("relevance_desc", "relevance_asc", "created_date_desc", "created_date_asc")
SEARCH_FIELDS = ("complaint_what_happened", "company", "company_public_response", "all", "_all")
FILTERS = (
    "company",
    "company_public_response",
    "company_response",
    "consumer_consent_provided",
    "consumer_disputed",
    "has_narrative",
    "issue",
    "product",
    "state",
    "submitted_via",
    "tags",
    "timely",
    "zip_code",
)
COUNTED = ("company", "company_response", "issue", "product", "state", "submitted_via", "tags", "timely")

_SUB_FIELD = {"product": "sub_product", "issue": "sub_issue"}
_BULLET = "\u2022"  # the API joins product and sub-product with it


class BadQuery(Exception):
    """A query that is answered with status 400.

    Attributes:
        errors: what is wrong, by parameter.
    """

    def __init__(self, errors: Values) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for.

    Attributes:
        size: how many hits at most, or None when the query does not say.
        frm: how many hits to pass over.
        sort: one of SORTS.
        format: one of FORMATS.
        field: where `search_term` is looked for, one of SEARCH_FIELDS.
        search_term: words that must all occur; empty for none.
        received_min: the first day, or None.
        received_max: the last day, or None.
        no_aggs: whether the counts are left out.
        filters: field names with the values that are let through.
    """

    size: int | None
    frm: int
    sort: str
    format: str
    field: str
    search_term: str
    received_min: date | None
    received_max: date | None
    no_aggs: bool
    filters: Values


def parse_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Return the query that the parameters of a URL make.

    Args:
        pairs: names and values, in their order; of a single-valued parameter the last one counts.

    Raises:
        BadQuery: when values can't be understood; it names them all.
    """
    given: Values = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    reader = _Reader(given)
    query = Query(
        size=reader.read("size", _whole(0, LARGEST_SIZE), default=None),
        frm=reader.read("frm", _whole(0, LARGEST_FRM), default=0),
        sort=reader.read("sort", _choice(SORTS), default=SORTS[0]),
        format=reader.read("format", _choice(FORMATS), default=FORMATS[0]),
        field=reader.read("field", _choice(SEARCH_FIELDS), default=SEARCH_FIELDS[0]),
        search_term=reader.read("search_term", str, default=""),
        received_min=reader.read("date_received_min", _day, default=None),
        received_max=reader.read("date_received_max", _day, default=None),
        no_aggs=reader.read("no_aggs", _truth, default=False),
        filters={name: given[name] for name in FILTERS if name in given},
    )
    if reader.errors:
        raise BadQuery(reader.errors)
    return query


class _Reader:
    """Reads single parameters and gathers what is wrong with them."""

    def __init__(self, given: Values) -> None:
        self._given = given
        self.errors: Values = {}

    def read(self, name: str, convert: Callable[[str], T], *, default: D) -> T | D:
        if name not in self._given:
            return default
        try:
            return convert(self._given[name][-1])
        except ValueError as error:
            self.errors[name] = [str(error)]
            return default


def _whole(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        # A pattern of our own: int() also takes "1_0" and digits of other scripts.
        digits = text.strip().removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise ValueError("A valid integer is required.")
        number = int(text)
        if number < least:
            raise ValueError(f"Ensure this value is greater than or equal to {least}.")
        if number > most:
            raise ValueError(f"Ensure this value is less than or equal to {most}.")
        return number

    return convert


def _choice(known: Sequence[str]) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in known:
            raise ValueError(f'"{text}" is not a valid choice.')
        return text

    return convert


def _day(text: str) -> date:
    try:
        return datetime.strptime(f"{text} +0000", "%Y-%m-%d %z").date()
    except ValueError:
        raise ValueError("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.") from None


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word in ("true", "t", "1", "yes", "y", "on"):
        return True
    if word in ("false", "f", "0", "no", "n", "off"):
        return False
    raise ValueError("Must be a valid boolean.")


def find(records: Iterable[Record], query: Query) -> list[Record]:
    """Return the hits of a query, in its order, before paging."""
    words = query.search_term.lower().split()
    hits = [
        _hit(record, words, query)
        for record in records
        if _passes(record, query) and all(word in _searched(record, query.field) for word in words)
    ]
    return sorted(hits, key=lambda hit: tuple(hit["sort"]), reverse=query.sort.endswith("_desc"))


def page(hits: Sequence[Record], query: Query) -> Sequence[Record]:
    """Return the part of the hits that the query asks for; an export without a size takes them all."""
    if query.size is None and query.format != "default":
        return hits[query.frm :]
    size = DEFAULT_SIZE if query.size is None else query.size
    return hits[query.frm : query.frm + size]


def envelope(hits: Sequence[Record], query: Query, records: Sequence[Record]) -> Record:
    """Return the API's whole answer.

    Args:
        hits: all hits of the query, in order.
        query: what was asked for.
        records: everything there is, for the part that describes the database.
    """
    scores = [hit["_score"] for hit in hits if hit["_score"] is not None]
    answer: Record = {
        "took": 5,
        "timed_out": False,
        "_shards": {"total": 5, "successful": 5, "skipped": 0, "failed": 0},
        "hits": {
            "total": {"value": len(hits), "relation": "eq"},
            "max_score": max(scores, default=None),
            "hits": list(page(hits, query)),
        },
    }
    if not query.no_aggs:
        answer["aggregations"] = {name: _counts(hits, name) for name in COUNTED}
    answer["_meta"] = _meta(records)
    return answer


def _passes(record: Record, query: Query) -> bool:
    day = datetime.fromisoformat(record["date_received"]).date()
    if query.received_min is not None and day < query.received_min:
        return False
    if query.received_max is not None and day > query.received_max:
        return False
    return all(
        any(_matches(record, name, value) for value in values) for name, values in query.filters.items()
    )


def _matches(record: Record, name: str, value: str) -> bool:
    if name == "has_narrative":
        return str(record.get(name)).lower() == value.lower()
    main, bullet, sub = value.partition(_BULLET)
    if bullet and name in _SUB_FIELD:
        return record.get(name) == main and record.get(_SUB_FIELD[name]) == sub
    return record.get(name) == value


def _searched(record: Record, field: str) -> str:
    if field in ("all", "_all"):
        return " ".join(value for value in record.values() if isinstance(value, str)).lower()
    return (record.get(field) or "").lower()


def _hit(record: Record, words: Sequence[str], query: Query) -> Record:
    number = record["complaint_id"]
    by_score = query.sort.startswith("relevance")
    score = _score(record, words, query.field) if by_score else None
    received_ms = int(datetime.fromisoformat(record["date_received"]).timestamp() * 1000)
    return {
        "_index": "complaint-public-v2",
        "_type": "_doc",
        "_id": number,
        "_score": score,
        "_source": record,
        "sort": [score if by_score else received_ms, number],
    }


def _score(record: Record, words: Sequence[str], field: str) -> float:
    """Return how well a record fits: 1 without words, otherwise how dense the words are in its text."""
    if not words:
        return 1.0
    text = _searched(record, field)
    return round(100 * sum(text.count(word) for word in words) / len(text.split()), 6)


def _counts(hits: Iterable[Record], name: str) -> Record:
    counted = Counter(hit["_source"].get(name) for hit in hits)
    total = counted.total()
    del counted[None]
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return {
        "doc_count": total,
        name: {
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": 0,
            "buckets": [{"key": key, "doc_count": count} for key, count in ordered],
        },
    }


def _meta(records: Sequence[Record]) -> Record:
    newest = max(
        (record["date_received"] for record in records),
        key=lambda text: datetime.fromisoformat(text),
        default=None,
    )
    return {
        "license": "CC0",
        "last_updated": newest,
        "last_indexed": newest,
        "total_record_count": len(records),
        "is_data_stale": False,
        "has_data_issue": False,
    }
