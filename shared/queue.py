"""The one Celery app that both processes use, and the hints that wake a worker.

A message is a hint that carries one id. The row in Postgres is the queue of record: a hint may be lost, late or doubled.
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from celery import Celery, signals
from kombu.entity import Queue
from kombu.messaging import Producer

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


_TRANSPORT: Final[dict[str, Any]] = {
    # Celery would note every message in Redis and strike it off again: two round trips for a hint that Postgres repeats.
    "ack_emulation": False,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "priority_steps": [0],
    "client_name": "rondo",
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
        self._app = app
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
        """Send hints in one round trip: a pipeline costs a fifth per hint when there are many, and half more for one alone."""
        with self._app.producer_or_acquire() as producer, producer.batch() if len(batch) > 1 else nullcontext():
            for hint in batch:
                _publish_one(producer, hint)
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


def _publish_one(producer: Producer, hint: _Hint) -> None:
    """Publish a message of Celery's second protocol, with only the headers that its worker reads."""
    task_id = str(uuid.uuid4())
    producer.publish(  # type: ignore[no-untyped-call]
        ((hint.id,), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}),
        exchange="",  # the default exchange knows every queue by its name, even after a flush of Redis
        routing_key=hint.queue,
        serializer="json",
        headers={
            "lang": "py",
            "task": hint.task,
            "id": task_id,
            "root_id": task_id,
            "argsrepr": "",
            "kwargsrepr": "",
            "retries": 0,
        },
        correlation_id=task_id,
    )
