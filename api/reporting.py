"""`POST /v2/reporting`: what responses took and cost, grouped as one likes.

Tokens and costs are summed over model calls, each counted once, so that a delegated response is not counted in its parent too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

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
from shared import db
from shared.errors import InvalidRequest
from shared.items import Json

router = APIRouter()

_MAX_BODY: Final = 65_536


@dataclass(frozen=True, slots=True)
class Source:
    """Rows to report on: where they come from, when they began, what they are grouped by, and what is measured."""

    rows: str
    began: str
    dimensions: Mapping[str, str]
    metrics: Mapping[str, str]


_OF_RESPONSE: Final = {"identity": "r.identity_id", "thread": "r.thread_id", "agent": "r.agent", "status": "r.status"}
_TOKENS: Final = {
    "tokens": "coalesce(sum((s.usage->>'total_tokens')::bigint), 0)::bigint",
    "input_tokens": "coalesce(sum((s.usage->>'input_tokens')::bigint), 0)::bigint",
    "output_tokens": "coalesce(sum((s.usage->>'output_tokens')::bigint), 0)::bigint",
    "cost": "coalesce(sum(s.cost), 0)::float8",
}


def _percentiles(name: str, seconds: str) -> dict[str, str]:
    return {
        f"{name}.p{share}": f"percentile_cont(0.{share}) WITHIN GROUP (ORDER BY {seconds})::float8" for share in (50, 95, 99)
    }


_TOOK: Final = "extract(epoch FROM {0}.finished_at - {0}.{1})"

RESPONSES: Final = Source(
    rows="""responses r LEFT JOIN LATERAL (
              SELECT sum((one.usage->>'total_tokens')::bigint) AS total, sum((one.usage->>'input_tokens')::bigint) AS input,
                     sum((one.usage->>'output_tokens')::bigint) AS output, sum(one.cost) AS cost,
                     min(one.first_token_ms) AS first_token_ms
                FROM steps one WHERE one.response_id = r.id) s ON true""",
    began="r.created_at",
    dimensions=_OF_RESPONSE,
    metrics={
        "requests": "count(*) FILTER (WHERE {own})",
        "tokens": "coalesce(sum(s.total), 0)::bigint",
        "input_tokens": "coalesce(sum(s.input), 0)::bigint",
        "output_tokens": "coalesce(sum(s.output), 0)::bigint",
        "cost": "coalesce(sum(s.cost), 0)::float8",
        "errors": "count(*) FILTER (WHERE {own} AND r.status = 'failed')",
        "error_rate": "coalesce(avg((r.status = 'failed')::int) FILTER (WHERE {own}), 0)::float8",
        **_percentiles("latency", _TOOK.format("r", "created_at")),
        **_percentiles("ttft", "s.first_token_ms / 1000.0"),
    },
)
"""One row for each response. Delegated ones add tokens and cost; as requests they count where agents are told apart."""

MODELS: Final = Source(
    rows="steps s JOIN responses r ON r.id = s.response_id AND s.model IS NOT NULL",
    began="s.started_at",
    dimensions={**_OF_RESPONSE, "model": "s.model"},
    metrics={
        "requests": "count(*)",
        **_TOKENS,
        "errors": "count(*) FILTER (WHERE s.outcome IN ('failed', 'retry', 'fallback'))",
        "error_rate": "avg((s.outcome IN ('failed', 'retry', 'fallback'))::int)::float8",
        **_percentiles("latency", _TOOK.format("s", "started_at")),
        **_percentiles("ttft", "s.first_token_ms / 1000.0"),
    },
)
"""One row for each call of a model, by the model that was really asked."""

TOOLS: Final = Source(
    rows="tool_calls t JOIN responses r ON r.id = t.response_id",
    began="t.created_at",
    dimensions={**_OF_RESPONSE, "tool": "CASE WHEN t.label IS NULL THEN t.name ELSE t.label || '.' || t.name END"},
    metrics={
        "requests": "count(*)",
        "errors": "count(*) FILTER (WHERE t.status IN ('failed', 'unknown'))",
        "error_rate": "avg((t.status IN ('failed', 'unknown'))::int)::float8",
        **_percentiles("latency", _TOOK.format("t", "created_at")),
    },
)
"""One row for each call of a tool that workers ran."""

YEARS: Final = range(1000, 9000)
"""In these a time can be shifted, shown and stored without leaving what Python and Postgres know."""

DIMENSIONS: Final = (*_OF_RESPONSE, "model", "tool", "day")
METRICS: Final = tuple(RESPONSES.metrics)


def _instant(value: Any, path: str) -> datetime:
    """Take Unix seconds, or a time in ISO 8601; without a zone it is UTC."""
    try:
        read = datetime.fromtimestamp(value, UTC) if type(value) in {int, float} else datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _no_time(path) from None
    if read.year not in YEARS:
        raise _no_time(path)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _no_time(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{path}': expected a time such as '2026-01-31T12:00:00Z', or Unix seconds.", param=path, code="invalid_value"
    )


_texts = partial(check.array, of=partial(check.string, least=1, most=256), most=100, expected="an array of strings")
_FILTER: Final[Mapping[str, Check]] = {
    "field": partial(check.choice, allowed=(*_OF_RESPONSE, "model", "tool")),
    "op": partial(check.choice, allowed=("in", "not_in")),
    "values": _texts,
}
_MEMBERS: Final[Mapping[str, Check]] = {
    "metrics": partial(check.array, of=partial(check.choice, allowed=METRICS), most=len(METRICS)),
    "from": _instant,
    "to": _instant,
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
    """Choose the rows by what is asked about them. Raises InvalidRequest for models and tools together."""
    about = {*asked.get("group_by", ()), *(one["field"] for one in asked.get("filters", ()))}
    if {"model", "tool"} <= about:
        raise InvalidRequest("Models and tools cannot be reported on together.", param="group_by", code="invalid_value")
    return TOOLS if "tool" in about else MODELS if "model" in about else RESPONSES


def _statement(source: Source, asked: Json, metrics: list[str], bounds: tuple[str, datetime, datetime, int]) -> sql.Composed:
    """Write the query."""
    project_id, since, until, limit = map(sql.Literal, bounds)
    groups = list(dict.fromkeys(asked.get("group_by", ())))
    own = "true" if "agent" in groups else "r.parent_id IS NULL"
    columns = {name: f"to_char({source.began} AT TIME ZONE 'UTC', 'YYYY-MM-DD')" for name in groups if name == "day"}
    columns |= {name: source.dimensions[name] for name in groups if name != "day"}
    selected = {**columns, **{name: source.metrics[name].format(own=own) for name in metrics}}
    conditions = [
        sql.SQL("r.project_id = {}").format(project_id),
        sql.SQL(f"{source.began} >= {{}} AND {source.began} < {{}}").format(since, until),
        *(_condition(source, one) for one in asked.get("filters", ())),
    ]
    order = "cost" if "cost" in metrics else metrics[0]
    return sql.SQL("SELECT {} FROM {} WHERE {} {} ORDER BY {} LIMIT {}").format(
        sql.SQL(", ").join(sql.SQL(f"{text} AS {{}}").format(sql.Identifier(name)) for name, text in selected.items()),
        sql.SQL(source.rows),
        sql.SQL(" AND ").join(conditions),
        sql.SQL("GROUP BY " + ", ".join(str(number + 1) for number in range(len(groups))) if groups else ""),
        sql.SQL(", ").join([sql.SQL("{} DESC NULLS LAST").format(sql.Identifier(order)), *map(sql.Identifier, groups)]),
        limit,
    )


def _condition(source: Source, wanted: Json) -> sql.Composed:
    """Write one filter."""
    test = "{} = ANY({})" if wanted.get("op", "in") == "in" else "coalesce({} <> ALL({}), true)"
    return sql.SQL(test).format(sql.SQL(source.dimensions[wanted["field"]]), sql.Literal(wanted["values"]))
