from random import Random

import pytest

from asyncflow.net.post_records import post_collections

FIELDS = {
    "posts": {"userId": int, "id": int, "title": str, "body": str},
    "comments": {"postId": int, "id": int, "name": str, "email": str, "body": str},
    "albums": {"userId": int, "id": int, "title": str},
    "photos": {"albumId": int, "id": int, "title": str, "url": str, "thumbnailUrl": str},
    "todos": {"userId": int, "id": int, "title": str, "completed": bool},
    "users": {
        "id": int,
        "name": str,
        "username": str,
        "email": str,
        "address": dict,
        "phone": str,
        "website": str,
        "company": dict,
    },
}


@pytest.fixture(scope="module")
def made():
    return post_collections(Random(7))


def test_the_collections_are_as_large_as_the_original_s(made):
    assert {name: len(records) for name, records in made.items()} == {
        "posts": 100,
        "comments": 500,
        "albums": 100,
        "photos": 5000,
        "todos": 200,
        "users": 10,
    }


@pytest.mark.parametrize("name", FIELDS)
def test_the_records_of_a_collection_have_the_original_s_fields_and_ids_from_1(made, name):
    for record in made[name]:
        assert {key: type(value) for key, value in record.items()} == FIELDS[name]
    assert [record["id"] for record in made[name]] == list(range(1, len(made[name]) + 1))


def test_a_user_has_an_address_with_coordinates_as_text_and_a_company(made):
    for user in made["users"]:
        assert user["address"].keys() == {"street", "suite", "city", "zipcode", "geo"}
        assert -90 <= float(user["address"]["geo"]["lat"]) <= 90
        assert -180 <= float(user["address"]["geo"]["lng"]) <= 180
        assert user["company"].keys() == {"name", "catchPhrase", "bs"}
        assert user["email"].endswith(".example")


@pytest.mark.parametrize("posts", [0, 1, 10, 11, 25])
def test_every_record_points_at_an_owner_that_exists_whatever_the_number_of_posts(posts):
    made = post_collections(Random(7), posts)
    owners = {name: {record["id"] for record in made[name]} for name in made}
    assert len(made["posts"]) == posts
    assert {post["userId"] for post in made["posts"]} <= owners["users"]
    assert {comment["postId"] for comment in made["comments"]} == owners["posts"]
    assert {photo["albumId"] for photo in made["photos"]} == owners["albums"]
    assert {todo["userId"] for todo in made["todos"]} == owners["users"]


def test_the_same_seed_makes_the_same_collections(made):
    assert post_collections(Random(7)) == made
    assert post_collections(Random(8)) != made
