"""The one Celery app that both processes use, and the hints that wake a worker.

A message is a hint that carries one id. The row in Postgres is the queue of record: a hint may be lost, late or doubled.
"""

import logging
import uuid
from collections.abc import Iterator
from itertools import groupby, islice
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import orjson
from celery import Celery, signals
from kombu.entity import Queue
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.settings import SettingError, Settings

QUEUES: Final = ("model", "tools", "code", "system")
ADVANCE: Final = "rondo.advance"
"""Task `advance(response_id)`, on the queue `model`."""
RUN_TOOL: Final = "rondo.run_tool"
"""Task `run_tool(tool_call_id)`, on the queue `tools` or `code`."""

logger = logging.getLogger(__name__)


def make_app(settings: Settings) -> Celery:
    """Build the app without connecting; raise SettingError if Celery cannot use the Redis URL."""
    _check(settings.redis_url)
    app = Celery("rondo", broker=settings.redis_url)
    app.rondo_settings = settings
    app.conf.update(
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue=QUEUES[0],
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        result_backend=None,
        task_publish_retry=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=4,
        broker_transport_options=_TRANSPORT,
        worker_pool="worker.pool:AsyncioPool",
        worker_consumer="worker.consumer:SafeConsumer",
        worker_concurrency=1000,
        # These three belong together: an early ack frees Celery's slot when the task starts, so that only a fetch limited
        # by what runs, with a pool that wakes the consumer at a task's end, keeps to the concurrency.
        task_acks_late=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,  # concerns late acks only; unset, Celery warns
        worker_enable_prefetch_count_reduction=False,
        worker_soft_shutdown_timeout=0,  # the pool drains by its own deadline
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    signals.setup_logging.connect(_keep_our_logging)
    return app


_CONNECTION: Final[dict[str, Any]] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "client_name": "rondo",
}
_TRANSPORT: Final[dict[str, Any]] = {
    **_CONNECTION,
    # Celery would note every message in Redis and strike it off again: two round trips for a hint that Postgres repeats.
    "ack_emulation": False,
    "priority_steps": [0],
    "max_retries": 0,  # of a publisher that connects; a worker's consumer has a patience of its own
}


def _check(redis_url: str) -> None:
    """Refuse what Celery's Redis transport cannot talk to, without repeating a URL that may hold a password."""
    url = urlsplit(redis_url)
    # The label "cluster" alone says nothing: every Kubernetes service ends in svc.cluster.local.
    if "cluster" in url.scheme or (url.hostname or "").startswith("clustercfg."):
        raise SettingError(
            "REDIS_URL names a Redis Cluster, which Celery cannot use: give a single node or a non-cluster endpoint."
        )
    if url.scheme not in {"redis", "rediss"}:
        raise SettingError(f"REDIS_URL must start with redis:// or rediss://, but starts with {url.scheme or 'no scheme'!r}.")


def _keep_our_logging(**_: object) -> None:
    """Be there: Celery sets up no logging of its own once this signal has a receiver. Its info is a line for every task."""
    logging.getLogger("celery").setLevel(logging.WARNING)


_RETRY: Final = 0.5
"""Seconds between two attempts to reach Redis while it is away."""


class _Hint(NamedTuple):
    task: str
    id: str
    queue: str


class Hints:
    """Publishes hints from one thread, so that no caller waits for Redis.

    What cannot be sent at once is dropped and counted: the caller's row in Postgres outlives it, and rescue sends again.
    """

    def __init__(self, app: Celery, *, room: int = 10_000) -> None:
        """Start the thread. `room` bounds how many hints may wait for it."""
        self.sent = 0
        self.dropped = 0
        self._redis = Redis.from_url(app.conf.broker_url, **_CONNECTION, retry=Retry(NoBackoff(), 1))
        self._room = room
        self._waiting: SimpleQueue[_Hint | None] = SimpleQueue()
        self._away = False
        self._closing = Event()
        self._thread = Thread(target=self._publish, name="hints", daemon=True)
        self._thread.start()

    def advance(self, response_id: str) -> None:
        """Hint that a response can be moved forward."""
        self._put(_Hint(ADVANCE, response_id, "model"))

    def run_tool(self, call_id: str, queue: str = "tools") -> None:
        """Hint that a tool call waits on `queue`."""
        self._put(_Hint(RUN_TOOL, call_id, queue))

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to send worked. It heals by itself: one hint is kept to try with."""
        return not self._away

    def close(self, *, within: float = 3.0) -> None:
        """Send what waits, for at most `within` seconds."""
        self._closing.set()
        self._waiting.put(None)
        self._thread.join(within)
        self._redis.close()

    def _put(self, hint: _Hint) -> None:
        if self._waiting.qsize() >= self._room:
            self.dropped += 1
        else:
            self._waiting.put(hint)

    def _publish(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first, *islice(self._at_hand(), 99)]
            try:
                self._send(batch)
            except Exception as failure:  # noqa: BLE001  # the thread's outermost frame: nobody is left to raise to
                self._lose(batch, failure)

    def _at_hand(self) -> Iterator[_Hint]:
        """Take what waits already, up to the end mark."""
        while True:
            try:
                hint = self._waiting.get_nowait()
            except Empty:
                return
            if hint is None:
                self._waiting.put(None)
                return
            yield hint

    def _send(self, batch: list[_Hint]) -> None:
        """Send hints in one round trip for each queue."""
        for name, hints in groupby(sorted(batch, key=_queue_of), key=_queue_of):
            self._redis.lpush(name, *map(_message, hints))
        self.sent += len(batch)
        self._away = False

    def _lose(self, batch: list[_Hint], failure: Exception) -> None:
        """Drop a batch except for one hint, which is there to find out when Redis is back; say so once per outage."""
        self.dropped += len(batch) - 1
        self._waiting.put(batch[-1])
        if not self._away:
            logger.warning("Hints are dropped until Redis is back; rescue will repeat them: %s", failure)
        self._away = True
        self._closing.wait(_RETRY)


def _queue_of(hint: _Hint) -> str:
    return hint.queue


def _message(hint: _Hint) -> bytes:
    """Write a message as Celery does, in its second protocol on kombu's Redis lists, with only what its worker reads.

    Its own publisher would cost the API an eighth more CPU for each response.
    """
    message_id = str(uuid.uuid4())
    envelope = {
        "body": orjson.dumps(((hint.id,), {}, {})).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": hint.task, "id": message_id, "root_id": message_id, "argsrepr": "", "kwargsrepr": ""},
        "properties": {
            "correlation_id": message_id,
            "delivery_tag": message_id,
            "delivery_info": {"exchange": "", "routing_key": hint.queue},
        },
    }
    return orjson.dumps(envelope)
