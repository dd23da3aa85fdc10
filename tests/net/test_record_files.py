import json

import pytest

from asyncflow.errors import UsageError
from asyncflow.net.record_files import load_collections, load_complaints

GOOD = {"complaint_id": "1", "date_received": "2024-05-17T12:00:00-05:00", "company": None}


def written(tmp_path, content):
    path = tmp_path / "records.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_complaints_come_out_of_an_answer_of_the_service_unchanged(answer_file):
    hits = json.loads(answer_file.read_text(encoding="utf-8"))["hits"]["hits"]
    assert load_complaints(answer_file) == [hit["_source"] for hit in hits]


@pytest.mark.parametrize(
    "content",
    [[GOOD], [{"_id": "1", "_source": GOOD}], {"hits": {"hits": [{"_source": GOOD}]}}],
    ids=["bare records", "hits", "whole answer"],
)
def test_complaints_come_as_bare_records_as_hits_or_as_a_whole_answer(tmp_path, content):
    assert load_complaints(written(tmp_path, content)) == [GOOD]


def test_a_byte_order_mark_is_no_obstacle(tmp_path):
    path = tmp_path / "records.json"
    path.write_text(json.dumps([GOOD]), encoding="utf-8-sig")
    assert load_complaints(path) == [GOOD]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ('[\n {"a": 1,\n  x}\n]', 3, "not valid JSON"),
        ("", 1, "not valid JSON"),
        ("\n\n7", 3, "the file must be an answer of the complaint API"),
        ('{"took": 1, "hits":\n {"hits": 3}}', 1, "the file must be an answer"),
        ("[\n\n  5\n]", 3, "[0] must be an object, not 5"),
        ('[\n {"company": "A"}\n]', 2, "[0] has no 'complaint_id'"),
        ('[\n {"complaint_id": 12}]', 2, "[0].complaint_id must be text, not 12"),
        (
            '{"took": 1,\n"hits": {"total": {"value": 2},\n"hits": [\n'
            '{"_id": "1", "_source": {"complaint_id": "1", "date_received": "2024-05-17T12:00:00-05:00"}},\n'
            '{"_id": "2", "_source":\n{"complaint_id": "2",\n"date_received": "yesterday"}}]}}',
            7,
            "hits.hits[1]._source.date_received must be an ISO time",
        ),
        (
            '[{"complaint_id": "1", "date_received": "2024-05-17T12:00:00-05:00",\n"state": ["TX"]}]',
            2,
            "[0].state must be text or null, not a list",
        ),
        ('[{"complaint_id": "1",\n"date_received": "2024-05-17"}]', 2, "with an offset"),
        ('[{"complaint_id":\n\n{}}]', 3, "must be text, not an object"),
    ],
)
def test_a_broken_complaint_file_is_told_with_file_line_and_reason(tmp_path, content, line, reason):
    path = written(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        load_complaints(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert reason in str(caught.value)


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path):
    path = tmp_path / "records.json"
    path.write_bytes(b'[\n"\xff"]')
    with pytest.raises(UsageError, match=r"records\.json:2: not UTF-8"):
        load_complaints(path)


def test_a_file_that_is_not_there_is_told_with_its_name(tmp_path):
    with pytest.raises(UsageError, match=r"absent\.json: can't be read: No such file"):
        load_complaints(tmp_path / "absent.json")


def test_collections_come_as_an_object_of_lists_or_as_a_list_of_posts(tmp_path):
    posts = [{"id": 1, "title": "a"}]
    assert load_collections(written(tmp_path, posts)) == {"posts": posts}
    assert load_collections(written(tmp_path, {"posts": posts, "tags": []})) == {"posts": posts, "tags": []}


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("{}", 1, "the file must be a list of posts, or an object"),
        ('{"posts":\n 3}', 2, "posts must be a list, not 3"),
        ('{"posts": [{"id": 1},\n"x"]}', 2, 'posts[1] must be an object, not "x"'),
        ('{"posts": [],\n"tags": [\n{"name": "a"}]}', 3, "tags[0] has no 'id'"),
    ],
)
def test_a_broken_collection_file_is_told_with_file_line_and_reason(tmp_path, content, line, reason):
    path = written(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        load_collections(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert reason in str(caught.value)
