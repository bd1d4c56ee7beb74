"""No body and no query that anybody can think of is answered with a failure of ours."""

from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.reporting import DIMENSIONS
from api.sources import METRICS
from shared.items import Json
from tests.api.test_create_anything import texts, values

MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
near = texts | values
dates = st.sampled_from(["2026-01-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "24:00"]) | st.floats(
    allow_nan=False, allow_infinity=False
)
ids = st.sampled_from(["a", "a/b", "%00", "%25", "none", "é", "..", "x" * 300])


def some(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Make objects of any of these members."""
    return st.fixed_dictionaries({}, optional=members)


def filters(words: tuple[str, ...]) -> st.SearchStrategy[Any]:
    one = some(
        field=st.sampled_from(words), op=st.sampled_from(["in", "not_in"]) | near, values=st.lists(texts, max_size=3) | near
    )
    return st.lists(one, max_size=2) | near


reports = some(
    group_by=st.lists(st.sampled_from(DIMENSIONS), max_size=4) | near,
    metrics=st.lists(st.sampled_from(tuple(METRICS)), max_size=3) | near,
    filters=filters(DIMENSIONS),
    limit=st.integers(-1, 6000) | near,
    **{"from": dates | near, "to": dates | near},
)
identities = some(
    external_id=texts | near,
    display_name=near,
    email=near,
    avatar_url=near,
    tags=st.lists(texts, max_size=3) | near,
    metadata=st.dictionaries(texts, texts | values, max_size=3) | near,
)
decisions = some(approve=st.booleans() | near, reason=near, other=near)
queries = some(
    **dict.fromkeys(
        ("limit", "after", "before", "order", "status", "search", "tags", "tags[]", "identity", "agent", "since"), texts | ids
    ),
    include_metrics=st.sampled_from(["true", "1", "no"]),
)


def held(answer: httpx2.Response) -> None:
    assert answer.status_code < 500, (answer.request.url, answer.text)


@MANY
@given(body=reports | near)
@example(body={"to": "0001-01-01T00:00:00+14:00"})
@example(body={"from": "9999-12-31T23:59:59-14:00"})
def test_any_report_is_made_or_refused(http: httpx2.Client, body: Any) -> None:
    held(http.post("/v2/reporting", json=body))


@MANY
@given(body=identities | near, name=ids)
def test_any_identity_is_kept_or_refused(http: httpx2.Client, body: Any, name: str) -> None:
    held(http.post("/v2/identities", json=body))
    held(http.patch(f"/v2/identities/{name}", json=body))
    held(http.get(f"/v2/identities/{name}"))


@MANY
@given(body=decisions | near, name=ids)
def test_any_decision_is_made_or_refused(http: httpx2.Client, body: Any, name: str) -> None:
    held(http.post(f"/v1/approvals/{name}", json=body))
    held(http.get(f"/v1/approvals/{name}"))


@MANY
@given(query=queries)
@example(query={"tags": "\0"})
@pytest.mark.parametrize("path", ["/v1/approvals", "/v2/identities", "/v2/threads", "/v2/router/calls"])
def test_any_list_is_given_or_refused(http: httpx2.Client, path: str, query: dict[str, str]) -> None:
    held(http.get(path, params=query))
