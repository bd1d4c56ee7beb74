"""The schema's history, applied by `python -m api.admin migrate` and by `make run`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from shared.db import conninfo

_LOCK = 7_083_301
"""An advisory lock, so that several processes that start together migrate once."""


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = conninfo(database_url).replace("postgresql://", "postgresql+psycopg://", 1)
    return config


def head() -> str:
    """Return the newest revision that this code knows."""
    return ScriptDirectory.from_config(_config("postgresql://")).get_current_head() or ""


def upgrade(database_url: str) -> None:
    """Bring the database to the newest revision. Raises SettingError, or sqlalchemy's OperationalError if unreachable."""
    config = _config(database_url)
    engine = create_engine(config.attributes["url"], poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if MigrationContext.configure(connection).get_current_revision() != head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
