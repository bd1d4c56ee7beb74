"""The containers' health checks: a worker is well while its heartbeats arrive, or nobody can tell."""

import socket

import psycopg

from deploy import health
from shared.settings import Settings

BEAT = "INSERT INTO workers (id, host, pid, heartbeat_at) VALUES ('w1', %s, 1, now() - make_interval(secs => %s))"


def beat(database_url: str, *, host: str, seconds_ago: int) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(BEAT, (host, seconds_ago))


def test_a_worker_with_a_fresh_heartbeat_is_well(database_url: str) -> None:
    beat(database_url, host=socket.gethostname(), seconds_ago=5)
    assert health.worker_complaint(Settings(database_url=database_url)) is None


def test_a_worker_whose_heartbeat_is_old_is_not(database_url: str) -> None:
    beat(database_url, host=socket.gethostname(), seconds_ago=60)
    assert (
        health.worker_complaint(Settings(database_url=database_url)) == "the worker's last heartbeat is older than 30 seconds."
    )


def test_another_hosts_heartbeat_does_not_count(database_url: str) -> None:
    beat(database_url, host="elsewhere", seconds_ago=1)
    assert health.worker_complaint(Settings(database_url=database_url)) is not None


def test_no_worker_is_started_again_because_the_database_is_away() -> None:
    assert health.worker_complaint(Settings(database_url="postgresql://127.0.0.1:1/none")) is None


def test_an_api_that_does_not_answer_is_not_well() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        complaint = health.main(["api"], {"PORT": str(silent.getsockname()[1])})
    assert complaint is not None
    assert complaint.startswith("the API does not answer")
