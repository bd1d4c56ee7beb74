"""Tools that hand work to other models and agents: what a model is offered. Their calls become responses of their own."""

from typing import Any, Final

from agents.tools.base import Call, Effect, Function, Queue
from shared.items import Json

_LONGEST: Final = 7 * 86_400.0
"""Seconds; a delegated response ends with the deadline of the one that waits for it at the latest."""


class Delegate:
    """One delegating type; `registry.run` never runs it. The child is found by its call, so repeating one does nothing."""

    queue: Queue = "tools"

    def __init__(self, description: str, argument: str, meaning: str) -> None:
        """Offer one text, `argument`, that means `meaning`; agents that can be called are one more argument."""
        self._description = description
        self._argument = argument
        self._meaning = meaning

    def offer(self, spec: Json, /) -> Function:
        """Offer the text, and the choice among a team's agents if there is a team."""
        properties: Json = {self._argument: {"type": "string", "minLength": 1, "description": self._meaning}}
        if "agents" in spec:
            keys = [agent["key"] for agent in spec["agents"]]
            properties = {"agent_key": {"type": "string", "enum": keys, "description": "Which agent."}} | properties
        return Function(
            name=str(spec["type"]).replace(":", "_"),
            description=self._description + _team(spec.get("agents") or []),
            parameters={
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            },
        )

    def effect(self, _: Json, /) -> Effect:
        """One call makes one child."""
        return "idempotent"

    def timeout(self, _: Json, /) -> float:
        """As long as a response may take."""
        return _LONGEST


class Agents:
    """`orq:retrieve_agents`."""

    queue: Queue = "tools"

    def offer(self, spec: Json, /) -> Function:
        """Offer no arguments."""
        return Function(
            name=str(spec["type"]).replace(":", "_"),
            description="List the agents of your team: their keys, and what each of them can do.",
            parameters={"type": "object", "properties": {}, "additionalProperties": False},
        )

    def effect(self, _: Json, /) -> Effect:
        """Looking does nothing."""
        return "pure"

    def timeout(self, _: Json, /) -> float:
        """It takes no time."""
        return 5.0

    async def run(self, spec: Json, _: Json, __: Call, /) -> Any:
        """List the team."""
        return spec["agents"]


def _team(agents: list[Json]) -> str:
    """Name the agents, one a line."""
    lines = [f"- {agent['key']}: {agent.get('description') or agent.get('role') or ''}".rstrip(": ") for agent in agents]
    return "\n".join(["", *lines]) if lines else ""


_SUBAGENT: Final = Delegate(
    "Hand a self-contained task to an assistant that works on it alone and returns what it made. It sees nothing but the task.",
    "task",
    "The whole task, with everything that is needed to do it.",
)

DELEGATES: Final[dict[str, Delegate]] = {
    "orq:call_sub_agent": Delegate(
        "Let an agent of your team do a part of the work, and get its answer. It sees nothing but the input.",
        "input",
        "What the agent is asked, with everything that it needs to know.",
    ),
    "orq:advisor": Delegate(
        "Ask an experienced advisor for guidance. It sees the conversation so far.",
        "question",
        "What you want advice on.",
    ),
    "orq:subagent": _SUBAGENT,
    "orq:sidekick": _SUBAGENT,
}
"""By type; the last two are names of one thing."""
