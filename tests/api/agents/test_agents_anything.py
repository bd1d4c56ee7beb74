"""Whatever JSON arrives is a definition, which is read as it can be written, or an error with a path."""

import asyncio
import base64
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from agents.models.providers import Providers
from api.agents import manifest
from api.agents import routes as agents
from api.agents import store as agent_store
from api.agents.model import PARAMETERS
from api.create.request import object_of
from api.create.server_tools import BUILT_IN
from api.definitions import changing, writing
from api.definitions.sealing import Seals
from api.definitions.store import AGENTS, TOOLS, Kind
from api.desk import Desk
from api.saved_tools import definition
from api.saved_tools import routes as tools
from api.saved_tools import store as tool_store
from shared import db
from shared.errors import InvalidRequest
from shared.items import Json
from shared.keyring import Keyring, parse
from shared.vault import Vault
from tests import rows

PROVIDERS = Providers(())
DESK = cast(
    "Desk",
    SimpleNamespace(
        providers=PROVIDERS, vault=Vault(Keyring(parse([f"k:{base64.b64encode(bytes(32)).decode()}"], where="the test")))
    ),
)
THOROUGH = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

words = st.sampled_from(
    [
        *("type", "id", "key", "name", "value", "secret", "encrypted", "required", "role", "tools", "headers", "parameters"),
        *("url", "method", "body", "blueprint", "arguments", "conditions", "condition", "operator", "configuration", "retry"),
        *(
            "server_url",
            "authorization",
            "allowed_tools",
            "tool_names",
            "https://x",
            "GET",
            "object",
            "function",
            "mcp",
            "http",
        ),
        *("{{a}}", "{{", "demo/echo", "string", "default_value", "on_codes", "count", "json_schema", "eq", "sec_1", "language"),
        *BUILT_IN,
        *PARAMETERS,
        *definition.PARTS.values(),
    ]
)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = words | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)
tool_values = st.fixed_dictionaries(
    {"type": st.sampled_from([*BUILT_IN, "mcp", "function", "http", "advisor", "call_sub_agent", "orq:mcp", "custom"])},
    optional=dict.fromkeys(("key", "name", "server_url", "headers", "authorization", "configuration", "conditions"), values),
)


def agent_of(body: Json) -> Json | InvalidRequest:
    """What a body makes of an agent."""
    try:
        written = writing.written(object_of(orjson.dumps(body)), manifest.MEMBERS)
        return manifest.normalise(written.members, old=None, seals=Seals(), providers=PROVIDERS)
    except InvalidRequest as error:
        return error


def tool_of(body: Json) -> Json | InvalidRequest:
    """What a body makes of a tool."""
    try:
        written = writing.written(object_of(orjson.dumps(body)), definition.MEMBERS)
        kind = definition.type_of(written.members, None)
        return definition.normalise(written.members, kind=kind, old=None, seals=Seals())
    except InvalidRequest as error:
        return error


@THOROUGH
@given(st.dictionaries(st.sampled_from(manifest.MEMBERS) | texts, values, max_size=6))
def test_any_body_is_an_agent_or_an_error(body: Json) -> None:
    assert isinstance(agent_of(body), dict | InvalidRequest)


@THOROUGH
@given(st.sampled_from(manifest.MEMBERS), values)
def test_any_member_of_an_agent_is_accepted_or_refused_by_its_path(name: str, value: Any) -> None:
    got = agent_of({"model": "demo/echo", name: value})
    if isinstance(got, InvalidRequest):
        assert (got.param or name).startswith(name)


@THOROUGH
@given(st.lists(tool_values, max_size=3))
def test_any_tools_of_an_agent_are_accepted_or_refused_by_their_path(given_tools: list[Json]) -> None:
    got = agent_of({"model": "demo/echo", "settings": {"tools": given_tools}})
    if isinstance(got, InvalidRequest):
        assert (got.param or "settings.tools").startswith("settings.tools")


@THOROUGH
@given(
    st.sampled_from(list(definition.PARTS)), values, st.dictionaries(st.sampled_from(definition.MEMBERS), values, max_size=3)
)
def test_any_body_is_a_tool_or_an_error(kind: str, part: Any, more: Json) -> None:
    assert isinstance(tool_of({**more, "type": kind, definition.PARTS[kind]: part}), dict | InvalidRequest)


plain_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=20)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
numbers = st.floats(0, 1, allow_nan=False) | st.integers(0, 1)
secret = st.fixed_dictionaries({"value": st.text("abcdef", min_size=8, max_size=20), "secret": st.just(True)})
header = st.text("abc-", max_size=8) | st.fixed_dictionaries(
    {"value": st.text("abcdef", min_size=8, max_size=20), "encrypted": st.booleans()}
)
model = st.just("demo/echo") | st.fixed_dictionaries(
    {"id": st.just("demo/echo")},
    optional={
        "parameters": st.fixed_dictionaries(
            {},
            optional={
                "temperature": numbers,
                "top_k": st.integers(0, 9),
                "stop": st.just("x") | st.just(["x", "y"]),
                "response_format": st.sampled_from(
                    [
                        {"type": "json_object"},
                        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
                        {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
                    ]
                ),
                "tool_choice": st.sampled_from(["auto", {"type": "function", "function": {"name": "f"}}]),
            },
        ),
        "retry": st.fixed_dictionaries({}, optional={"count": st.integers(1, 5), "on_codes": st.just([429])}),
    },
)
some_tools: st.SearchStrategy[list[Json]] = st.lists(
    st.sampled_from(
        [
            {"type": "current_date", "configuration": {"timezone": "UTC"}},
            {"type": "orq:web_fetch", "timeout": 5},
            {"type": "sidekick", "configuration": {"model": "demo/echo", "output_format": "short"}},
            {"type": "call_sub_agent"},
            {"type": "http", "key": "saved", "conditions": [{"condition": "a.b", "operator": "eq", "value": {"c": None}}]},
            {"type": "http", "key": "saved@1.0.0", "requires_approval": None},
            {"type": "function", "name": "f", "strict": None, "parameters": {"type": "object", "x-more": [1.0, 2e300]}},
            {"type": "mcp", "server_label": "l", "server_url": "https://x", "authorization": "Bearer abcdef"},
            {
                "type": "mcp",
                "key": "m",
                "server_url": "https://x",
                "headers": {"A": {"value": "abcdef", "encrypted": True}, "B": {"value": "b"}, "C": "c"},
                "require_approval": {"always": {"tool_names": ["x"]}},
            },
        ]
    ),
    max_size=4,
    unique_by=str,
)
bodies = st.fixed_dictionaries(
    {"model": model},
    optional={
        "display_name": st.none() | plain_texts,
        "role": plain_texts,
        "instructions": plain_texts | st.just("Hi {{name}}"),
        "engine": st.sampled_from(manifest.ENGINES),
        "fallback_models": st.lists(model, max_size=2),
        "settings": st.fixed_dictionaries(
            {}, optional={"tools": some_tools, "max_iterations": st.integers(1, 9), "max_cost": numbers, "max_depth": st.none()}
        ),
        "variables": st.dictionaries(
            names,
            scalars | plain_texts | secret | st.fixed_dictionaries({"value": values}) | st.just({"required": True}),
            max_size=4,
        ),
    },
)
tool_bodies = st.sampled_from(["http", "mcp"]).flatmap(
    lambda kind: st.fixed_dictionaries(
        {
            "type": st.just(kind),
            "http" if kind == "http" else "mcp": st.fixed_dictionaries(
                {
                    "blueprint": st.fixed_dictionaries(
                        {"url": st.just("https://x/{{a}}"), "method": st.sampled_from(["GET", "POST"])},
                        optional={
                            "headers": st.dictionaries(names, header, max_size=3),
                            "body": values,
                            "timeout": st.integers(1, 9),
                        },
                    )
                },
                optional={"arguments": st.dictionaries(names, st.just({"type": "string", "default_value": "x"}), max_size=2)},
            )
            if kind == "http"
            else st.fixed_dictionaries(
                {"server_url": st.just("https://x")},
                optional={"headers": st.dictionaries(names, header, max_size=3), "allowed_tools": st.lists(names, max_size=2)},
            ),
        },
        optional={"description": plain_texts, "timeout": st.integers(1, 9), "display_name": st.none() | plain_texts},
    )
)


class Catalogue:
    """A project's definitions of one kind, written and read as the routes do."""

    def __init__(self, pool: db.Pool, project_id: str, kind: Kind) -> None:
        self.pool, self.project_id, self.kind = pool, project_id, kind
        self.store: Any = agent_store if kind is AGENTS else tool_store
        self.known = manifest.MEMBERS if kind is AGENTS else definition.MEMBERS
        self.made = 0

    async def create(self, body: Json) -> Json:
        self.made += 1
        written = writing.written({"key": f"x{self.made}", **body}, self.known)
        async with db.transaction(self.pool) as session:
            return self._shown(await self.store.create(session, DESK, self.project_id, written))

    async def change(self, key: str, body: Json) -> Json:
        written = writing.written(body, self.known)
        async with db.transaction(self.pool) as session:
            held = await changing.hold(session, self.kind, self.project_id, key)
            return self._shown(await self.store.change(session, DESK, held, written))

    def _shown(self, found: Any) -> Json:
        rendered = agents.render(found) if self.kind is AGENTS else tools.render(found)
        read: Json = orjson.loads(orjson.dumps(rendered))
        return read


def written_back(database_url: str, kind: Kind, strategy: st.SearchStrategy[Json]) -> None:
    """Make definitions and write what is read back."""
    with asyncio.Runner() as runner:
        opened = rows.pool_of(database_url)
        pool = runner.run(opened.__aenter__())
        project_id = runner.run(rows.add_project(pool))
        saved = Catalogue(pool, project_id, TOOLS)
        blueprint = {"url": "https://x", "method": "GET"}
        runner.run(saved.create({"key": "saved", "type": "http", "http": {"blueprint": blueprint}}))
        catalogue = Catalogue(pool, project_id, kind)

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def play(body: Json) -> None:
            try:
                written = object_of(orjson.dumps(body))
                first = runner.run(catalogue.create(written))
            except InvalidRequest as error:
                if error.code_value not in {"invalid_template", "invalid_value"}:
                    raise
                reject()
            assert runner.run(catalogue.change(first["key"], first)) == first

        play()
        runner.run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize(("kind", "strategy"), [(AGENTS, bodies), (TOOLS, tool_bodies)], ids=["agents", "tools"])
def test_what_is_read_can_be_written_back_and_makes_no_version(
    database_url: str, kind: Kind, strategy: st.SearchStrategy[Json]
) -> None:
    written_back(database_url, kind, strategy)
