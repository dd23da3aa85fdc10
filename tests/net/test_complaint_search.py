from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.net.complaint_records import complaints
from asyncflow.net.complaint_search import SORTS, BadQuery, envelope, find, page, parse_query
from asyncflow.net.record_files import load_complaints

RECORDS = complaints(Random(7), 60)


def query(**parameters):
    return parse_query(
        (name, value)
        for name, values in parameters.items()
        for value in (values if isinstance(values, list) else [values])
    )


def found(**parameters):
    return [hit["_source"] for hit in find(RECORDS, query(**parameters))]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("size", "ten", "A valid integer is required."),
        ("size", "", "A valid integer is required."),
        ("size", "1_0", "A valid integer is required."),
        ("size", "-1", "greater than or equal to 0"),
        ("size", "1001", "less than or equal to 1000"),
        ("frm", "-5", "greater than or equal to 0"),
        ("frm", "10001", "less than or equal to 10000"),
        ("frm", "9" * 5000, "A valid integer is required."),
        ("sort", "newest", '"newest" is not a valid choice.'),
        ("format", "xml", '"xml" is not a valid choice.'),
        ("field", "everything", "is not a valid choice."),
        ("date_received_min", "17.05.2024", "Date has wrong format."),
        ("date_received_max", "2024-02-30", "Date has wrong format."),
        ("no_aggs", "perhaps", "Must be a valid boolean."),
    ],
)
def test_a_value_that_can_t_be_understood_is_named(name, value, reason):
    with pytest.raises(BadQuery) as caught:
        query(**{name: value})
    assert list(caught.value.errors) == [name]
    assert reason in caught.value.errors[name][0]


def test_all_values_that_can_t_be_understood_are_named_at_once():
    with pytest.raises(BadQuery) as caught:
        query(size="x", frm="y", product="Mortgage")
    assert list(caught.value.errors) == ["size", "frm"]


def test_an_unknown_parameter_is_ignored_as_the_service_does():
    assert query(date_recieved_min="2024-01-01") == query()


def test_without_a_size_ten_hits_come():
    assert len(page(find(RECORDS, query()), query())) == 10


@given(st.sampled_from(SORTS), st.integers(1, 70))
def test_pages_put_together_are_all_hits_once_and_in_order(sort, size):
    asked = query(sort=sort)
    hits = find(RECORDS, asked)
    pages = [page(hits, query(sort=sort, size=str(size), frm=str(frm))) for frm in range(0, 60, size)]
    assert [hit for part in pages for hit in part] == hits
    assert len(hits) == 60


@pytest.mark.parametrize("kind", ["relevance", "created_date"])
def test_ascending_is_descending_backwards(kind):
    assert found(sort=f"{kind}_asc") == found(sort=f"{kind}_desc")[::-1]


def test_sorted_by_date_the_newest_come_first_with_the_time_in_milliseconds_and_no_score():
    hits = find(RECORDS, query(sort="created_date_desc"))
    assert [hit["_source"] for hit in hits] == RECORDS[::-1]
    assert all(hit["_score"] is None for hit in hits)
    first = find(complaints(Random(7), 1), query(sort="created_date_asc"))[0]
    assert first["_source"]["date_received"] == "2022-01-03T12:00:00-05:00"
    assert first["sort"] == [1641229200000, first["_id"]]


def test_search_words_must_all_occur_in_the_field_in_any_case():
    hits = found(search_term="AGENT call", size="1000")
    assert hits
    assert all("agent" in text and "call" in text for text in (h["complaint_what_happened"] for h in hits))
    assert found(search_term="agent zebra") == []


def test_the_searched_field_can_be_the_company_or_everything():
    company = RECORDS[0]["company"]
    assert RECORDS[0] in found(search_term=company, field="company")
    assert RECORDS[0] not in found(search_term=company)
    assert RECORDS[0] in found(search_term=company, field="all")


def test_a_better_fit_comes_first_when_sorted_by_relevance():
    dense, thin = ({**RECORDS[0], "complaint_what_happened": t} for t in ("fee fee", "a fee and many words"))
    hits = find([thin, dense], query(search_term="fee"))
    assert [hit["_source"] for hit in hits] == [dense, thin]
    assert hits[0]["_score"] > hits[1]["_score"]


@pytest.mark.parametrize("name", ["product", "company", "state", "issue", "tags", "timely", "zip_code"])
def test_a_filter_lets_through_what_has_the_value_and_nothing_else(name):
    value = next(record[name] for record in RECORDS if record[name] is not None)
    assert found(**{name: value}, sort="created_date_asc") == [r for r in RECORDS if r[name] == value]


def test_several_values_of_a_filter_are_alternatives_and_several_filters_must_all_hold():
    both = found(state=["TX", "CA"])
    assert {record["state"] for record in both} == {"TX", "CA"}
    assert found(state=["TX", "CA"], product=both[0]["product"]) == [
        record for record in both if record["product"] == both[0]["product"]
    ]


def test_a_product_may_carry_its_sub_product_behind_a_bullet():
    hits = found(product="Debt collection\u2022Medical debt")
    assert hits
    assert {(r["product"], r["sub_product"]) for r in hits} == {("Debt collection", "Medical debt")}


def test_narratives_are_filtered_by_true_and_false():
    assert found(has_narrative="true", sort="created_date_asc") == [r for r in RECORDS if r["has_narrative"]]


def test_both_ends_of_a_range_of_days_belong_to_it():
    day = RECORDS[30]["date_received"][:10]
    hits = found(date_received_min=day, date_received_max=day)
    assert RECORDS[30] in hits
    assert {record["date_received"][:10] for record in hits} == {day}


def test_counts_are_of_all_hits_not_of_the_page_and_the_largest_comes_first():
    asked = query(size="1")
    answer = envelope(find(RECORDS, asked), asked, RECORDS)
    counted = answer["aggregations"]["state"]
    assert counted["doc_count"] == 60
    numbers = [bucket["doc_count"] for bucket in counted["state"]["buckets"]]
    assert sum(numbers) == 60
    assert numbers == sorted(numbers, reverse=True)


def test_records_without_a_value_are_in_no_bucket():
    asked = query()
    tags = envelope(find(RECORDS, asked), asked, RECORDS)["aggregations"]["tags"]["tags"]["buckets"]
    assert {bucket["key"] for bucket in tags} <= {"Servicemember", "Older American"}


def test_the_counts_are_left_out_on_request():
    asked = query(no_aggs="true")
    assert "aggregations" not in envelope([], asked, RECORDS)
    assert "aggregations" in envelope([], query(no_aggs="false"), RECORDS)


def test_an_answer_over_no_records_at_all_is_complete():
    answer = envelope([], query(), [])
    assert answer["hits"] == {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []}
    assert answer["_meta"]["total_record_count"] == 0


def test_a_query_over_a_real_answer_finds_counts_and_pages(answer_file):
    records = load_complaints(answer_file)
    asked = query(size="1000", sort="created_date_desc")
    answer = envelope(find(records, asked), asked, records)
    assert answer["hits"]["total"]["value"] == len(answer["hits"]["hits"]) == len(records)
    state = records[0]["state"]
    only = find(records, query(state=state))
    assert {hit["_source"]["state"] for hit in only} == {state}
    assert answer["_meta"]["last_updated"] == answer["hits"]["hits"][0]["_source"]["date_received"]
