"""Which tools a model is offered, under which names, and whose each of them is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from agents.mcp import listing
from agents.tools import registry
from agents.tools.delegates import DELEGATES
from shared.items import Item, Json

_CLIENT: Final = frozenset({"function", "custom"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A tool that is called by name. `name`, `namespace` and `label` are its owner's, `offered` is the model's name for it."""

    offered: str
    name: str
    namespace: str | None = None
    label: str | None = None
    """The MCP server's label."""
    server: Json | None = None
    """The spec of a tool that workers run; None for the client's own."""
    listed: Item | None = field(default=None, repr=False)
    """The listing that names an MCP server's function."""


class Called(Protocol):
    """What tells which tool a call is for, such as a `ServerCall`."""

    @property
    def tool(self) -> str:
        """The tool's type."""

    @property
    def name(self) -> str:
        """The owner's name of the function."""

    @property
    def label(self) -> str | None:
        """The MCP server's label."""


@dataclass(slots=True)
class Toolset:
    """The tools for one model call."""

    tools: list[Json] = field(default_factory=list)
    """As a `ModelRequest` has them."""
    choice: str | Json = "auto"
    _offered: dict[str, Offered] = field(default_factory=dict)
    _owned: dict[tuple[str | None, str | None, str], Offered] = field(default_factory=dict)

    def named(self, offered: str) -> Offered | None:
        """Look a tool up by the model's name for it."""
        return self._offered.get(offered)

    def owned(self, call: Item) -> Offered | None:
        """Look up the tool that a call item is for."""
        return self._owned.get((call.get("namespace"), call.get("server_label"), call["name"]))

    def names(self) -> list[str]:
        """List the names that the model may call."""
        return list(self._offered)

    def offered(self) -> list[Offered]:
        """List the tools that the model may call."""
        return list(self._offered.values())

    def add(self, entry: "_Entry") -> None:
        """Offer a function or custom tool.

        A name that is taken gets its namespace or its server's label in front; without one it is skipped.
        """
        name = entry.tool["name"]
        owner = entry.namespace or entry.label
        offered = f"{owner}__{name}" if owner and name in self._offered else name
        if offered in self._offered:
            return
        tool = Offered(
            offered=offered,
            name=name,
            namespace=entry.namespace,
            label=entry.label,
            server=entry.server,
            listed=entry.listed,
        )
        self._offered[offered] = tool
        self._owned[entry.namespace, entry.label, name] = tool
        self.tools.append(entry.tool if offered == name else entry.tool | {"name": offered})


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tool as a `ModelRequest` has it, and whose it is."""

    tool: Json
    namespace: str | None = None
    server: Json | None = None
    label: str | None = None
    listed: Item | None = None


def offer(body: Json, *, first: bool, history: Iterable[Item] = (), delegating: bool = True) -> Toolset:
    """Choose and flatten the tools of a response's `tools` and `tool_choice`.

    A forced choice holds for the `first` model call only, so that a loop can end. Hosted tools pass as they are. An MCP
    server's functions are those of its newest listing in the history. Without `delegating`, no tool that delegates is offered.
    """
    choice = body.get("tool_choice") or "auto"
    allowed = _allowed(choice)
    toolset = Toolset()
    for entry in _flat(body.get("tools") or [], history, delegating=delegating):
        if allowed is not None and not any(_allows(one, entry) for one in allowed):
            continue
        if entry.tool["type"] in _CLIENT:
            toolset.add(entry)
        else:
            toolset.tools.append(entry.tool)
    toolset.choice = _choice(choice, toolset, first=first)
    return toolset


def spec_of(tools: list[Json], call: Called) -> Json | None:
    """Find the spec of the tool that a server call is for, by its type, its label and its function's name."""
    for spec in tools:
        if spec["type"] != call.tool or not registry.known(spec["type"]):
            continue
        if spec["type"] == "mcp":
            found = spec["server_label"] == call.label
        else:
            found = registry.lookup(spec["type"]).offer(spec).name == call.name
        if found:
            return spec
    return None


def servers(tools: Iterable[Json]) -> dict[str, Json]:
    """Collect the specs of the MCP servers, by label."""
    return {spec["server_label"]: spec for spec in tools if spec["type"] == "mcp"}


def listings(history: Iterable[Item]) -> dict[str, Item]:
    """Collect the newest listing of each MCP server, by label."""
    return {item["server_label"]: item for item in history if item.get("type") == "mcp_list_tools"}


def _flat(tools: list[Json], history: Iterable[Item], *, delegating: bool) -> Iterator[_Entry]:
    """Yield each tool with its owner. Server tools that are unknown are left out."""
    listed: dict[str, Item] = listings(history) if servers(tools) else {}
    for tool in tools:
        type_ = tool["type"]
        if type_ == "namespace":
            inner = [each for each in tool.get("tools") or [] if each.get("type") in _CLIENT]
            yield from (_Entry(each, namespace=tool["name"]) for each in inner)
        elif not registry.known(type_):
            yield from [] if type_.startswith("orq:") else [_Entry(tool)]
        elif type_ == "mcp":
            yield from _functions(tool, listed.get(tool["server_label"]))
        elif delegating or type_ not in DELEGATES:
            yield _Entry(_function(tool), server=tool)


def _functions(spec: Json, listed: Item | None) -> Iterator[_Entry]:
    """Yield the functions that an MCP server listed."""
    if listed is None or listed.get("error"):
        return
    for function in listing.functions(listed, spec):
        yield _Entry(function, server=spec, label=spec["server_label"], listed=listed)


def _function(spec: Json) -> Json:
    offered = registry.lookup(spec["type"]).offer(spec)
    return {
        "type": "function",
        "name": offered.name,
        "description": offered.description,
        "parameters": offered.parameters,
        "strict": False,
    }


def _allowed(choice: str | Json) -> list[Json] | None:
    """Return the entries of `allowed_tools`; None if every tool is allowed."""
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        return list(choice["tools"])
    return None


def _allows(one: Json, entry: _Entry) -> bool:
    """Say whether an entry of `allowed_tools` means this tool."""
    match one.get("type"):
        case "namespace":
            return entry.namespace is not None and one.get("name") == entry.namespace
        case "mcp" if entry.label is not None:
            return one.get("server_label") == entry.label and one.get("name") in {None, entry.tool["name"]}
        case type_ if entry.server is not None and type_ == entry.server["type"]:
            return one.get("name") in {None, entry.tool["name"]}
        case type_:
            name = entry.tool.get("name")
            return entry.tool["type"] == type_ and (name is None or one.get("name", name) == name)


def _choice(choice: str | Json, toolset: Toolset, *, first: bool) -> str | Json:
    """Say it as a `ModelRequest` does."""
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        choice = str(choice.get("mode") or "auto")
    if not first or not toolset.tools:
        return "none" if choice == "none" else "auto"
    return _forced(choice, toolset) if isinstance(choice, dict) else choice


def _forced(choice: Json, toolset: Toolset) -> str | Json:
    """Name the tool as the model knows it; a tool that is not offered cannot be forced.

    Models can be forced to one function, or to any: of a server's many functions, any must do.
    """
    type_ = choice["type"]
    if type_ not in _CLIENT | {"mcp"} and not type_.startswith("orq:"):
        return choice
    tools = [tool for tool in toolset.offered() if _meant(choice, tool)]
    if not tools:
        return "auto"
    if type_ == "mcp" and not choice.get("name"):
        return "required"
    return {"type": type_ if type_ in _CLIENT else "function", "name": tools[0].offered}


def _meant(choice: Json, tool: Offered) -> bool:
    """Say whether a forced choice means this tool."""
    name = choice.get("name")
    if choice["type"] in _CLIENT:
        return name in {tool.name, tool.offered}
    if tool.server is None or tool.server["type"] != choice["type"]:
        return False
    return choice.get("server_label") in {None, tool.label} and name in {None, tool.name, tool.offered}
