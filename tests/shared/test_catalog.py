"""Agents and saved tools are found by what they are called, or it is said what there is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from psycopg.types.json import Jsonb

from shared import catalog, db
from shared.catalog import AgentNotFound, ToolNotFound
from shared.db import Session
from tests import rows

T = TypeVar("T")


async def add_agent(session: Session, project_id: str, key: str, *versions: str) -> None:
    await session.execute(
        "INSERT INTO agents (id, project_id, key, version) VALUES (%s, %s, %s, %s)",
        (f"agent_{project_id}_{key}", project_id, key, versions[-1]),
    )
    for number, version in enumerate(versions, 1):
        await session.execute(
            "INSERT INTO agent_versions (agent_id, number, version, manifest) VALUES (%s, %s, %s, %s)",
            (f"agent_{project_id}_{key}", number, version, Jsonb({"role": version})),
        )


async def add_tool(session: Session, project_id: str, key: str, *versions: str, id_: str | None = None) -> str:
    tool_id = id_ or f"tool_{project_id}_{key}"
    await session.execute(
        "INSERT INTO tools (id, project_id, key, type, version) VALUES (%s, %s, %s, 'http', %s)",
        (tool_id, project_id, key, versions[-1]),
    )
    for number, version in enumerate(versions, 1):
        await session.execute(
            "INSERT INTO tool_versions (tool_id, number, version, definition) VALUES (%s, %s, %s, %s)",
            (tool_id, number, version, Jsonb({"is": f"{key} {version}"})),
        )
    return tool_id


def with_catalog(database_url: str, play: Callable[[Session, str], Awaitable[T]]) -> T:
    """Run a play in a project with the agent `clerk`, and the tools `find` and `send`."""

    async def main() -> T:
        async with rows.pool_of(database_url) as pool:
            project_id, other = await rows.add_project(pool), await rows.add_project(pool)
            async with db.connection(pool) as session:
                await add_agent(session, project_id, "clerk", "1.0.0", "1.0.1", "2.0.0")
                await add_agent(session, other, "foreigner", "1.0.0")
                await session.execute(
                    "INSERT INTO agent_environments (agent_id, name, version) VALUES (%s, 'production', '1.0.1')",
                    (f"agent_{project_id}_clerk",),
                )
                await add_tool(session, project_id, "find", "1.0.0", "1.1.0")
                await add_tool(session, project_id, "send", "1.0.0")
                await add_tool(session, other, "spy", "1.0.0")
                return await play(session, project_id)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("ref", "version"),
    [(None, "2.0.0"), ("latest", "2.0.0"), ("1.0.0", "1.0.0"), ("production", "1.0.1")],
)
def test_an_agent_is_found_in_the_version_that_is_meant(database_url: str, ref: str | None, version: str) -> None:
    async def play(session: Session, project_id: str) -> None:
        found = await catalog.agent(session, project_id, "clerk", ref)
        assert (found.key, found.version, found.manifest) == ("clerk", version, {"role": version})

    with_catalog(database_url, play)


@pytest.mark.parametrize(
    ("key", "ref", "sentence"),
    [
        ("nobody", None, "There is no agent 'nobody'. The agents are: 'clerk'."),
        ("foreigner", "1.0.0", "There is no agent 'foreigner'. The agents are: 'clerk'."),
        ("clerk\0", None, "There is no agent 'clerk\ufffd'. The agents are: 'clerk'."),
        (
            "clerk",
            "staging",
            (
                "Agent 'clerk' has no version or environment 'staging'. "
                "Its versions are: '2.0.0', '1.0.1', '1.0.0'; its environments: 'production'."
            ),
        ),
    ],
)
def test_a_missing_agent_is_told_with_what_there_is(database_url: str, key: str, ref: str | None, sentence: str) -> None:
    async def play(session: Session, project_id: str) -> None:
        with pytest.raises(AgentNotFound) as caught:
            await catalog.agent(session, project_id, key, ref)
        assert (caught.value.message, caught.value.status_code, caught.value.code_value) == (sentence, 404, "agent_not_found")

    with_catalog(database_url, play)


def test_a_long_list_of_what_there_is_is_only_counted_to_its_end(database_url: str) -> None:
    async def play(session: Session, project_id: str) -> None:
        for number in range(30):
            await add_agent(session, project_id, f"a{number:02}", "1.0.0")
        with pytest.raises(AgentNotFound, match=r"'a19' and 11 more\.$"):
            await catalog.agent(session, project_id, "x" * 5000, None)

    with_catalog(database_url, play)


def test_without_any_agents_that_is_said(database_url: str) -> None:
    async def play(session: Session, _: str) -> None:
        with pytest.raises(AgentNotFound, match="There are no agents yet"):
            await catalog.agent(session, "proj_of_nobody", "x", None)

    with_catalog(database_url, play)


def test_tools_are_found_by_key_id_and_version_at_once(database_url: str) -> None:
    async def play(session: Session, project_id: str) -> None:
        by_id = f"tool_{project_id}_send"
        found = await catalog.tools(session, project_id, ["find", by_id, "find@1.0.0", "find@latest"])
        assert {ref: (tool.key, tool.version) for ref, tool in found.items()} == {
            "find": ("find", "1.1.0"),
            by_id: ("send", "1.0.0"),
            "find@1.0.0": ("find", "1.0.0"),
            "find@latest": ("find", "1.1.0"),
        }
        assert found["find@1.0.0"].definition == {"is": "find 1.0.0"}

    with_catalog(database_url, play)


def test_an_id_means_its_tool_although_another_has_it_for_a_key(database_url: str) -> None:
    async def play(session: Session, project_id: str) -> None:
        for key in ("before", "after"):
            await add_tool(session, project_id, f"id_of_{key}", "1.0.0", id_=f"other_{key}")
        await add_tool(session, project_id, "mine", "1.0.0", id_="id_of_before")
        found = await catalog.tools(session, project_id, ["id_of_before"])
        assert found["id_of_before"].key == "mine"

    with_catalog(database_url, play)


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        ("spy", "There is no tool 'spy'. The saved tools are: 'find', 'send'."),
        ("nothing@1.0.0", "There is no tool 'nothing'. The saved tools are: 'find', 'send'."),
        ("find@3.0.0", "Tool 'find' has no version '3.0.0'. Its versions are: '1.1.0', '1.0.0'."),
    ],
)
def test_a_missing_tool_is_told_with_what_there_is(database_url: str, ref: str, sentence: str) -> None:
    async def play(session: Session, project_id: str) -> None:
        with pytest.raises(ToolNotFound) as caught:
            await catalog.tools(session, project_id, ["find", ref])
        assert (caught.value.message, caught.value.code_value) == (sentence, "tool_not_found")

    with_catalog(database_url, play)
