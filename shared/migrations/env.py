"""Alembic's entry: it runs on the connection that `upgrade` opened, or on one of its own from the command line."""

import os
from typing import Literal

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from shared import tables  # noqa: F401  # fills the metadata
from shared.db import conninfo


def _render(kind: str, value: object, _: object) -> str | Literal[False]:
    return "sa.String()" if kind == "type" and isinstance(value, AutoString) else False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=SQLModel.metadata, compare_server_default=True, render_item=_render
    )
    with context.begin_transaction():
        context.run_migrations()


if (given := context.config.attributes.get("connection")) is not None:
    _run(given)
else:
    url = conninfo(os.environ["DATABASE_URL"]).replace("postgresql://", "postgresql+psycopg://", 1)
    with create_engine(url).connect() as own:
        _run(own)
