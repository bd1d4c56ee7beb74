"""Which Redis URLs the queue accepts, and what a message carries."""

import pytest

from shared import queue
from shared.settings import SettingError, Settings


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379",
        "127.0.0.1:6379",
        "redis+cluster://127.0.0.1:6379",
        "redis://clustercfg.cache.example.amazonaws.com:6379",
    ],
)
def test_a_url_that_celery_cannot_use_is_refused_with_one_sentence(url: str) -> None:
    with pytest.raises(SettingError, match=r"^REDIS_URL [^\n]+\.$"):
        queue.make_app(Settings(redis_url=url))


@pytest.mark.parametrize("url", ["redis://redis.default.svc.cluster.local:6379/0", "rediss://:secret@redis.example:6380"])
def test_a_single_node_is_accepted_whatever_its_domain_is_called(url: str) -> None:
    assert queue.make_app(Settings(redis_url=url)).conf.broker_url == url


def test_a_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(SettingError) as refusal:
        queue.make_app(Settings(redis_url="amqp://user:hunter2@broker"))
    assert "hunter2" not in str(refusal.value)
