"""Celery's consumer, made to outlive Redis: three overrides of methods that a test pins to the version they were read in."""

import logging
from functools import partial
from typing import Any

from celery.worker.consumer import Consumer
from kombu.connection import Connection

logger = logging.getLogger(__name__)

_ALONE = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
"""Workers know each other by their leases in Postgres; mingling over Redis costs a second at start and traffic after it."""


class SafeConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """A consumer that survives a Redis outage with tasks in flight, and is back soon after it."""

    def __init__(self, *args: Any, worker_options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Leave out the steps by which Celery's workers watch each other, however the worker was started."""
        super().__init__(*args, worker_options={**(worker_options or {}), **_ALONE}, **kwargs)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Tear the lost connection down; an error in that would end the process, for a connection that is gone anyway."""
        try:
            super().on_connection_error_after_connected(exc)
        except Exception as failure:  # noqa: BLE001  # kombu fails in ways of its own here, an AttributeError among them
            logger.warning("The lost connection to Redis could not be closed cleanly: %r", failure)
            self.connection = None

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, trying again every 0.2 to 2 seconds instead of ever more rarely, up to every 30."""
        patient = partial(conn.ensure_connection, interval_start=0.2, interval_step=0.3, interval_max=2)
        conn.ensure_connection = patient  # type: ignore[method-assign]
        connected: Connection = super().ensure_connected(conn)
        return connected
