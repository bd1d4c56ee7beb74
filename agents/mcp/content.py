"""What an MCP tool returned, as the text that a model reads."""

from typing import Any, Final

import orjson

from shared.items import Json

MAX_TEXT: Final = 200_000
"""Characters. What a model is given of any result is bounded again, with a note."""
MAX_URI: Final = 500


def text(result: Json) -> str:
    """Join the text of a result, and describe in a line each what is none; without any, write its structured content."""
    parts = [_part(block) for block in result.get("content") or []]
    structured = result.get("structuredContent")
    if structured is not None and not any(block.get("type") == "text" for block in result.get("content") or []):
        parts.append(orjson.dumps(structured).decode())
    return "\n".join(parts)[:MAX_TEXT]


def _part(block: Json) -> str:
    match block:
        case {"type": "text", "text": str(said)}:
            return said
        case {"type": "image" | "audio" as kind, "data": str(data)}:
            return f"[{kind}, {_kind(block)}, {_size(data)}]"
        case {"type": "resource", "resource": {"text": str(said)} as resource}:
            return f"[resource {_uri(resource)}]\n{said}"
        case {"type": "resource", "resource": {"blob": str(data)} as resource}:
            return f"[resource {_uri(resource)}, {_kind(resource)}, {_size(data)}]"
        case {"type": "resource_link"}:
            return f"[link to resource {_uri(block)}, {_kind(block)}]"
        case _:
            return "[content of an unknown type]"


def _kind(block: Json) -> str:
    return str(block.get("mimeType") or "unknown type")[:MAX_URI]


def _uri(block: Json) -> str:
    uri: Any = block.get("uri") or ""
    return str(uri)[:MAX_URI]


def _size(data: str) -> str:
    """Say how much base64 stands for."""
    return f"{len(data.rstrip('=')) * 3 // 4} bytes"
