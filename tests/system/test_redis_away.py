"""Redis killed, flushed and back: it carries hints and copies only, so streams go on and nothing accepted is lost."""

from collections.abc import Iterator

import httpx2
import pytest
import redis

from tests import stores as real
from tests.stores import Stores
from tests.system.contract import event_of, frames
from tests.system.reading import create, created, delta, finished, read_until, text_of
from tests.system.running import Api, System, eventually, launched
from tests.worker.conftest import FlakyRedis

TEXT = "".join(f"{number} " for number in range(1, 61))
BODY = {"model": "demo/load", "input": "tokens=60 rate=30", "background": True}


@pytest.fixture(scope="module")
def flaky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlakyRedis]:
    server = FlakyRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def harmed(stores: Stores, flaky: FlakyRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system on a Redis that the tests harm."""
    home = tmp_path_factory.mktemp("harmed")
    with (
        real.database(stores.postgres, template=stores.template) as database_url,
        launched(database_url=database_url, redis_url=flaky.url, home=home) as system,
    ):
        yield system


@pytest.fixture(scope="module")
def door(harmed: System) -> Api:
    api = harmed.api()
    harmed.worker()
    return api


@pytest.fixture
def http(door: Api) -> Iterator[httpx2.Client]:
    """A client of a system that is ready."""
    with door.http() as plain:
        eventually(lambda: plain.get("/readyz").is_success)
        yield plain


def replay(http: httpx2.Client, response_id: str) -> list[bytes]:
    return frames(http.get(f"/v1/responses/{response_id}", params={"stream": "true"}).content)


def test_a_stream_goes_on_while_redis_is_killed_and_comes_back(http: httpx2.Client, flaky: FlakyRedis) -> None:
    with created(http, **BODY) as (response_id, reading):
        seen = read_until(reading, delta("10 "))
        flaky.kill()
        seen += read_until(reading, delta("30 "))
        flaky.start()
        seen += list(reading)
    assert seen == replay(http, response_id)[1:]
    assert text_of(event_of(seen[-1])["response"]) == TEXT


def test_a_stream_goes_on_after_flushall(http: httpx2.Client, flaky: FlakyRedis) -> None:
    with created(http, **BODY) as (response_id, reading):
        seen = read_until(reading, delta("10 "))
        with redis.Redis.from_url(flaky.url) as store:
            store.flushall()
        seen += list(reading)
    assert seen == replay(http, response_id)[1:]
    assert text_of(event_of(seen[-1])["response"]) == TEXT


def test_work_accepted_just_before_flushall_is_done(http: httpx2.Client, flaky: FlakyRedis) -> None:
    made = [create(http, model="demo/echo", input=str(number), background=True)["id"] for number in range(10)]
    with redis.Redis.from_url(flaky.url) as store:
        store.flushall()
    assert [text_of(finished(http, key)) for key in made] == [str(number) for number in range(10)]


def test_work_accepted_while_redis_is_away_is_done_when_it_is_back(http: httpx2.Client, flaky: FlakyRedis) -> None:
    flaky.kill()
    made = create(http, model="demo/echo", input="meanwhile", background=True)
    eventually(lambda: http.get("/readyz").status_code == 503)
    assert http.get("/readyz").json()["missing"] == ["redis: it cannot be reached"]
    flaky.start()
    assert text_of(finished(http, made["id"])) == "meanwhile"
    assert text_of(create(http, model="demo/echo", input="as before")) == "as before"


def test_a_response_can_be_cancelled_while_redis_is_away(http: httpx2.Client, flaky: FlakyRedis, harmed: System) -> None:
    made = create(http, model="demo/load", input="tokens=2000 rate=20", background=True)
    eventually(lambda: http.get(f"/v1/responses/{made['id']}").json()["status"] == "in_progress")
    flaky.kill()
    assert http.post(f"/v1/responses/{made['id']}/cancel").json()["status"] == "cancelled"
    eventually(lambda: harmed.rows("SELECT 1 FROM workers WHERE running = 0"), within=5)
    flaky.start()
