"""`mcp`: the tools of a server that speaks the Model Context Protocol."""

from typing import Any, Final

from agents.mcp import content
from agents.mcp.rendering import endpoint
from agents.tools.base import Call, Effect, Function, Queue, ToolError
from shared.items import Json

TIMEOUT: Final = 60.0


class Mcp:
    """`mcp`. A spec is a server with many functions: `agents.mcp.listing` offers those, and a call names one."""

    queue: Queue = "tools"

    def offer(self, spec: Json, /) -> Function:
        """Describe the server; no model is offered it as a function."""
        about = spec.get("server_description") or ""
        return Function(name=spec["server_label"], description=about, parameters={"type": "object"})

    def effect(self, _: Json, /) -> Effect:
        """Nobody knows: a server's hints are claims, and a wrong one would do harm twice."""
        return "at_most_once"

    def timeout(self, spec: Json, /) -> float:
        """Return what the spec says, or a minute."""
        return float(spec.get("timeout") or TIMEOUT)

    async def run(self, spec: Json, arguments: Json, call: Call, /) -> Any:
        """Call the tool that `call.name` names, and return its result as text."""
        there = endpoint(spec, engine=call.engine, variables=call.variables, secrets=call.secrets)
        meta = {"rondo/idempotency-key": call.idempotency_key}
        result = await call.box.servers.call(there, call.name, arguments, meta)
        if "content" not in result:
            raise ToolError("The MCP server asks for input from a person, which cannot be given here.")
        said = content.text(result)
        if result.get("isError"):
            raise ToolError(said or "The tool failed, and its server does not say why.")
        return said
