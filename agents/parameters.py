"""An agent's model parameters, named as Chat Completions names them, in the Responses API's places."""

from typing import Final

from shared.items import Json


def id_of(model: str | Json) -> str:
    """The `provider/model` of a model, which is named or described."""
    return model if isinstance(model, str) else str(model["id"])


def retry(model: str | Json | None) -> Json:
    """How a model's failures are retried, if the agent says."""
    return (model.get("retry") or {}) if isinstance(model, dict) else {}


def sort(model: str | Json | None) -> Json:
    """Sort an agent's model parameters, named as Chat Completions does, into the Responses API's places."""
    given: Json = (model.get("parameters") or {}) if isinstance(model, dict) else {}
    sampling = {_SAMPLING[name]: value for name, value in given.items() if name in _SAMPLING}
    if (stop := given.get("stop")) is not None:
        sampling["stop"] = [stop] if isinstance(stop, str) else stop
    return {
        "sampling": sampling,
        "passthrough": {name: given[name] for name in ("prompt_cache_key", "cache_control") if given.get(name)},
        "text": {
            **({"format": _format(given["response_format"])} if given.get("response_format") else {}),
            **({"verbosity": given["verbosity"]} if given.get("verbosity") else {}),
        },
        "reasoning": {"effort": given["reasoning_effort"]} if given.get("reasoning_effort") else {},
        **{name: given[name] for name in ("tool_choice", "parallel_tool_calls") if given.get(name) is not None},
    }


_SAMPLING: Final = {
    **{name: name for name in ("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "top_logprobs")},
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens"), "max_output_tokens"),
}


def _format(given: Json) -> Json:
    """Flatten Chat Completions' `json_schema`."""
    inner = given.get("json_schema")
    return {"type": "json_schema", "description": None, "strict": False, **inner} if isinstance(inner, dict) else given


def settings(given: Json, formats: list[Json], asked: Json) -> Json:
    """Put the members together that an agent, a saved schema and the request may each give; the request has the last word."""
    text = {"format": {"type": "text"}, "verbosity": "medium", **given["text"]}
    if formats:
        text["format"] = {"description": None, "strict": False, **formats[-1], "type": "json_schema"}
    body: Json = {
        "text": {**text, **asked.get("text", {})},
        "reasoning": {"effort": None, "summary": None, **given["reasoning"], **asked.get("reasoning", {})},
        "truncation": asked.get("truncation", "auto"),
    }
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in asked or name in given:
            body[name] = asked.get(name, given.get(name))
    return body
