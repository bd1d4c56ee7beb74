"""A Rondo whose providers fail as tests want it: many names of one far side, as one that fails too often is left alone."""

from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from tests import stores as real
from tests.stores import RedisDatabases, Stores
from tests.system.router import upstream as far
from tests.system.router.upstream import Upstream
from tests.system.running import KEY, Api, System, launched

NAMES = (
    *("first", "second", "third", "retried", "unlisted", "picky", "tardy", "limited", "nonsense", "keyed", "cut"),
    *(f"cut{number}" for number in range(7)),
)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """The far side."""
    with far.serving() as serving:
        yield serving


@pytest.fixture(scope="session")
def router_system(
    stores: Stores, redis_databases: RedisDatabases, tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> Iterator[System]:
    """An API process and a worker."""
    home = tmp_path_factory.mktemp("router")
    variables = {f"RONDO_PROVIDER_{name.upper()}_BASE_URL": upstream.url for name in NAMES}
    variables["RONDO_PROVIDER_KEYED_API_KEY"] = "key-a,key-b"
    with (
        real.database(stores.postgres, template=stores.template) as database_url,
        redis_databases.one() as redis_url,
        launched(database_url=database_url, redis_url=redis_url, home=home, **variables) as system,
    ):
        system.api()
        system.worker()
        yield system


@pytest.fixture
def router_api(router_system: System) -> Api:
    """The API process."""
    (api,) = (each for each in router_system.processes if isinstance(each, Api))
    return api


@pytest.fixture
def sdk(router_api: Api) -> Iterator[OpenAI]:
    """OpenAI's client with nothing changed but its address."""
    with OpenAI(api_key=KEY, base_url=f"{router_api.url}/v3/router", max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def plain(router_api: Api) -> Iterator[httpx2.Client]:
    """A plain client of the same."""
    with httpx2.Client(
        base_url=f"{router_api.url}/v3/router", headers={"authorization": f"Bearer {KEY}"}, timeout=30
    ) as client:
        yield client
