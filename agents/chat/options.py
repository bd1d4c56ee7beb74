"""How a turn is to be taken: the members of a chat completion's body besides its messages, its tools and its format."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from agents.chat import reading
from agents.models.base import ModelError, Sampling
from shared.items import Json

MOST_CHOICES: Final = 8
"""Choices of one call. Each is a turn of its own, because these providers have no other way to give several."""

_MOST_STOPS: Final = 16
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast")
_VERBOSITIES: Final = ("low", "medium", "high")
_MODALITIES: Final = ("text", "image")
_BUDGETS: Final[Mapping[str, int]] = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576}
"""Tokens to think with, and the effort that they mean to a model which takes no number."""
_LOGPROBS: Final = "message.output_text.logprobs"

Check = Callable[[Any, str], object]

IGNORED: Final[Mapping[str, Check]] = {
    "seed": reading.integer,  # nobody promises that it does anything
    "logit_bias": reading.record,  # counts in the tokens of a model that is not asked
    "prediction": reading.record,  # would only be faster
    "store": reading.flag,  # nothing is stored
    "metadata": reading.record,  # is about what is stored
    "stream_options": reading.record,  # the usage always comes, and padding never
    "prompt_cache_options": reading.record,  # only OpenAI's caches have these settings
}
"""Members that change nothing here. They must still be what they should be."""

REFUSED: Final[Mapping[str, str]] = {
    "audio": "this model's provider does not answer in sound. Use the 'audio/speech' endpoint",
    "moderation": "this model's provider does not moderate. Use the 'moderations' endpoint",
    "web_search_options": "this model's provider does not search the web through chat completions",
}
"""Members that ask for something else than a turn can give."""

PASSED: Final[Mapping[str, Check]] = {
    "user": reading.text,
    "safety_identifier": reading.text,
    "service_tier": partial(reading.one_of, words=_TIERS),
    "prompt_cache_key": reading.text,
    "prompt_cache_retention": reading.text,
    "cache_control": reading.record,
}
"""Members that a wire may forward, each as far as it knows it."""

READ: Final = frozenset(
    {
        *("messages", "stream", "n", "modalities", "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls"),
        *("response_format", "verbosity", "temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"),
        *("max_tokens", "max_completion_tokens", "stop", "logprobs", "top_logprobs"),
        *("reasoning_effort", "reasoning", "thinking"),
    }
)


def check(body: Json) -> None:
    """Refuse what no turn can do, rather than to do something else. Raises ModelError."""
    for name, value in body.items():
        if value is None or name in READ or name in PASSED:
            continue
        if name in IGNORED:
            IGNORED[name](value, name)
        elif name in REFUSED:
            raise ModelError("invalid_prompt", f"Unsupported parameter: '{name}': {REFUSED[name]}.")
        else:
            raise ModelError("invalid_prompt", f"Unknown parameter: '{reading.shown(name)}'.")
    for index, modality in enumerate(reading.optional(body, "modalities", reading.array) or ()):
        if modality == "audio":
            raise ModelError("invalid_prompt", f"Unsupported value: 'modalities[{index}]': {REFUSED['audio']}.")
        reading.one_of(modality, f"modalities[{index}]", _MODALITIES)


def choices(body: Json) -> int:
    """Read how many answers are wanted."""
    return reading.optional(body, "n", partial(reading.integer, least=1, most=MOST_CHOICES)) or 1


def sampling(body: Json) -> Sampling:
    """Read how tokens are chosen, and how many."""
    count = partial(reading.integer, least=1)
    limit = reading.optional(body, "max_completion_tokens", count) or reading.optional(body, "max_tokens", count)
    most_likely = reading.optional(body, "top_logprobs", partial(reading.integer, least=0, most=20))
    if most_likely is not None and not body.get("logprobs"):
        raise reading.wrong("logprobs", "true, if 'top_logprobs' is given")
    return Sampling(
        temperature=reading.optional(body, "temperature", reading.number),
        top_p=reading.optional(body, "top_p", reading.number),
        top_k=reading.optional(body, "top_k", partial(reading.integer, least=0)),
        presence_penalty=reading.optional(body, "presence_penalty", reading.number),
        frequency_penalty=reading.optional(body, "frequency_penalty", reading.number),
        top_logprobs=most_likely,
        max_output_tokens=limit,
        stop=_stop(body.get("stop")),
    )


def _stop(given: Any) -> tuple[str, ...]:
    match given:
        case None:
            return ()
        case str():
            return (given,)
        case list():
            listed = reading.array(given, "stop", most=_MOST_STOPS)
            return tuple(reading.text(one, f"stop[{index}]") for index, one in enumerate(listed))
        case _:
            raise reading.wrong("stop", "a string or an array of strings")


def verbosity(body: Json) -> str | None:
    """Read how long answers should be, which only OpenAI's models are told."""
    return reading.optional(body, "verbosity", partial(reading.one_of, words=_VERBOSITIES))


def reasoning(body: Json) -> Json:
    """Read how hard to think, which clients say in three ways; what is thought is told, unless they exclude it."""
    asked = reading.optional(body, "reasoning", reading.record) or {}
    thinking = reading.optional(body, "thinking", reading.record) or {}
    effort = _effort(body, asked, thinking)
    budget = _budget(asked, thinking)
    enabled, hidden = (reading.optional(asked, name, reading.flag, within="reasoning") for name in ("enabled", "exclude"))
    summary = reading.optional(asked, "summary", reading.text, within="reasoning") or "auto"
    if effort == "none" or enabled is False or thinking.get("type") == "disabled":
        return {"effort": "none"}
    if not (effort or budget or enabled or thinking):
        return {}
    return {
        "effort": effort or _effort_of(budget),
        **({} if hidden else {"summary": summary}),
        **({} if effort or budget is None else {"budget_tokens": budget}),
    }


def _effort(body: Json, asked: Json, thinking: Json) -> str | None:
    word = partial(reading.one_of, words=_EFFORTS)
    reading.optional(thinking, "type", partial(reading.one_of, words=("enabled", "adaptive", "disabled")), within="thinking")
    return (
        reading.optional(body, "reasoning_effort", word)
        or reading.optional(asked, "effort", word, within="reasoning")
        or reading.optional(thinking, "thinking_level", word, within="thinking")
    )


def _budget(asked: Json, thinking: Json) -> int | None:
    count = partial(reading.integer, least=1)
    tokens = reading.optional(thinking, "budget_tokens", count, within="thinking")
    return tokens or reading.optional(asked, "max_tokens", count, within="reasoning")


def _effort_of(budget: int | None) -> str:
    if budget is None:
        return "medium"
    return next((effort for effort, tokens in _BUDGETS.items() if budget <= tokens), "max")


def passthrough(body: Json) -> Json:
    """Collect what a wire may forward. Log probabilities come from the providers that have them, and are null elsewhere."""
    passed = {name: body[name] for name, must in PASSED.items() if reading.optional(body, name, must) is not None}
    wanted = reading.optional(body, "logprobs", reading.flag)
    return {**passed, "include": [_LOGPROBS]} if wanted else passed
