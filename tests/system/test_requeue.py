"""A dead letter that an operator queues again has been told as failed; its log must still tell one story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.contract import check_order, event_of, frames
from tests.system.reading import create, finished
from tests.system.running import System, eventually, launched


@pytest.fixture
def impatient(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[System]:
    """A system that gives a response up after one lost worker."""
    variables = {"RONDO_MAX_CLAIMS": "1"}
    with launched(database_url=database_url, redis_url=redis_url, home=tmp_path, **variables) as system:
        yield system


def test_the_log_of_a_requeued_response_has_one_terminal_event_at_its_end(impatient: System) -> None:
    with impatient.api().http() as http:
        made = create(http, model="demo/load", input="tokens=60 rate=40", background=True)
        poisoned = impatient.worker()
        eventually(lambda: http.get(f"/v1/responses/{made['id']}").json()["output"])
        poisoned.kill()
        impatient.worker()
        assert finished(http, made["id"])["error"]["code"] == "worker_lost"
        impatient.admin("requeue", made["id"])
        assert finished(http, made["id"])["status"] == "completed"
        replay = frames(http.get(f"/v1/responses/{made['id']}", params={"stream": "true"}).content)
    check_order([event_of(frame) for frame in replay])
    assert event_of(replay[-1])["type"] == "response.completed"
