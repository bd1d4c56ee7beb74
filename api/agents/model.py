"""An agent's model: a name, or a name with parameters and a policy of retries."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from agents.models.providers import Providers, UnknownModel
from api.create import check, routing, text, tools
from api.create.check import Check
from shared.errors import InvalidRequest
from shared.items import Json

MAX_FALLBACKS: Final = 8


def parse(value: Any, path: str, *, providers: Providers) -> str | Json:
    """Take a name, or an object that has one. Raises InvalidRequest for a model that no provider here could have."""
    if type(value) is dict:
        given = check.record(value, path, members=_MODEL, required=("id",))
        return {**given, "id": name(given["id"], f"{path}.id", providers=providers)}
    return name(value, path, providers=providers)


def name(value: Any, path: str, *, providers: Providers) -> str:
    """Take the name of a provider's model: an agent is no model."""
    model = check.string(value, path, least=1, most=256)
    if model.startswith("agent/"):
        raise InvalidRequest(
            f"Invalid '{path}': an agent cannot be the model of another. Put it into 'team_of_agents' instead.",
            param=path,
            code="invalid_value",
        )
    try:
        providers.split(model)
    except UnknownModel as error:
        raise InvalidRequest(check.shown(str(error), most=500), param=path, code="model_not_found") from None
    return model


def fallbacks(value: Any, path: str, *, providers: Providers) -> list[str | Json]:
    """Take the models that are tried in turn when one fails."""
    return check.array(value, path, of=partial(parse, providers=providers), most=MAX_FALLBACKS)


def _stop(value: Any, path: str) -> str | list[str]:
    return value if type(value) is str and value else _stops(value, path)


def _response_format(value: Any, path: str) -> Json:
    """Take Chat Completions' form, or the flat one of the Responses API, which is what is kept."""
    given = check.mapping(value, path)
    inner = given.get("json_schema")
    flat = {**inner, "type": "json_schema"} if isinstance(inner, dict) and given.get("type") == "json_schema" else given
    checked: Json = text.parse({"format": flat}, path)["format"]
    return checked


def _tool_choice(value: Any, path: str) -> str | Json:
    """Take either API's form of a choice."""
    match value:
        case {"type": "function", "function": {"name": str(called)}}:
            return tools.choice({"type": "function", "name": called}, path)
        case _:
            return tools.choice(value, path)


def _refused(why: str) -> Check:
    return partial(check.unsupported, why=why)


_stops = partial(check.array, of=partial(check.string, least=1, most=1024), most=16, expected="a string or an array of strings")
_tokens = partial(check.integer, low=1, high=100_000_000)
_penalty = partial(check.number, low=-2, high=2)

PARAMETERS: Final[Mapping[str, Check]] = {
    "temperature": partial(check.number, low=0, high=2),
    "top_p": partial(check.number, low=0, high=1),
    "top_k": partial(check.integer, low=0, high=1_000_000),
    "top_logprobs": partial(check.integer, low=0, high=20),
    "presence_penalty": _penalty,
    "frequency_penalty": _penalty,
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens"), _tokens),
    "stop": _stop,
    "reasoning_effort": partial(check.choice, allowed=text.EFFORTS),
    "verbosity": partial(check.choice, allowed=text.VERBOSITIES),
    "response_format": _response_format,
    "parallel_tool_calls": check.boolean,
    "tool_choice": _tool_choice,
    "prompt_cache_key": partial(check.string, most=256),
    "cache_control": partial(
        check.record,
        members={
            "type": partial(check.choice, allowed=("ephemeral",)),
            "ttl": partial(check.choice, allowed=("5m", "1h")),
        },
        required=("type",),
    ),
}
"""What a model can be told, by the names of Chat Completions."""

_ELSEWHERE: Final[Mapping[str, Check]] = {
    "fallbacks": _refused("Other models to try belong into 'fallback_models'."),
    "retry": _refused("A policy of retries belongs beside 'parameters'."),
    "cache": _refused("Answers of agents are not cached."),
    "load_balancer": _refused("Agents are not spread over models."),
    "timeout": _refused("Timeouts are set for the server. Bound a run by 'settings.max_execution_time'."),
    "guardrails": _refused("Guardrails are not supported, and must not be skipped silently."),
    "plugins": _refused("Plugins are not supported, and must not be skipped silently."),
    "seed": _refused("No provider is sent a seed, so it would promise what is not kept."),
    "thinking": _refused("Write 'reasoning_effort' instead, which every provider understands."),
    "modalities": _refused("Agents write text."),
    "name": _refused("There are no names of traces."),
}
"""What is known, and would have no effect here."""


def _parameters(value: Any, path: str) -> Json:
    """Take what a model can be told; what would have no effect is refused unless it is empty."""
    given = check.record(value, path, members={**PARAMETERS, **_ELSEWHERE})
    return {member: kept for member, kept in given.items() if member in PARAMETERS}


_MODEL: Final[Mapping[str, Check]] = {
    "id": check.string,
    "parameters": _parameters,
    "retry": routing.CHECKS["retry"],
}
