"""A turn as a Chat Completions request, in the words that the server at hand knows."""

import re
from dataclasses import dataclass
from typing import Any, Final, assert_never
from urllib.parse import urlsplit

from agents.models import custom, hosted, media, opaque, turns
from agents.models.base import ModelError, ModelRequest
from agents.models.media import Inline, Linked, Stored
from shared.items import Item, Json, Part, output_text, text_of

_OWN_MODELS: Final = re.compile(r"(.*/)?(o\d|gpt-[5-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Where compatible servers differ in what they take. Unknown members are an error to some of them."""

    limit: str = "max_tokens"
    usage_option: bool = True
    """Whether usage must be asked for."""
    thoughts: bool = True
    """Whether a model's reasoning may be sent back."""
    passes: frozenset[str] = frozenset({"service_tier", "user"})
    """Members of a request's `passthrough` that may be sent."""


_OPENAI: Final = Dialect(
    limit="max_completion_tokens",
    thoughts=False,
    passes=frozenset({"service_tier", "user", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"}),
)
_MISTRAL: Final = Dialect(usage_option=False, thoughts=False, passes=frozenset())


def dialect(base_url: str, model: str) -> Dialect:
    """Tell a server's dialect by its host; OpenAI's newer models refuse `max_tokens` wherever they are served."""
    host = f".{urlsplit(base_url).hostname or ''}"
    if host.endswith((".openai.com", ".azure.com")):
        return _OPENAI
    if host.endswith(".mistral.ai"):
        return _MISTRAL
    return Dialect(limit="max_completion_tokens") if _OWN_MODELS.match(model) else Dialect()


def build(request: ModelRequest, *, dialect: Dialect, wire: str) -> Json:
    """Build the body; what the client did not give stays away. Raises ModelError for content that the wire cannot carry."""
    sampling = request.sampling
    body = {
        **{name: value for name, value in request.passthrough.items() if name in dialect.passes},
        "model": request.model,
        "messages": messages(request, thoughts=wire if dialect.thoughts else None),
        "stream": True,
        "stream_options": {"include_usage": True} if dialect.usage_option else None,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": list(sampling.stop) or None,
        "logprobs": _wants_logprobs(request) or None,
        "top_logprobs": sampling.top_logprobs or None,
        dialect.limit: sampling.max_output_tokens,
        "reasoning_effort": request.reasoning.get("effort"),
        "verbosity": request.text.get("verbosity"),
        "response_format": _format(request.text.get("format") or {}),
        **_tools(request),
    }
    return {name: value for name, value in body.items() if value is not None}


def messages(request: ModelRequest, *, thoughts: str | None) -> list[Json]:
    """Make the messages. System and developer messages are joined and come first: many chat templates accept no other place.

    `thoughts` is the wire whose reasoning is sent back, in the turns since the user last spoke, as servers that want it ask.
    """
    made: list[Json] = []
    if told := turns.system(request.instructions, request.items):
        made.append({"role": "system", "content": "\n\n".join(told)})
    alternating = turns.alternate(request.items)
    last = max(
        (number for number, turn in enumerate(alternating) if isinstance(turn, turns.UserTurn) and turn.items), default=0
    )
    for number, turn in enumerate(alternating):
        match turn:
            case turns.UserTurn():
                made.extend(_user(turn))
            case turns.ModelTurn():
                made.extend(_assistant(turn, thoughts=thoughts if number > last else None))
            case _:
                assert_never(turn)
    return made


def _user(turn: turns.UserTurn) -> list[Json]:
    """Give each answer as a tool's message, and what such a message cannot hold as the user's."""
    outputs = [(answer.call["call_id"], answer.output["output"] if answer.output else "") for answer in turn.answers]
    answers = [{"role": "tool", "tool_call_id": call_id, "content": output_text(output)} for call_id, output in outputs]
    shown = [_part(part) for _, output in outputs if not isinstance(output, str) for part in output if media.of(part)]
    said = [{"role": "user", "content": _content(item)} for item in turn.items]
    return [*answers, *([{"role": "user", "content": shown}] if shown else []), *said]


def _content(item: Item) -> str | list[Json]:
    """Translate a user's content; plain text stays a string, which every server reads."""
    content = item.get("content") or ""
    if isinstance(content, str) or not any(media.of(part) for part in content):
        return text_of(item)
    return [_part(part) for part in content]


def _part(part: Part) -> Json:
    """Translate a part; raise ModelError for a file that is only an address, or an image that is only an id."""
    match media.of(part):
        case None:
            return {"type": "text", "text": part.get("text") or ""}
        case Inline(mime=mime, data=data) if part["type"] == "input_audio":
            return {"type": "input_audio", "input_audio": {"data": data, "format": "mp3" if mime == "audio/mpeg" else "wav"}}
        case Inline(mime=mime, data=data) if part["type"] == "input_image":
            return _image(f"data:{mime};base64,{data}", part)
        case Linked(url=url) if part["type"] == "input_image":
            return _image(url, part)
        case Inline(mime=mime, data=data, name=name):
            return {"type": "file", "file": {"filename": name or "file", "file_data": f"data:{mime};base64,{data}"}}
        case Stored(file_id=file_id) if part["type"] == "input_file":
            return {"type": "file", "file": {"file_id": file_id}}
        case Linked() | Stored():
            raise ModelError("invalid_prompt", f"This model's provider cannot take an {part['type']} part given this way.")


def _image(url: str, part: Part) -> Json:
    detail = part.get("detail")
    return {"type": "image_url", "image_url": {"url": url, **({"detail": detail} if detail in {"low", "high"} else {})}}


def _assistant(turn: turns.ModelTurn, *, thoughts: str | None) -> list[Json]:
    """Make one message of a model's turn: its text, its calls, and its reasoning if it is wanted back."""
    text = "".join(text_of(item) for item in turn.items if (item.get("type") or "message") == "message")
    calls = [call for item in turn.items if (call := _call(item)) is not None]
    if not text and not calls:
        return []
    message: Json = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
    for item in turn.items:
        sealed = opaque.unseal(thoughts, item) if thoughts and item.get("type") == "reasoning" else None
        if sealed:
            message[sealed["member"]] = message.get(sealed["member"], "") + sealed["text"]
    return [message]


def _call(item: Item) -> Json | None:
    match item.get("type"):
        case "function_call":
            arguments = item.get("arguments") or "{}"
        case "custom_tool_call":
            arguments = custom.wrap(item.get("input") or "")
        case _:
            return None
    return {"id": item["call_id"], "type": "function", "function": {"name": item["name"], "arguments": arguments}}


def _tools(request: ModelRequest) -> Json:
    tools = [_tool(tool) for tool in hosted.without(request.tools, wire="openai-chat")]
    if not tools:
        return {}
    return {
        "tools": tools,
        "tool_choice": _choice(request.tool_choice),
        # True is everywhere the default, and the member itself is not known everywhere.
        "parallel_tool_calls": None if request.parallel_tool_calls else False,
    }


def _tool(tool: Json) -> Json:
    """Declare a tool that is called by name; a custom tool takes its input as one string."""
    if tool["type"] == "custom":
        declared = {"name": tool["name"], "description": custom.describe(tool) or None, "parameters": custom.PARAMETERS}
        strict = None
    else:
        parameters = tool.get("parameters") or {"type": "object", "properties": {}}
        declared = {"name": tool["name"], "description": tool.get("description") or None, "parameters": parameters}
        strict = tool.get("strict") or None
    function = {name: value for name, value in {**declared, "strict": strict}.items() if value is not None}
    return {"type": "function", "function": function}


def _choice(choice: str | Json) -> str | Json:
    return choice if isinstance(choice, str) else {"type": "function", "function": {"name": choice["name"]}}


def _format(given: Json) -> Json | None:
    match given.get("type"):
        case "json_object":
            return {"type": "json_object"}
        case "json_schema":
            members = ("name", "description", "schema", "strict")
            schema: dict[str, Any] = {name: given[name] for name in members if given.get(name) is not None}
            return {"type": "json_schema", "json_schema": schema}
        case _:
            return None


def _wants_logprobs(request: ModelRequest) -> bool:
    included = request.passthrough.get("include") or ()
    return bool(request.sampling.top_logprobs) or "message.output_text.logprobs" in included
