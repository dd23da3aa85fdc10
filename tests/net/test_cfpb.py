import csv
import io
import json

import aiohttp
import pytest

from asyncflow.net.cfpb import CSV_COLUMNS, PATH
from asyncflow.net.replica import Replica


async def get(replica, path=PATH, **parameters):
    async with (
        aiohttp.ClientSession() as session,
        session.get(replica.url + path, params=parameters) as answer,
    ):
        return answer, await answer.text()


async def test_the_answer_has_the_service_s_envelope_and_hits():
    async with Replica("cfpb") as replica:
        answer, text = await get(replica)
    data = json.loads(text)
    assert answer.status == 200
    assert answer.content_type == "application/json"
    assert list(data) == ["took", "timed_out", "_shards", "hits", "aggregations", "_meta"]
    assert data["hits"]["total"] == {"value": 100, "relation": "eq"}
    assert len(data["hits"]["hits"]) == 10
    for hit in data["hits"]["hits"]:
        assert list(hit) == ["_index", "_type", "_id", "_score", "_source", "sort"]
        assert hit["_id"] == hit["_source"]["complaint_id"] == hit["sort"][1]


async def test_a_served_record_file_comes_back_in_the_envelope_that_it_came_in(answer_file):
    given = json.loads(answer_file.read_text(encoding="utf-8"))["hits"]["hits"]
    async with Replica("cfpb", records=answer_file) as replica:
        _, text = await get(replica, size="1000", no_aggs="true", sort="created_date_asc")
    answered = json.loads(text)["hits"]["hits"]
    assert sorted(h["_id"] for h in answered) == sorted(h["_id"] for h in given)
    sources = {hit["_id"]: hit["_source"] for hit in given}
    for hit in answered:
        assert hit["_source"] == sources[hit["_id"]]
        assert hit.keys() >= given[0].keys()


async def test_size_and_frm_move_through_the_hits():
    async with Replica("cfpb", count=25) as replica:
        pages = [json.loads((await get(replica, size="10", frm=str(frm)))[1]) for frm in (0, 10, 20, 30)]
    assert [len(page["hits"]["hits"]) for page in pages] == [10, 10, 5, 0]
    assert {page["hits"]["total"]["value"] for page in pages} == {25}
    assert len({hit["_id"] for page in pages for hit in page["hits"]["hits"]}) == 25


@pytest.mark.parametrize("parameters", [{"size": "many"}, {"size": "1001"}, {"frm": "-1"}, {"sort": "up"}])
async def test_a_bad_value_is_answered_with_400_and_its_name_in_json(parameters):
    async with Replica("cfpb") as replica:
        answer, text = await get(replica, **parameters)
    assert answer.status == 400
    assert answer.content_type == "application/json"
    assert list(json.loads(text)) == list(parameters)


async def test_a_csv_export_has_the_service_s_headings_and_every_hit():
    async with Replica("cfpb", count=15) as replica:
        answer, text = await get(replica, format="csv", sort="created_date_asc")
    rows = list(csv.reader(io.StringIO(text)))
    assert answer.content_type == "text/csv"
    assert rows[0] == list(CSV_COLUMNS.values())
    assert len(rows) == 16
    assert rows[1][0] == "01/03/22"
    assert [int(row[-1]) for row in rows[1:]] == sorted(int(row[-1]) for row in rows[1:])
    assert "None" not in text


async def test_a_json_export_is_the_bare_list_of_hits_and_honours_a_size():
    async with Replica("cfpb", count=15) as replica:
        answer, text = await get(replica, format="json")
        _, short = await get(replica, format="json", size="3")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert [hit["_source"]["complaint_id"] for hit in json.loads(text)] == [
        h["_id"] for h in json.loads(text)
    ]
    assert len(json.loads(text)) == 15
    assert json.loads(short) == json.loads(text)[:3]


@pytest.mark.parametrize(("path", "status"), [(PATH.rstrip("/"), 200), ("/", 404), ("/elsewhere", 404)])
async def test_only_the_api_s_path_is_served_with_or_without_its_last_slash(path, status):
    async with Replica("cfpb") as replica:
        answer, text = await get(replica, path=path)
    assert answer.status == status
    assert json.loads(text)
