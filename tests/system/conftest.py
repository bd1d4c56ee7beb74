"""A running Rondo for the tests of a session, and clients of it."""

import os
from collections.abc import Generator, Iterator

import httpx2
import pytest
from openai import OpenAI

from tests import stores as real
from tests.stores import RedisDatabases, Stores
from tests.system import outside
from tests.system.outside import Outside
from tests.system.running import RUNNING, Api, Process, System, launched


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the processes' logs beside a failure."""
    report = yield
    if report.failed:
        report.sections.extend(("logs", system.log_tails()) for system in RUNNING)
    return report


@pytest.fixture(scope="session")
def redis_databases(stores: Stores) -> RedisDatabases:
    """Redis databases for the systems of this test process; those below 16 are for single tests."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = 48 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return RedisDatabases(stores.redis, range(16 + worker * share, 16 + (worker + 1) * share))


@pytest.fixture(scope="session")
def shared_system(
    stores: Stores, redis_databases: RedisDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """One Rondo for all tests that break nothing: one API process and one worker."""
    home = tmp_path_factory.mktemp("system")
    with (
        real.database(stores.postgres, template=stores.template) as database_url,
        redis_databases.one() as redis_url,
        launched(database_url=database_url, redis_url=redis_url, home=home) as system,
    ):
        yield system


@pytest.fixture(scope="session")
def api(shared_system: System) -> Api:
    """The API process."""
    return shared_system.api()


@pytest.fixture(scope="session")
def worker(shared_system: System) -> Process:
    """The worker process, which no test may harm."""
    return shared_system.worker()


@pytest.fixture
def system(shared_system: System, api: Api, worker: Process) -> Iterator[System]:
    """The shared system, running; whatever its clients saw during the test was as the contract has it."""
    yield shared_system
    shared_system.contract.settle()


@pytest.fixture(scope="session")
def idle_system(stores: Stores, redis_databases: RedisDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Another Rondo, an API process without a worker, for tests that start and kill workers of their own."""
    with (
        real.database(stores.postgres, template=stores.template) as database_url,
        redis_databases.one() as redis_url,
        launched(database_url=database_url, redis_url=redis_url, home=tmp_path_factory.mktemp("idle")) as system,
    ):
        system.api()
        yield system


@pytest.fixture
def workerless(idle_system: System) -> Iterator[System]:
    """A system on which no worker runs until the test starts one; afterwards they are killed and forgotten."""
    yield idle_system
    for each in idle_system.processes[1:]:
        each.kill()
    del idle_system.processes[1:]
    idle_system.rows("DELETE FROM workers RETURNING id")
    idle_system.rows("UPDATE responses SET phase = 'done' WHERE phase <> 'done' RETURNING id")
    idle_system.contract.settle()


@pytest.fixture
def idle_http(workerless: System) -> Iterator[httpx2.Client]:
    """A plain client of that system."""
    (door,) = (each for each in workerless.processes if isinstance(each, Api))
    with door.http() as plain:
        yield plain


@pytest.fixture
def client(system: System, api: Api) -> Iterator[OpenAI]:
    """OpenAI's client."""
    with api.sdk() as sdk:
        yield sdk


@pytest.fixture
def http(system: System, api: Api) -> Iterator[httpx2.Client]:
    """A plain client, for what the SDK hides."""
    with api.http() as plain:
        yield plain


@pytest.fixture(scope="session")
def second_api(shared_system: System) -> Api:
    """Another API process of the same system."""
    return shared_system.api()


@pytest.fixture(scope="session")
def foreign_key(shared_system: System) -> str:
    """A key of another project."""
    return shared_system.new_key("other")


@pytest.fixture(scope="session")
def world() -> Iterator[Outside]:
    """What is outside of the next system: a provider by the name of `openai`, whose models tests script, and HTTP tools."""
    with outside.serving() as far:
        yield far


@pytest.fixture(scope="session")
def scripted_api(
    stores: Stores, redis_databases: RedisDatabases, tmp_path_factory: pytest.TempPathFactory, world: Outside
) -> Iterator[Api]:
    """The API process of a Rondo with a worker, whose provider follows scripts."""
    home = tmp_path_factory.mktemp("scripted")
    lines = ("[providers.openai]", 'wire = "openai-chat"', f'base_url = "{world.url}/v1"', 'api_key_env = "MOCK_KEY"')
    providers = home / "providers.toml"
    providers.write_text("\n".join(lines), encoding="utf-8")
    variables = {"RONDO_PROVIDERS_FILE": str(providers), "MOCK_KEY": "mock"}
    with (
        real.database(stores.postgres, template=stores.template) as database_url,
        redis_databases.one() as redis_url,
        launched(database_url=database_url, redis_url=redis_url, home=home, **variables) as system,
    ):
        api = system.api()
        system.worker()
        yield api


@pytest.fixture(scope="session")
def scripted_system(scripted_api: Api) -> System:
    """That Rondo."""
    (system,) = (each for each in RUNNING if scripted_api in each.processes)
    return system


@pytest.fixture
def scripted(scripted_api: Api, scripted_system: System) -> Iterator[httpx2.Client]:
    """A plain client of that Rondo; whatever it saw was as the contract has it."""
    with scripted_api.http() as plain:
        yield plain
    scripted_system.contract.settle()
