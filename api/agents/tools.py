"""The tools of an agent, in the vendor's shapes or in those of requests; kept, and shown, in the shape of requests."""

from collections.abc import Mapping
from typing import Any, Final

from agents import specs
from agents.models.providers import Providers
from api.agents import model
from api.create import check, server_tools, tools
from api.create.tools import TYPES
from api.definitions.sealing import Seals, is_secret, within
from shared import catalog
from shared.catalog import ToolDefinition
from shared.db import Session
from shared.errors import InvalidRequest
from shared.items import Json

MOST: Final = 128

_RENAMED: Final[Mapping[str, str]] = {
    **{name: f"orq:{name}" for name in ("current_date", "google_search", "web_scraper", "code_interpreter")},
    **{name: f"orq:{name}" for name in ("advisor", "sidekick", "retrieve_agents", "call_sub_agent")},
    **{f"orq:{name}": name for name in ("http", "code", "function", "json_schema", "mcp")},
}
"""Types as agents and requests write them, and as they are kept."""

_TEAM: Final = ("orq:retrieve_agents", "orq:call_sub_agent")
_MODELS: Final = ("orq:advisor", "orq:subagent", "orq:sidekick")
_STORES: Final = (
    *("retrieve_knowledge_bases", "query_knowledge_base", "retrieve_memory_stores"),
    *("query_memory_store", "write_memory_store", "delete_memory_document"),
)
_CREDENTIALS: Final = ("headers", "authorization")
_STAND_IN: Final[Json] = {"type": "local_shell"}


def parse(value: Any, path: str, *, seals: Seals, providers: Providers) -> list[Json]:
    """Check a list of at most 128 tools whose names differ. Whether saved ones exist is not looked up yet."""
    given = check.array(value, path, of=_renamed, most=MOST, expected="an array of objects")
    plain = [_STAND_IN if tool["type"] in _TEAM else _bare(tool) for tool in given]
    checked = tools.parse(plain, path, types=(*TYPES, *_RENAMED.values()))
    _refuse_twins(checked, path)
    return [
        _finished(tool, one, f"{path}[{n}]", seals, providers) for n, (tool, one) in enumerate(zip(given, checked, strict=True))
    ]


def _refuse_twins(checked: list[Json], path: str) -> None:
    """Refuse two servers of one label, and a saved tool that is named twice: the model could mean only one of them."""
    seen: set[str] = set()
    for index, tool in enumerate(checked):
        name = _label(tool) if _is_server(tool) else str(specs.reference(tool)) if specs.is_saved(tool) else None
        if name in seen:
            raise InvalidRequest(
                f"Invalid '{path}[{index}]': there is already a tool named '{check.shown(str(name))}'.",
                param=f"{path}[{index}]",
                code="invalid_value",
            )
        if name is not None:
            seen.add(name)


def _renamed(value: Any, path: str) -> Json:
    """Give a tool the type by which it is kept."""
    tool = check.mapping(value, path)
    if tool.get("type") is None:
        raise check.missing(f"{path}.type")
    kind = check.string(tool["type"], f"{path}.type", most=256)
    if kind.removeprefix("orq:") in _STORES:
        check.unsupported(kind, f"{path}.type", why="There are no knowledge bases and memory stores.")
    kind = _RENAMED.get(kind, kind)
    lifted = check.mapping(tool.get("configuration") or {}, f"{path}.configuration") if kind in _MODELS else {}
    rest = {name: one for name, one in tool.items() if one is not None and not (kind in _MODELS and name == "configuration")}
    return {**lifted, **rest, "type": kind}


def _bare(tool: Json) -> Json:
    """Leave out a server's credentials, which are checked, and sealed, here."""
    return {name: one for name, one in tool.items() if name not in _CREDENTIALS} if _is_server(tool) else tool


def _is_server(tool: Json) -> bool:
    return tool["type"] == "mcp" and bool(tool.get("server_url"))


def _finished(tool: Json, checked: Json, path: str, seals: Seals, providers: Providers) -> Json:
    """Add what the check of requests does not know."""
    if tool["type"] in _TEAM:
        return check.record(tool, path, members={**server_tools.APPROVAL, "configuration": check.mapping})
    if tool["type"] in _MODELS and checked.get("model"):
        return {**checked, "model": model.name(checked["model"], f"{path}.model", providers=providers)}
    if not _is_server(tool):
        return {name: one for name, one in checked.items() if not (name == "id" and specs.is_saved(checked))} | _tool_id(
            checked
        )
    credentials: Json = {}
    place = f"tools.{_label(checked)}"
    if tool.get("headers"):
        credentials["headers"] = seals.headers(tool["headers"], f"{place}.headers", f"{path}.headers")
    if (given := tool.get("authorization")) is not None:
        wrapped = given if type(given) is dict else {"value": given, "encrypted": True}
        credentials["authorization"] = seals.take(wrapped, f"{place}.authorization", f"{path}.authorization", mark="encrypted")
    return {**checked, **credentials}


def _tool_id(checked: Json) -> Json:
    """The vendor writes a saved tool's id as `id`."""
    return {"tool_id": checked["id"]} if specs.is_saved(checked) and "id" in checked and "tool_id" not in checked else {}


def _label(tool: Json) -> str:
    return str(tool.get("server_label") or tool.get("key"))


def secrets_of(tools_: list[Json]) -> dict[str, str]:
    """List the secrets of an agent's servers by their places."""
    places: dict[str, str] = {}
    for tool in tools_:
        if _is_server(tool):
            place = f"tools.{_label(tool)}"
            places |= within(tool.get("headers"), f"{place}.headers")
            if is_secret(tool.get("authorization")):
                places[f"{place}.authorization"] = tool["authorization"]["secret"]
    return places


async def settle(session: Session, project_id: str, wanted: list[Json], known: list[Json], path: str) -> list[Json]:
    """Look up the saved tools and write down what they are called; those that are `known` may be gone by now.

    Whoever deletes such a tool waits until the agent is stored. Raises InvalidRequest, naming the tools that exist.
    """
    new = [tool for tool in wanted if tool not in known]
    try:
        found = await catalog.tools(session, project_id, sorted(specs.references(new)), param=path)
    except catalog.ToolNotFound as error:
        raise InvalidRequest(error.message, param=path, code="tool_not_found") from None
    await _hold(session, {one.id for one in found.values()}, path)
    return [_settled(tool, found, f"{path}[{n}]") if tool in new else tool for n, tool in enumerate(wanted)]


async def _hold(session: Session, tool_ids: set[str], path: str) -> None:
    """Keep tools from being deleted until the transaction ends. Raises InvalidRequest if one was deleted just now."""
    if not tool_ids:
        return
    cursor = await session.execute("SELECT 1 FROM tools WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", (sorted(tool_ids),))
    if len(await cursor.fetchall()) < len(tool_ids):
        raise InvalidRequest("A tool of the agent was deleted just now.", param=path, code="tool_not_found")


def _settled(tool: Json, found: Mapping[str, ToolDefinition], path: str) -> Json:
    """Name a saved tool by its key and id, or by `key@version` where a version was asked for."""
    if not specs.is_saved(tool):
        return tool
    reference = str(specs.reference(tool))
    saved = found[reference]
    if saved.type != tool["type"]:
        raise InvalidRequest(
            f"Invalid '{path}.type': the tool '{saved.key}' is of type '{saved.type}'.",
            param=f"{path}.type",
            code="invalid_value",
        )
    rest = {name: one for name, one in tool.items() if name not in {"key", "id", "tool_id"}}
    version = reference.partition("@")[2]
    names = {"key": f"{saved.key}@{version}"} if version else {"key": saved.key, "tool_id": saved.id}
    return {**rest, **names}
