import aiohttp
import pytest

from asyncflow.net.replica import Replica


@pytest.fixture
async def call():
    async with Replica("posts") as replica, aiohttp.ClientSession(replica.url) as session:

        async def call(method, path, **options):
            async with session.request(method, path, **options) as answer:
                return answer, await answer.json()

        yield call


@pytest.mark.parametrize(
    ("path", "total", "first"),
    [
        ("/posts", 100, 1),
        ("/comments", 500, 1),
        ("/albums", 100, 1),
        ("/photos", 5000, 1),
        ("/todos", 200, 1),
        ("/users", 10, 1),
        ("/posts/2/comments", 5, 6),
        ("/albums/2/photos", 50, 51),
        ("/users/2/todos", 20, 21),
        ("/users/2/posts", 10, 11),
        ("/posts?userId=2", 10, 11),
        ("/comments?postId=1", 5, 1),
        ("/posts?_start=10&_end=12", 100, 11),
        ("/posts?_page=3&_limit=7", 100, 15),
        ("/posts?_sort=id&_order=desc", 100, 100),
        ("/posts/1/comments?_sort=id&_order=desc", 5, 5),
    ],
)
async def test_a_listing_begins_where_it_should_and_tells_its_total(call, path, total, first):
    answer, records = await call("GET", path)
    assert answer.status == 200
    assert answer.headers["X-Total-Count"] == str(total)
    assert records[0]["id"] == first


async def test_one_record_is_the_one_in_the_listing(call):
    _, posts = await call("GET", "/posts")
    answer, post = await call("GET", "/posts/7")
    assert (answer.status, post) == (200, posts[6])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", "/posts/101"),
        ("GET", "/posts/x"),
        ("GET", "/nothing/1"),
        ("GET", "/posts/1/nothing"),
        ("GET", "/todos/1/posts"),
        ("GET", "/a/b/c/d"),
        ("POST", "/nothing"),
        ("PUT", "/posts/101"),
        ("PATCH", "/posts/101"),
        ("DELETE", "/posts/101"),
        ("DELETE", "/posts"),
    ],
)
async def test_what_is_not_there_is_answered_with_404_and_an_empty_object(call, method, path):
    answer, data = await call(method, path)
    assert (answer.status, data) == (404, {})


async def test_making_a_post_gives_it_the_next_id_and_keeps_nothing(call):
    answer, made = await call("POST", "/posts", json={"title": "new", "userId": 1})
    assert answer.status == 201
    assert made == {"title": "new", "userId": 1, "id": 101}
    assert (await call("GET", "/posts/101"))[0].status == 404


async def test_a_form_makes_a_post_too(call):
    answer, made = await call("POST", "/posts", data={"title": "new"})
    assert (answer.status, made) == (201, {"title": "new", "id": 101})


async def test_put_replaces_patch_changes_and_delete_leaves_an_empty_object(call):
    _, old = await call("GET", "/posts/3")
    answer, put = await call("PUT", "/posts/3", json={"title": "t", "id": 9})
    assert (answer.status, put) == (200, {"title": "t", "id": 3})
    answer, patched = await call("PATCH", "/posts/3", json={"title": "t"})
    assert (answer.status, patched) == (200, {**old, "title": "t"})
    answer, gone = await call("DELETE", "/posts/3")
    assert (answer.status, gone) == (200, {})
    assert (await call("GET", "/posts/3"))[1] == old


@pytest.mark.parametrize("body", ["{", "[1]", "\xff"])
async def test_a_body_that_is_no_json_object_is_answered_with_400(call, body):
    answer, data = await call(
        "POST", "/posts", data=body.encode("latin-1"), headers={"Content-Type": "application/json"}
    )
    assert answer.status == 400
    assert data == {"error": "the body must be a JSON object"}


async def test_a_bad_listing_parameter_is_answered_with_400_and_its_name(call):
    answer, data = await call("GET", "/posts?_limit=x")
    assert answer.status == 400
    assert "_limit" in data["error"]
