"""A body that writes a definition: its members, what it says about the version, and those members that only answers have."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import orjson
from fastapi import Request

from api.body import read_body
from api.create import check
from api.create.check import Check
from api.create.request import object_of
from api.definitions import sealing, semver
from shared.errors import Conflict, InvalidRequest
from shared.items import Json

MAX_BODY: Final = 4 * 1024 * 1024
MAX_CONTENT: Final = 1024 * 1024
"""Bytes of a definition as JSON."""

READ_ONLY: Final = frozenset(
    {
        *("_id", "id", "object", "project_id", "workspace_id", "created", "updated", "created_at", "updated_at", "status"),
        *("type", "version", "version_created_at", "latest_version", "environments", "metrics", "source"),
        *("created_by_id", "updated_by_id", "product"),
    }
)
"""Members of answers that are left alone in bodies, so that what was read can be written back."""

_VERSIONING: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("versionIncrement", "version_increment"), partial(check.choice, allowed=semver.INCREMENTS)),
    **dict.fromkeys(("versionDescription", "version_description"), partial(check.string, most=300)),
}


class KeyTaken(Conflict):
    """The key is taken."""


class VersionChanged(InvalidRequest):
    """The definition has a newer version than the one that If-Match names."""

    status_code = 412
    code = "version_changed"


@dataclass(frozen=True, slots=True)
class Written:
    """What a body says."""

    members: Json
    increment: str | None
    """Which part of the version is to grow; None if it was left open."""
    description: str | None
    """Of the version."""


async def read(request: Request, known: Collection[str]) -> Written:
    """Read a body of `known` members. Raises InvalidRequest for others, and TooLarge."""
    body = object_of(await read_body(request, MAX_BODY))
    return written(body, known)


def written(body: Json, known: Collection[str]) -> Written:
    """Sort a body's members."""
    sealing.refuse_ids(body)
    about = {name: _VERSIONING[name](value, name) for name, value in body.items() if name in _VERSIONING and value is not None}
    members = {name: value for name, value in body.items() if name in known}
    for name in body:
        if name not in known and name not in _VERSIONING and name not in READ_ONLY:
            raise check.unknown(name, [*known, *_VERSIONING])
    increment = about.get("versionIncrement") or about.get("version_increment")
    return Written(members, increment, about.get("versionDescription") or about.get("version_description"))


def checked(members: Json, checks: Mapping[str, Check], required: tuple[str, ...]) -> Json:
    """Check members; those that are null are left out. Raises InvalidRequest."""
    for name in required:
        if members.get(name) is None:
            raise check.missing(name)
    return {name: one(value, name) for name, one in checks.items() if (value := members.get(name)) is not None}


def bounded(content: Json) -> Json:
    """Return a definition as it will be read back. Raises InvalidRequest if it is too large."""
    encoded = orjson.dumps(content)
    if len(encoded) > MAX_CONTENT:
        raise InvalidRequest(f"The definition takes more than {MAX_CONTENT} bytes.", code="invalid_value")
    kept: Json = orjson.loads(encoded)
    return kept


def require_version(request: Request, newest: str) -> None:
    """Hold the version that a client believes to be the newest against the newest."""
    wanted = request.headers.get("if-match", "*").removeprefix("W/").strip('"')
    if wanted not in {"*", newest}:
        raise VersionChanged(f"The newest version is {newest}, and not '{check.shown(wanted)}', as If-Match has it.")
