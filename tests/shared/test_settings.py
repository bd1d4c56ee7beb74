"""Settings come from the environment, each as its own type, or with one clear sentence."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from shared import db
from shared.settings import SettingError, Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_a_blank_variable_is_no_value() -> None:
    assert Settings.from_env({"RONDO_LEASE": "  ", "DATABASE_URL": ""}) == Settings()


def test_every_field_is_read_as_its_type() -> None:
    texts: dict[type, str] = {int: "7", float: "2.5", str: "text", bool: "true", Path: "/a/b", tuple: "a, b"}
    values: dict[type, object] = {int: 7, float: 2.5, str: "text", bool: True, Path: Path("/a/b"), tuple: ("a", "b")}
    for field in fields(Settings):
        kind = Path if field.default is None else type(field.default)
        variable = field.name.upper() if field.name in {"database_url", "redis_url"} else f"RONDO_{field.name.upper()}"
        assert getattr(Settings.from_env({variable: texts[kind]}), field.name) == values[kind], field.name


@pytest.mark.parametrize(
    ("variable", "raw", "sentence"),
    [
        ("RONDO_MAX_CLAIMS", "three", "RONDO_MAX_CLAIMS must be a whole number, but is 'three'."),
        ("RONDO_MAX_CLAIMS", "2.5", "RONDO_MAX_CLAIMS must be a whole number, but is '2.5'."),
        ("RONDO_LEASE", "long", "RONDO_LEASE must be a number, but is 'long'."),
        ("RONDO_TRACE_CONTENT", "perhaps", "RONDO_TRACE_CONTENT must be true or false, but is 'perhaps'."),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_one_sentence(variable: str, raw: str, sentence: str) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.from_env({variable: raw})
    assert str(refused.value) == sentence


@pytest.mark.parametrize("raw", ["nan", "inf", "-1"])
def test_a_duration_is_finite_and_not_negative(raw: str) -> None:
    with pytest.raises(SettingError):
        Settings.from_env({"RONDO_LEASE": raw})


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().lease = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_usual_name_of_postgres_is_taken(scheme: str) -> None:
    assert db.conninfo(f"{scheme}://u:p@h:1/d?sslmode=require") == "postgresql://u:p@h:1/d?sslmode=require"


def test_another_database_is_refused_without_repeating_a_password() -> None:
    with pytest.raises(SettingError) as refused:
        db.conninfo("mysql://user:secret@host/db")
    assert "mysql" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_encryption_keys_do_not_show() -> None:
    assert "geheim" not in repr(Settings(encryption_keys="geheim"))
