"""What is left out of a context that outgrows its model, if `truncation` is `auto`.

First, all tool outputs but the newest few are cut to their beginnings, which say so. Then, as long as that is not enough, the
older half of the context is dropped. System and developer messages and the newest user message always stay; a call goes with
its output. The history itself loses nothing: only what a model is asked is shortened.
"""

from dataclasses import replace
from typing import Any, Final

import orjson

from agents import prompt
from agents.models.base import ModelRequest
from shared.items import CALL_OUTPUTS, Item, output_text

BYTES_PER_TOKEN: Final = 3
"""Of JSON in UTF-8, on the safe side: European prose has 4 and more, source code 3 to 4, Chinese about 3."""
MEDIA_TOKENS: Final = 2_000
"""What an image or a file counts, however many bytes it has."""
ANSWER_TOKENS: Final = 4_096
"""Room for the answer, if the request says nothing of it."""
KEPT_WHOLE: Final = 4
"""How many of the newest tool outputs are never cut."""
KEPT: Final = 1_000
"""Characters of the others."""

_MEDIA: Final = frozenset({"image_url", "file_data", "data"})


def fit(request: ModelRequest, window: int) -> ModelRequest:
    """Shorten a request until it is estimated to fit a window of so many tokens, or nothing is left to leave out."""
    answer = request.sampling.max_output_tokens or ANSWER_TOKENS
    fixed = tokens([request.instructions, request.tools, request.text])
    room = window - min(answer, window // 2) - fixed
    items: list[Item] | None = request.items
    fitting = request.items
    while items is not None and tokens(items) > room:
        items = shorter(items)
        fitting = fitting if items is None else items
    return request if fitting is request.items else replace(request, items=fitting)


def shorter(items: list[Item]) -> list[Item] | None:
    """Leave out a little: the ends of old tool outputs, or else the older half; None if nothing is left to leave out."""
    cut = _cut(items)
    return prompt.drop_oldest(items) if cut == items else cut


def tokens(value: Any) -> int:
    """Estimate what a value costs a model, rather too much than too little."""
    media = [0]
    size = len(orjson.dumps(_without_media(value, media)))
    return -(-size // BYTES_PER_TOKEN) + media[0] * MEDIA_TOKENS


def _without_media(value: Any, media: list[int]) -> Any:
    """Take images and files out, and count them in `media`; what holds none is returned as it is."""
    match value:
        case list():
            return [_without_media(each, media) for each in value]
        case dict():
            return {
                name: _taken(each, media) if name in _MEDIA else _without_media(each, media) for name, each in value.items()
            }
        case _:
            return value


def _taken(value: Any, media: list[int]) -> Any:
    if not isinstance(value, str):
        return _without_media(value, media)
    media[0] += 1
    return ""


def _cut(items: list[Item]) -> list[Item]:
    """Cut the tool outputs that are not among the newest."""
    outputs = [index for index, item in enumerate(items) if item.get("type") in CALL_OUTPUTS]
    old = set(outputs[:-KEPT_WHOLE])
    return [_beginning(item) if index in old else item for index, item in enumerate(items)]


def _beginning(item: Item) -> Item:
    """Keep the beginning of an output; what an image or a file in it would say is lost."""
    text = output_text(item["output"])
    note = f"\n[Shortened to make room: these are the first {KEPT} of {len(text)} characters.]"
    if len(text) <= KEPT + len(note) and isinstance(item["output"], str):
        return item
    return item | {"output": text[:KEPT] + note}
