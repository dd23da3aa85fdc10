import asyncio
import json
import socket

import aiohttp
import pytest
from aiohttp import web_app

from asyncflow.errors import NotFound, UsageError
from asyncflow.net.cfpb import PATH
from asyncflow.net.replica import Replica, serve


async def test_a_replica_listens_on_a_port_of_the_system_s_choice_and_counts_requests():
    async with Replica("posts") as replica, aiohttp.ClientSession() as session:
        assert replica.url == f"http://127.0.0.1:{replica.port}"
        assert replica.port > 0
        for _ in range(3):
            async with session.get(f"{replica.url}/posts/1") as answer:
                assert answer.status == 200
        assert replica.requests == 3


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(NotFound, match=r"no replica 'post'; there are cfpb, posts. Did you mean 'posts'\?"):
        Replica("post")


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"port": 65536}, "port 65536"), ({"port": -1}, "port -1"), ({"count": -1}, "count=-1")],
)
def test_a_setting_out_of_range_is_refused(options, reason):
    with pytest.raises(UsageError, match=reason):
        Replica("posts", **options)


async def test_a_taken_port_is_named_with_the_way_out():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} on 127.0.0.1 is already in use.*--port 0"):
            async with Replica("posts", port=port):
                pass


async def test_an_address_that_is_not_this_machine_s_is_refused_with_the_reason():
    with pytest.raises(UsageError, match=r"can't listen on 203\.0\.113\.7, port 0"):
        async with Replica("posts", host="203.0.113.7"):
            pass


async def test_entering_twice_is_refused_and_entering_again_starts_afresh():
    replica = Replica("posts")
    async with replica, aiohttp.ClientSession() as session:
        await (await session.get(replica.url)).read()
        assert replica.requests == 1
        with pytest.raises(UsageError, match="running already"):
            await replica.__aenter__()
    async with replica:
        assert replica.requests == 0


async def test_a_replica_that_was_left_listens_no_more():
    async with Replica("posts") as replica:
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", replica.port)


async def answered(replica, path):
    async with replica, aiohttp.ClientSession() as session, session.get(replica.url + path) as answer:
        return await answer.json()


async def test_the_seed_decides_the_records():
    path = f"{PATH}?size=3"
    seven = await answered(Replica("cfpb", seed=7), path)
    assert await answered(Replica("cfpb", seed=7), path) == seven
    assert await answered(Replica("cfpb", seed=8), path) != seven


@pytest.mark.parametrize(("count", "total"), [(None, 100), (0, 0), (3, 3), (250, 250)])
async def test_the_count_decides_how_many_records_there_are(count, total):
    data = await answered(Replica("cfpb", count=count), PATH)
    assert data["hits"]["total"]["value"] == total
    assert len(await answered(Replica("posts", count=count), "/posts")) == total


async def test_records_come_from_a_file_and_the_count_takes_the_first_of_them(tmp_path):
    path = tmp_path / "posts.json"
    path.write_text(
        json.dumps({"posts": [{"id": n} for n in range(1, 5)], "tags": [{"id": "a"}]}), encoding="utf-8"
    )
    assert await answered(Replica("posts", records=path), "/posts/4") == {"id": 4}
    assert await answered(Replica("posts", records=path, count=2), "/posts") == [{"id": 1}, {"id": 2}]
    assert await answered(Replica("posts", records=path), "/tags/a") == {"id": "a"}


async def test_a_broken_file_is_told_on_entering_with_its_line(tmp_path):
    path = tmp_path / "records.json"
    path.write_text("[\n5]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"records\.json:2: \[0\] must be an object"):
        async with Replica("cfpb", records=path):
            pass


async def test_a_replica_on_ipv6_has_its_address_in_brackets():
    assert Replica("posts", host="::1", port=80).url == "http://[::1]:80"


async def test_serving_tells_when_it_listens_and_runs_until_it_is_cancelled():
    started = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve(Replica("posts"), started=started.set_result))
        replica = await started
        async with aiohttp.ClientSession() as session, session.get(f"{replica.url}/users") as answer:
            assert len(await answer.json()) == 10
        assert not serving.done()
        serving.cancel()
    assert serving.cancelled()


async def test_a_client_that_does_not_read_does_not_delay_the_end_for_long(virtual_clock):
    async with Replica("posts") as replica:
        _, deaf = await asyncio.open_connection("127.0.0.1", replica.port, limit=1024)
        deaf.write(b"GET /photos HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        await asyncio.sleep(60)
        started = virtual_clock.now
    assert 0 < virtual_clock.now - started < 3
    deaf.close()


async def test_a_replica_that_is_over_is_not_kept_by_aiohttp() -> None:
    replica = Replica("posts")
    async with replica, aiohttp.ClientSession() as session, session.get(f"{replica.url}/posts/1") as answer:
        assert answer.status == 200
    assert web_app._cached_build_middleware.cache_info().currsize == 0
