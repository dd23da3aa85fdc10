import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.net.listing import BadListing, select

RECORDS = [
    {
        "id": number,
        "owner": number % 3,
        "name": f"n{9 - number}",
        "done": number % 2 == 0,
        "at": {"city": "AB"[number % 2]},
    }
    for number in range(1, 10)
]


def ids(*pairs):
    return [record["id"] for record in select(RECORDS, pairs)[0]]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([("owner", "1")], [1, 4, 7]),
        ([("owner", "1"), ("owner", "2")], [1, 2, 4, 5, 7, 8]),
        ([("owner", "1"), ("done", "true")], [4]),
        ([("at.city", "A")], [2, 4, 6, 8]),
        ([("owner", "9")], []),
        ([("unknown", "1")], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([("_page", "1"), ("_limit", "4")], [1, 2, 3, 4]),
        ([("_page", "3"), ("_limit", "4")], [9]),
        ([("_page", "4"), ("_limit", "4")], []),
        ([("_page", "0"), ("_limit", "2")], [1, 2]),
        ([("_page", "1")], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([("_limit", "2")], [1, 2]),
        ([("_start", "3"), ("_end", "5")], [4, 5]),
        ([("_start", "3"), ("_limit", "1")], [4]),
        ([("_start", "7")], [8, 9]),
        ([("_end", "2")], [1, 2]),
        ([("_sort", "name")], [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ([("_sort", "id"), ("_order", "desc")], [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ([("_sort", "owner,id"), ("_order", "desc,asc")], [2, 5, 8, 1, 4, 7, 3, 6, 9]),
        ([("_sort", "at.city"), ("_limit", "4")], [2, 4, 6, 8]),
    ],
)
def test_the_parameters_of_a_url_choose_order_and_slice(pairs, expected):
    assert ids(*pairs) == expected


@pytest.mark.parametrize(
    "pair", [("_page", "x"), ("_limit", "-1"), ("_start", "1.5"), ("_end", ""), ("_order", "up")]
)
def test_a_value_that_can_t_be_understood_is_named(pair):
    with pytest.raises(BadListing, match=pair[0]):
        select(RECORDS, [("_sort", "id"), pair])


def test_the_total_counts_what_was_found_before_slicing():
    assert select(RECORDS, [("owner", "1"), ("_limit", "1")])[1] == 3


def test_fields_of_mixed_kinds_are_ordered_numbers_first_then_texts_then_the_rest():
    mixed = [{"id": None}, {"id": "b"}, {"id": 2}, {}, {"id": "a"}, {"id": 1.5}]
    ordered = select(mixed, [("_sort", "id")])[0]
    assert [record.get("id") for record in ordered] == [1.5, 2, "a", "b", None, None]


@given(st.integers(1, 12))
def test_pages_put_together_are_the_whole_list(size):
    pages = [ids(("_page", str(number)), ("_limit", str(size))) for number in range(1, 11)]
    assert [number for page in pages for number in page] == ids()
