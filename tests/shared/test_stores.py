"""The stores that tests run on: each test has its own, and they are real."""

import psycopg
import redis


def test_a_database_is_migrated_and_a_tests_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        connection.execute("CREATE TABLE mine ()")
    assert tables is not None
    assert tables[0] > 5


def test_another_test_does_not_see_what_the_first_made(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        mine = connection.execute("SELECT to_regclass('mine')").fetchone()
    assert mine == (None,)


def test_redis_is_empty_and_speaks(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", "value")
        assert client.get("key") == b"value"
