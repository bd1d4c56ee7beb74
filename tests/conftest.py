"""Fixtures for every test. Nothing is started for a test that asks for nothing."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pytest

from tests import stores as real
from tests.stores import Stores

_OPEN = pytest.StashKey[ExitStack]()
_RUNNING = pytest.StashKey[Stores]()


def _stores(config: pytest.Config) -> Stores:
    """Start the stores on first use; a worker of a distributed run gets its controller's."""
    if (given := getattr(config, "workerinput", {}).get("stores")) is not None:
        return Stores(**given)
    if _RUNNING not in config.stash:
        stack = config.stash.setdefault(_OPEN, ExitStack())
        config.stash[_RUNNING] = stack.enter_context(real.running())
    return config.stash[_RUNNING]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of a distributed run the stores. They are children of the controller, so that they outlive any worker."""
    node.workerinput["stores"] = asdict(_stores(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    if _OPEN in config.stash:
        config.stash[_OPEN].close()


@pytest.fixture(scope="session")
def stores(pytestconfig: pytest.Config) -> Stores:
    """The run's PostgreSQL and Valkey. Most tests want `database_url` and `redis_url` instead."""
    return _stores(pytestconfig)


@pytest.fixture
def database_url(stores: Stores) -> Iterator[str]:
    """A migrated database of the test's own, dropped afterwards."""
    with real.database(stores.postgres, template=stores.template) as url:
        yield url


@pytest.fixture
def redis_url(stores: Stores) -> Iterator[str]:
    """An empty Redis database that no other test uses at the same time."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    with real.redis_database(stores.redis, int(worker) + 1) as url:
        yield url
