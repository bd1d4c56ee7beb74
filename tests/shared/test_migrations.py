"""The schema's history leads exactly to the tables that the code describes."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from shared import migrations, tables
from tests import stores as real
from tests.stores import Stores


def schema(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            """SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
                WHERE table_schema = 'public' ORDER BY 1, 2"""
        ).fetchall()


def test_the_migrations_make_what_the_tables_say(database_url: str) -> None:
    assert tables.responses.Response.__tablename__ in SQLModel.metadata.tables
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = schema(database_url)
    migrations.upgrade(database_url)
    assert schema(database_url) == before


def test_processes_that_start_together_migrate_once(stores: Stores) -> None:
    with real.database(stores.postgres) as empty, ThreadPoolExecutor() as threads:
        for migrated in [threads.submit(migrations.upgrade, empty) for _ in range(3)]:
            migrated.result()
        with psycopg.connect(empty) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrations.HEAD,)]


def test_a_migration_that_cannot_run_leaves_no_trace(stores: Stores) -> None:
    with real.database(stores.postgres) as half:
        with psycopg.connect(half, autocommit=True) as connection:
            connection.execute("CREATE TABLE responses ()")
        before = schema(half)
        with pytest.raises(Exception, match="responses"):
            migrations.upgrade(half)
        assert schema(half) == before


@pytest.mark.parametrize(("table", "column"), [("responses", "status"), ("responses", "phase"), ("tool_calls", "status")])
def test_the_database_refuses_a_state_that_is_not_in_the_table(database_url: str, table: str, column: str) -> None:
    with psycopg.connect(database_url) as connection:
        checks = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", (table,)
        ).fetchall()
    assert any(f"({column})" in check[0] or f"(({column})" in check[0] for check in checks)


def test_the_newest_revision_is_the_one_that_readiness_asks_for() -> None:
    assert ScriptDirectory.from_config(migrations.config("postgresql://")).get_heads() == [migrations.HEAD]
