"""Which tools a model is offered, under which names, and whose each of them is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from agents.tools.registry import TOOLS, model_name
from shared.items import Item, Json

_CLIENT: Final = frozenset({"function", "custom"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A tool that is called by name. `name` and `namespace` are its owner's, `offered` is what the model knows it by."""

    offered: str
    name: str
    namespace: str | None = None
    server: str | None = None
    """The type of a tool that workers run, such as `orq:current_date`; None for the client's own."""


@dataclass(slots=True)
class Toolset:
    """The tools for one model call."""

    tools: list[Json] = field(default_factory=list)
    """As a `ModelRequest` has them."""
    choice: str | Json = "auto"
    _offered: dict[str, Offered] = field(default_factory=dict)
    _owned: dict[tuple[str | None, str], Offered] = field(default_factory=dict)

    def named(self, offered: str) -> Offered | None:
        """Look a tool up by the model's name for it."""
        return self._offered.get(offered)

    def owned(self, call: Item) -> Offered | None:
        """Look up the tool that a call item is for."""
        return self._owned.get((call.get("namespace"), call["name"]))

    def names(self) -> list[str]:
        """List the names that the model may call."""
        return list(self._offered)

    def add(self, spec: Json, *, namespace: str | None = None, server: str | None = None) -> None:
        """Offer a function or custom tool. A name that is taken gets its namespace in front; without one it is skipped."""
        name = spec["name"]
        offered = f"{namespace}__{name}" if namespace and name in self._offered else name
        if offered in self._offered:
            return
        tool = Offered(offered=offered, name=name, namespace=namespace, server=server)
        self._offered[offered] = tool
        self._owned[namespace, name] = tool
        self.tools.append(spec if offered == name else spec | {"name": offered})


def offer(body: Json, *, first: bool) -> Toolset:
    """Choose and flatten the tools of a response's `tools` and `tool_choice`.

    A forced choice holds for the `first` model call only, so that a loop can end. Hosted tools pass as they are.
    """
    choice = body.get("tool_choice") or "auto"
    allowed = _allowed(choice)
    toolset = Toolset()
    for spec, namespace, server in _flat(body.get("tools") or []):
        if allowed is not None and not any(_allows(entry, spec, namespace, server) for entry in allowed):
            continue
        if spec["type"] in _CLIENT:
            toolset.add(spec, namespace=namespace, server=server)
        else:
            toolset.tools.append(spec)
    toolset.choice = _choice(choice, toolset, first=first)
    return toolset


def _flat(tools: list[Json]) -> Iterator[tuple[Json, str | None, str | None]]:
    """Yield each tool with its namespace and, if workers run it, its type. Server tools that are unknown are left out."""
    for tool in tools:
        type_ = tool["type"]
        if type_ == "namespace":
            yield from ((inner, tool["name"], None) for inner in tool.get("tools") or [] if inner.get("type") in _CLIENT)
        elif type_ in TOOLS:
            yield _function(tool), None, type_
        elif not type_.startswith("orq:"):
            yield tool, None, None


def _function(spec: Json) -> Json:
    offered = TOOLS[spec["type"]].offer(spec)
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


def _allows(entry: Json, spec: Json, namespace: str | None, server: str | None) -> bool:
    """Say whether an entry of `allowed_tools` means this tool."""
    match entry.get("type"):
        case "namespace":
            return namespace is not None and entry.get("name") == namespace
        case type_ if server is not None and type_ == server:
            return True
        case type_:
            members = [member for member in ("name", "server_label") if member in entry and member in spec]
            return spec["type"] == type_ and all(spec[member] == entry[member] for member in members)


def _choice(choice: str | Json, toolset: Toolset, *, first: bool) -> str | Json:
    """Say it as a `ModelRequest` does."""
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        choice = str(choice.get("mode") or "auto")
    if not first or not toolset.tools:
        return "none" if choice == "none" else "auto"
    return _forced(choice, toolset) if isinstance(choice, dict) else choice


def _forced(choice: Json, toolset: Toolset) -> str | Json:
    """Name the tool as the model knows it; a tool that is not offered cannot be forced."""
    type_ = choice["type"]
    if type_ not in _CLIENT and not type_.startswith("orq:"):
        return choice
    name = choice["name"] if type_ in _CLIENT else model_name(type_)
    tools = [tool for tool in map(toolset.named, toolset.names()) if tool is not None and name in {tool.name, tool.offered}]
    if not tools:
        return "auto"
    return {"type": type_ if type_ in _CLIENT else "function", "name": tools[0].offered}
