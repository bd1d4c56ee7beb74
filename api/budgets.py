"""`/v2/budgets`: what a project, its keys and its identities may use."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request, Response
from psycopg import sql
from psycopg.rows import dict_row
from redis.exceptions import RedisError

from api.body import read_body
from api.create import check, query
from api.create.check import Check
from api.create.request import object_of
from api.desk import Desk
from api.keys import Holder, ProjectId
from api.paging import paged
from api.replies import json_reply, list_object
from shared import db, ids
from shared.db import Session
from shared.errors import Conflict, Forbidden, InvalidRequest, NotFound
from shared.items import Json
from shared.meters import Budget, Meter

router = APIRouter()
log = structlog.get_logger(__name__)

_MAX_BODY: Final = 65_536
_count = partial(check.integer, low=1, high=2**31 - 1)
_SCOPE: Final[Mapping[str, Check]] = {
    "type": partial(check.choice, allowed=("project", "api_key", "identity")),
    "id": partial(check.string, least=1, most=256),
}
_RATES: Final[Mapping[str, Check]] = {
    "requests_per_minute": _count,
    "tokens_per_minute": partial(check.integer, low=1, high=2**53),
    "concurrency": _count,
}
_LIMITS: Final[Mapping[str, Check]] = {
    "amount": partial(check.number, low=0, high=1_000_000_000),
    "period": partial(check.choice, allowed=("day", "month")),
}
_MEMBERS: Final[Mapping[str, Check]] = {
    "rate_limit": partial(check.record, members=_RATES),
    "limits": partial(check.record, members=_LIMITS),
}
_NEW: Final[Mapping[str, Check]] = {"scope": partial(check.record, members=_SCOPE, required=("type",)), **_MEMBERS}
_READ_ONLY: Final = frozenset({"id", "object", "scope", "usage", "created_at", "updated_at"})
_SELECT: Final = sql.SQL("SELECT b.* FROM budgets b")


class BudgetNotFound(NotFound):
    """The budget was not found."""

    def __init__(self, budget_id: str) -> None:
        """Name the id, whether it is unknown or foreign."""
        super().__init__(f"Budget with id '{check.shown(budget_id)}' not found.", param="budget_id")


@router.post("/v2/budgets")
async def create(request: Request, project_id: ProjectId) -> Response:
    """Make a budget. Raises Conflict where its scope has one, and Forbidden for an identity's own key."""
    desk = _desk_of_an_operator(request)
    given = check.body(object_of(await read_body(request, _MAX_BODY)), members=_NEW, required=("scope",))
    scope = given["scope"]
    if scope["type"] == "project" and scope.get("id"):
        raise InvalidRequest("A project's budget has no 'scope.id': a key knows its project.", param="scope.id")
    values = {**dict.fromkeys(_RATES), "amount": None, "period": "month", **_columns(given)}
    row = {"id": ids.new("bud"), "project_id": project_id, "scope": scope["type"], "subject": scope.get("id"), **values}
    statement = sql.SQL("INSERT INTO budgets ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Literal, row.values()))
    )
    async with db.connection(desk.pool) as session:
        if (await session.execute(statement)).rowcount == 0:
            raise Conflict(f"There is a budget for this {scope['type']} already.", param="scope")
        found = await _find(session, project_id, row["id"])
    desk.limits.meters.forget(project_id)
    return json_reply(_shown(found), status=201)


@router.get("/v2/budgets")
async def budgets(request: Request, project_id: ProjectId) -> Response:
    """List budgets, newest first."""
    desk: Desk = request.state.desk
    page = query.page(request.query_params.multi_items())
    conditions = [sql.SQL("b.project_id = {}").format(sql.Literal(project_id))]
    async with db.connection(desk.pool) as session:
        rows, more = await paged(session, _SELECT, conditions, page, table="budgets", alias="b")
    return list_object([_shown(row) for row in rows], has_more=more)


@router.get("/v2/budgets/{budget_id}")
async def retrieve(request: Request, project_id: ProjectId, budget_id: str) -> Response:
    """Show a budget with what was used of it, unless it is one for each of many, or nothing can be counted."""
    desk: Desk = request.state.desk
    async with db.connection(desk.pool) as session:
        row = await _find(session, project_id, budget_id)
    return json_reply({**_shown(row), "usage": await _usage(desk, row)})


@router.patch("/v2/budgets/{budget_id}")
async def update(request: Request, project_id: ProjectId, budget_id: str) -> Response:
    """Change what is given, and leave the rest; null lifts a bound. Raises Forbidden for an identity's own key."""
    desk = _desk_of_an_operator(request)
    body = {name: value for name, value in object_of(await read_body(request, _MAX_BODY)).items() if name not in _READ_ONLY}
    values = _columns(check.body(body, members=_MEMBERS)) | _lifted(body)
    settings = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()]
    statement = sql.SQL("UPDATE budgets SET {} WHERE project_id = {} AND id = {}").format(
        sql.SQL(", ").join([*settings, sql.SQL("updated_at = now()")]), sql.Literal(project_id), sql.Literal(_plain(budget_id))
    )
    async with db.connection(desk.pool) as session:
        await session.execute(statement)
        row = await _find(session, project_id, budget_id)
    desk.limits.meters.forget(project_id)
    return json_reply(_shown(row))


@router.delete("/v2/budgets/{budget_id}")
async def delete(request: Request, project_id: ProjectId, budget_id: str) -> Response:
    """Delete a budget: what it bounded is free. Raises Forbidden for an identity's own key."""
    desk = _desk_of_an_operator(request)
    async with db.connection(desk.pool) as session:
        row = await _find(session, project_id, budget_id)
        await session.execute("DELETE FROM budgets WHERE project_id = %s AND id = %s", (project_id, row["id"]))
    desk.limits.meters.forget(project_id)
    return json_reply({"id": row["id"], "object": "budget", "deleted": True})


def _desk_of_an_operator(request: Request) -> Desk:
    """Keep the keys of identities from changing what they may use. Raises Forbidden."""
    holder: Holder = request.state.holder
    if holder.identity_id is not None:
        raise Forbidden("The key of an identity cannot change budgets.")
    desk: Desk = request.state.desk
    return desk


def _columns(given: Json) -> Json:
    return {**(given.get("rate_limit") or {}), **(given.get("limits") or {})}


def _lifted(body: Json) -> Json:
    """Find the bounds that are given as null; a period cannot be lifted."""
    parts = [part for part in (body.get("rate_limit"), body.get("limits")) if isinstance(part, dict)]
    return {name: None for part in parts for name, value in part.items() if value is None and name != "period"}


def _plain(budget_id: str) -> str:
    return budget_id.replace("\0", "")


async def _find(session: Session, project_id: str, budget_id: str) -> dict[str, Any]:
    """Read one. Raises BudgetNotFound."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM budgets WHERE project_id = %s AND id = %s", (project_id, _plain(budget_id)))
        row = await cursor.fetchone()
    if row is None:
        raise BudgetNotFound(budget_id)
    return row


async def _usage(desk: Desk, row: dict[str, Any]) -> Json | None:
    """Read what was used: requests and tokens of this minute, USD of this period."""
    if row["scope"] != "project" and row["subject"] is None:
        return None
    budget = Budget(**{name: row[name] for name in Budget.__dataclass_fields__})
    try:
        return await desk.limits.meters.used(Meter(budget, row["project_id"], row["subject"] or "-"))
    except (RedisError, OSError) as error:
        log.warning("limits_uncounted", error=type(error).__name__)
        return None


def _shown(row: dict[str, Any]) -> Json:
    return {
        "object": "budget",
        "id": row["id"],
        "scope": {"type": row["scope"], "id": row["subject"]},
        "rate_limit": {name: row[name] for name in _RATES},
        "limits": {"amount": None if row["amount"] is None else float(row["amount"]), "period": row["period"]},
        "created_at": row["created_at"].timestamp(),
        "updated_at": row["updated_at"].timestamp(),
    }
