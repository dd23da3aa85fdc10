from datetime import datetime
from random import Random

import pytest

from asyncflow.net.complaint_records import complaints
from asyncflow.net.record_files import load_complaints

TEXT = (str,)
NULLABLE = (str, type(None))
SHAPE = {
    "product": TEXT,
    "sub_product": NULLABLE,
    "issue": TEXT,
    "sub_issue": NULLABLE,
    "complaint_what_happened": TEXT,
    "date_received": TEXT,
    "date_sent_to_company": TEXT,
    "company": TEXT,
    "company_response": TEXT,
    "company_public_response": NULLABLE,
    "state": TEXT,
    "zip_code": TEXT,
    "tags": NULLABLE,
    "has_narrative": (bool,),
    "complaint_id": TEXT,
    "timely": TEXT,
    "consumer_consent_provided": NULLABLE,
    "consumer_disputed": TEXT,
    "submitted_via": TEXT,
}


@pytest.mark.parametrize("name", SHAPE)
def test_a_field_of_a_made_complaint_has_the_types_of_the_real_service(name):
    kinds = {type(record[name]) for record in complaints(Random(7), 200)}
    assert kinds == set(SHAPE[name])


def test_a_made_complaint_has_exactly_the_fields_of_the_real_service():
    assert all(record.keys() == SHAPE.keys() for record in complaints(Random(7), 20))


def test_an_answer_in_the_service_s_own_shape_has_the_fields_and_types_that_we_make(answer_file):
    for record in load_complaints(answer_file):
        assert record.keys() >= SHAPE.keys()
        assert {name for name, kinds in SHAPE.items() if not isinstance(record[name], kinds)} == set()


def test_the_same_seed_makes_the_same_complaints_and_a_longer_list_begins_with_the_shorter():
    assert complaints(Random(7), 30)[:10] == complaints(Random(7), 10)
    assert complaints(Random(8), 10) != complaints(Random(7), 10)


def test_no_complaints_are_made_when_none_are_asked_for():
    assert complaints(Random(7), 0) == []


def test_complaints_have_rising_ids_and_days_and_reach_the_company_no_earlier():
    made = complaints(Random(7), 100)
    assert [record["complaint_id"] for record in made] == sorted({record["complaint_id"] for record in made})
    days = [datetime.fromisoformat(record["date_received"]) for record in made]
    assert days == sorted(days)
    assert all(day.utcoffset() is not None for day in days)
    assert all(record["date_received"] <= record["date_sent_to_company"] for record in made)


def test_most_narratives_are_empty_and_the_rest_come_with_consent():
    made = complaints(Random(7), 200)
    told = [record for record in made if record["complaint_what_happened"]]
    assert 0 < len(told) < 100
    assert all(record["consumer_consent_provided"] == "Consent provided" for record in told)
    assert all(record["has_narrative"] == bool(record["complaint_what_happened"]) for record in made)


def test_every_company_is_marked_as_an_example_and_some_zip_codes_are_masked():
    made = complaints(Random(7), 200)
    assert all(" Example " in record["company"] for record in made)
    assert {len(record["zip_code"]) for record in made} == {5}
    assert any(record["zip_code"].endswith("XX") for record in made)
