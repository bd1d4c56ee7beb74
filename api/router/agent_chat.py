"""Agents behind chat completions: the run is a durable response, and what it says is told in the shape of chats."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from agents.chat import request as chat
from agents.chat.messages import items
from agents.models.base import ModelError
from api import responses
from api.create.request import Limits, parse
from api.desk import Desk
from api.keys import identity_of
from api.replies import json_reply
from api.router.failures import UpstreamFailed
from api.waiting import STATUS, Reader
from shared import frames, ids
from shared.frames import Page
from shared.items import CALLS, Item, Json

_OTHERS: Final = frozenset(
    {
        *("messages", "tools", "functions", "tool_choice", "function_call", "response_format", "verbosity", "stop"),
        *("max_tokens", "max_completion_tokens", "reasoning_effort", "stream_options", "n", "seed", "logit_bias"),
    }
)
"""Members that are translated, or change nothing. All others are a response's, or refused as there."""


async def answer(request: Request, project_id: str, body: Json) -> Response:
    """Run an agent for a chat: the messages are its input, and only calls that the client must answer are told as such.

    Raises what creating a response raises.
    """
    desk: Desk = request.state.desk
    try:
        given = _create(body)
    except ModelError as error:
        raise UpstreamFailed(error) from None
    limits = Limits(max_items=desk.settings.max_items, max_tools=desk.settings.max_tools)
    wanted = parse(given, limits=limits).attributed_to(identity_of(request))
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    return await responses.respond(
        request,
        project_id,
        wanted,
        raw=orjson.dumps(body),
        pages=lambda reader: Telling(reader, wanted.model, wants_usage=wants_usage),
        render=lambda whole: _completion(orjson.loads(whole)),
    )


def _create(body: Json) -> Json:
    """Translate a chat's body into a response's. Raises ModelError."""
    others = {name: value for name, value in body.items() if name not in _OTHERS}
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    stop = body.get("stop")
    effort = body.get("reasoning_effort")
    tools = [{name: value for name, value in tool.items() if value is not None} for tool in chat.tools(body)]
    made = {
        **others,
        "input": items(body.get("messages")),
        "tools": tools or None,
        "tool_choice": chat.tool_choice(body) if tools or body.get("tool_choice") else None,
        "text": chat.text_format(body) or None,
        "max_output_tokens": limit,
        "stop_sequences": [stop] if isinstance(stop, str) else stop,
        "reasoning": None if effort is None else {"effort": effort},
    }
    return {name: value for name, value in made.items() if value is not None}


def _completion(response: Json) -> Response:
    """Tell a finished response as a whole chat completion."""
    output: list[Item] = response["output"]
    message: Json = {"role": "assistant", "content": _said(output) or None, "refusal": None}
    if thoughts := "".join(_thought(item) for item in output):
        message["reasoning_content"] = thoughts
    if calls := _calls(output):
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(response, calls)}
    whole = {
        "id": response["id"].replace("resp_", "chatcmpl_", 1),
        "object": "chat.completion",
        "created": int(response["created_at"]),
        "model": response["model"],
        "choices": [choice],
        "usage": _usage(response),
        "system_fingerprint": None,
    }
    return json_reply(whole, headers={"x-rondo-response-id": response["id"]})


def _said(output: list[Item]) -> str:
    """Put an agent's messages together, and what it waits for."""
    texts = [text for item in output if item["type"] == "message" and (text := _text(item))]
    return "\n\n".join([*texts, *(_asked(item) for item in output if item["type"] == "mcp_approval_request")])


def _text(item: Item) -> str:
    return "".join(part.get("text") or part.get("refusal") or "" for part in item["content"])


def _thought(item: Item) -> str:
    parts = [*(item.get("summary") or ()), *(item.get("content") or ())] if item["type"] == "reasoning" else []
    return "".join(part.get("text") or "" for part in parts)


def _asked(item: Item) -> str:
    """Say that a call needs somebody's word, for which chats have no shape."""
    return (
        f"The call of '{item['name']}' needs approval: decide it with POST /v1/approvals/{item['id']}, "
        'and {"approve": true} or {"approve": false}.'
    )


def _calls(output: list[Item]) -> list[Json]:
    """Collect the calls that the client must answer: those of workers have their results beside them."""
    answered = {item["call_id"] for item in output if "call_id" in item and item["type"] not in CALLS}
    asked = [item for item in output if item["type"] in CALLS and item["call_id"] not in answered]
    return [_call(index, item) for index, item in enumerate(asked)]


def _call(index: int, item: Item) -> Json:
    kind, member = ("function", "arguments") if item["type"] == "function_call" else ("custom", "input")
    given = item["arguments"] if kind == "function" else item["input"]
    return {"index": index, "id": item["call_id"], "type": kind, kind: {"name": item["name"], member: given}}


def _reason(response: Json, calls: list[Json]) -> str:
    if response["status"] == "incomplete":
        return "content_filter" if (response.get("incomplete_details") or {}).get("reason") == "content_filter" else "length"
    return "tool_calls" if calls else "stop"


def _usage(response: Json) -> Json | None:
    usage = response.get("usage")
    if not usage:
        return None
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": usage["input_tokens_details"]["cached_tokens"]},
        "completion_tokens_details": {"reasoning_tokens": usage["output_tokens_details"]["reasoning_tokens"]},
    }


_MEMBERS: Final[Mapping[str, str]] = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_content",
    "response.reasoning_summary_text.delta": "reasoning_content",
}


class Telling:
    """A response's log told as a chat's chunks, page by page."""

    def __init__(self, reader: Reader, model: str, *, wants_usage: bool) -> None:
        """`reader` is closed with this."""
        self._reader = reader
        self._wants_usage = wants_usage
        self._spoken = False
        head = {
            "id": reader.response_id.replace("resp_", "chatcmpl_", 1) or ids.new("chatcmpl"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": None,
        }
        self._start = b"data: " + orjson.dumps(head)[:-1]

    async def __aiter__(self) -> AsyncIterator[Page]:
        """Yield pages of chunks, and empty ones as signs of life."""
        first = True
        async for page in self._reader:
            told = [self._told(event) for event in frames.decode(page.frames)] if page.frames else []
            if first and told:
                told.insert(0, self._chunk({"role": "assistant", "content": ""}))
                first = False
            yield Page(page.first, page.last, b"".join(told))

    def close(self) -> None:
        """Give up what the reader holds."""
        self._reader.close()

    def _told(self, event: Json) -> bytes:
        match event["type"]:
            case type_ if type_ in _MEMBERS:
                return self._delta(_MEMBERS[type_], event["delta"])
            case "response.output_item.added" if event["item"]["type"] == "message" and self._spoken:
                return self._delta("content", "\n\n")
            case "response.completed" | "response.incomplete":
                return self._end(event["response"])
            case "response.failed":
                error = event["response"]["error"]
                return b"data: " + orjson.dumps({"error": _envelope(error)}) + b"\n\n"
            case _:
                return b""

    def _delta(self, member: str, text: str) -> bytes:
        self._spoken = self._spoken or member == "content"
        return self._chunk({member: text})

    def _end(self, response: Json) -> bytes:
        """Tell the calls that wait for the client, why the run ended, and what it took."""
        output = response["output"]
        asked = "\n\n".join(_asked(item) for item in output if item["type"] == "mcp_approval_request")
        calls = _calls(output)
        told = self._chunk({"content": ("\n\n" if self._spoken else "") + asked}) if asked else b""
        told += b"".join(self._chunk({"tool_calls": [call]}) for call in calls)
        told += self._chunk({}, reason=_reason(response, calls))
        if self._wants_usage:
            told += self._start + b',"choices":[],"usage":' + orjson.dumps(_usage(response)) + b"}\n\n"
        return told

    def _chunk(self, delta: Json, *, reason: str | None = None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._start + b',"choices":[' + orjson.dumps(choice) + b"]}\n\n"


def _envelope(error: Json) -> Json:
    status = STATUS.get(error["code"], 500)
    kind = {400: "invalid_request_error", 429: "requests"}.get(status, "server_error")
    return {"message": error["message"], "type": kind, "param": None, "code": error["code"]}
