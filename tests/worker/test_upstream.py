"""What we override or bypass in Celery and kombu is what was read when the override was written."""

import hashlib
import inspect

import pytest
from celery.concurrency.base import BasePool
from celery.worker.consumer import Consumer
from celery.worker.consumer.tasks import Tasks
from celery.worker.request import create_request_cls
from kombu.asynchronous import Hub
from kombu.connection import Connection

READ = {
    "Consumer.__init__": (Consumer.__init__, "c27ca6ec2d4bbfe4"),
    "Consumer.on_connection_error_after_connected": (Consumer.on_connection_error_after_connected, "4f84dbfff329d28f"),
    "Consumer.ensure_connected": (Consumer.ensure_connected, "3f79cf3bb6d6da8c"),
    "Connection.ensure_connection": (Connection.ensure_connection, "6eadd030fa740ae6"),
    "Tasks.start": (Tasks.start, "e0165bf1d620fb60"),
    "create_request_cls": (create_request_cls, "871f30fe1cfee4bf"),
    "BasePool": (BasePool, "37bc2b310c4fffe2"),
    "Hub.call_soon": (Hub.call_soon, "ec0433083ce8db41"),
}


@pytest.mark.parametrize("name", READ)
def test_upstream_code_that_ours_replaces_or_relies_on_is_unchanged(name: str) -> None:
    code, digest = READ[name]
    assert hashlib.sha256(inspect.getsource(code).encode()).hexdigest()[:16] == digest, (
        f"{name} has changed: read it again, see whether what we override still fits, then renew its digest."
    )
