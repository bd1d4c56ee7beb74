"""`POST /v2/reporting`: what responses and router calls took and cost, grouped as one likes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response
from psycopg import sql
from psycopg.rows import dict_row

from api.body import read_body
from api.create import check
from api.create.check import Check
from api.create.request import object_of
from api.desk import Desk
from api.keys import ProjectId
from api.replies import json_reply
from api.sources import FIELDS, METRICS, SOURCES, Source
from shared import db
from shared.errors import InvalidRequest
from shared.items import Json

router = APIRouter()

_MAX_BODY: Final = 65_536
DIMENSIONS: Final = (*FIELDS, "day")

_texts = partial(check.array, of=partial(check.string, least=1, most=256), most=100, expected="an array of strings")
_FILTER: Final[Mapping[str, Check]] = {
    "field": partial(check.choice, allowed=FIELDS),
    "op": partial(check.choice, allowed=("in", "not_in")),
    "values": _texts,
}
_MEMBERS: Final[Mapping[str, Check]] = {
    "metrics": partial(check.array, of=partial(check.choice, allowed=tuple(METRICS)), most=len(METRICS)),
    "from": check.instant,
    "to": check.instant,
    "group_by": partial(check.array, of=partial(check.choice, allowed=DIMENSIONS), most=4),
    "filters": partial(check.array, of=partial(check.record, members=_FILTER, required=("field", "values")), most=20),
    "limit": partial(check.integer, low=1, high=5000),
}


@router.post("/v2/reporting")
async def report(request: Request, project_id: ProjectId) -> Response:
    """Report metrics of a span of time (the last 30 days, if none is given), one row for each group, most costly first."""
    desk: Desk = request.state.desk
    asked = check.body(object_of(await read_body(request, _MAX_BODY)), members=_MEMBERS)
    source = _source(asked)
    metrics = asked.get("metrics") or [name for name in METRICS if name in source.metrics]
    if missing := [name for name in metrics if name not in source.metrics]:
        raise InvalidRequest(f"'{missing[0]}' is not measured for tools.", param="metrics", code="invalid_value")
    until = asked.get("to") or datetime.now(UTC)
    since = asked.get("from") or until - timedelta(days=30)
    limit = asked.get("limit", 1000)
    statement = _statement(source, asked, metrics, (project_id, since, until, limit + 1))
    async with db.connection(desk.pool) as session, session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement)
        rows = await cursor.fetchall()
    groups = asked.get("group_by", [])
    data = [
        {"dimensions": {name: row[name] for name in groups}, "metrics": {name: row[name] for name in metrics}} for row in rows
    ]
    return json_reply(
        {
            "object": "report",
            "from": since.timestamp(),
            "to": until.timestamp(),
            "group_by": groups,
            "currency": "USD",
            "data": data[:limit],
            "has_more": len(data) > limit,
        }
    )


def _source(asked: Json) -> Source:
    """Choose the rows by what is asked about them. Raises InvalidRequest for tools together with models."""
    about = {*asked.get("group_by", ()), *(one["field"] for one in asked.get("filters", ()))} - {"day"}
    for source in SOURCES:
        if about <= source.dimensions:
            return source
    raise InvalidRequest("Models and tools cannot be reported on together.", param="group_by", code="invalid_value")


def _statement(source: Source, asked: Json, metrics: list[str], bounds: tuple[str, datetime, datetime, int]) -> sql.Composed:
    """Write the query."""
    project_id, since, until, limit = map(sql.Literal, bounds)
    groups = list(dict.fromkeys(asked.get("group_by", ())))
    own = "true" if "agent" in groups else "q.own"
    selected = {name: _COLUMNS.get(name, f"q.{name}") for name in groups}
    selected |= {name: source.metrics[name].format(own=own) for name in metrics}
    conditions = [
        sql.SQL("q.project_id = {}").format(project_id),
        sql.SQL("q.began >= {} AND q.began < {}").format(since, until),
        *map(_condition, asked.get("filters", ())),
    ]
    order = "cost" if "cost" in metrics else metrics[0]
    return sql.SQL("SELECT {} FROM {} WHERE {} {} ORDER BY {} LIMIT {}").format(
        sql.SQL(", ").join(sql.SQL(f"{text} AS {{}}").format(sql.Identifier(name)) for name, text in selected.items()),
        sql.SQL(source.rows + (_TAGGED if "tag" in groups else "")),
        sql.SQL(" AND ").join(conditions),
        sql.SQL("GROUP BY " + ", ".join(str(number + 1) for number in range(len(groups))) if groups else ""),
        sql.SQL(", ").join([sql.SQL("{} DESC NULLS LAST").format(sql.Identifier(order)), *map(sql.Identifier, groups)]),
        limit,
    )


_COLUMNS: Final = {"day": "to_char(q.began AT TIME ZONE 'UTC', 'YYYY-MM-DD')", "tag": "tagged.tag"}
_TAGGED: Final = " LEFT JOIN LATERAL (SELECT DISTINCT tag FROM jsonb_array_elements_text(q.tags) tag) tagged ON true"
"""A row counts in the group of each of its tags."""


def _condition(wanted: Json) -> sql.Composed:
    """Write one filter."""
    field, values, within = wanted["field"], sql.Literal(wanted["values"]), wanted.get("op", "in") == "in"
    if field == "tag":
        return sql.SQL("coalesce(q.tags ?| {}, false) = {}").format(values, sql.Literal(within))
    test = "{} = ANY({})" if within else "coalesce({} <> ALL({}), true)"
    return sql.SQL(test).format(sql.Identifier("q", field), values)
