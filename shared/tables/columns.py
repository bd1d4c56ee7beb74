"""Columns that many tables have."""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


def json(*, nullable: bool = True) -> Any:
    """Hold any JSON value; None is NULL."""
    return Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=nullable))


def time(*, nullable: bool = True, now: bool = False) -> Any:
    """Hold an instant; `now` fills it when the row is made."""
    default = text("now()") if now else None
    return Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=nullable, server_default=default))


def number(default: int = 0) -> Any:
    """Hold a count."""
    return Field(default=default, sa_column=Column(BigInteger, nullable=False, server_default=str(default)))


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Bind a column to an enumeration."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")
