"""A Rondo that is watched: its spans go to a collector, and both processes serve their numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests import collector as far
from tests import stores as real
from tests.collector import Collector
from tests.stores import RedisDatabases, Stores
from tests.system.router import upstream
from tests.system.running import Api, System, free_port, launched


@dataclass(frozen=True)
class Watched:
    """The system, its API, and where its numbers are."""

    system: System
    api: Api
    collector: Collector
    numbers: dict[str, str]
    """The addresses of `/metrics`, of `api` and `worker`."""


@pytest.fixture(scope="session")
def watched(stores: Stores, redis_databases: RedisDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """An API process and a worker."""
    ports = {"api": free_port(), "worker": free_port()}
    with (
        far.collecting() as collector,
        upstream.serving() as provider,
        real.database(stores.postgres, template=stores.template) as database_url,
        redis_databases.one() as redis_url,
        launched(
            database_url=database_url,
            redis_url=redis_url,
            home=tmp_path_factory.mktemp("watched"),
            RONDO_METRICS_PORT=str(ports["api"]),
            RONDO_PROVIDER_FIRST_BASE_URL=provider.url,
            RONDO_PROVIDER_SECOND_BASE_URL=provider.url,
            **collector.env,
        ) as system,
    ):
        api = system.api()
        system.worker(RONDO_METRICS_PORT=str(ports["worker"]))
        numbers = {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}
        yield Watched(system, api, collector, numbers)


@pytest.fixture
def http(watched: Watched) -> Iterator[httpx2.Client]:
    """A plain client."""
    with watched.api.http() as plain:
        yield plain
