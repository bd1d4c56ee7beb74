"""What the loop says to a model and hears from it: the seam that every provider adapter implements."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from shared.items import Item, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling parameters as the client gave them; None means the provider's own default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    top_logprobs: int | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to wait for a connection, for the first token, and from one token to the next."""

    connect: float = 10.0
    first_token: float = 120.0
    between_tokens: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One turn to be taken by a model.

    `items` is the assembled context, oldest first: messages, calls, outputs and reasoning in the shapes of the Responses API,
    with string contents allowed, references resolved and every call paired with its output. `tools` are Responses tools:
    `{"type": "function", "name", "description", "parameters", "strict"}`, `{"type": "custom", …}`, and hosted tools of the
    provider, which only the `openai-responses` wire can serve; the other wires skip what they do not know.
    `tool_choice` is `"auto" | "none" | "required"` or `{"type": "function" | "custom", "name": …}`.
    `text` and `reasoning` are the request's objects of those names; `reasoning` may also hold `budget_tokens`, for wires that
    take a number in place of an effort. `passthrough` holds request fields that a wire may
    forward by their own name: prompt_cache_key, safety_identifier, service_tier, user, include, metadata, cache_control.
    """

    model: str
    items: list[Item]
    instructions: str | None = None
    tools: list[Json] = field(default_factory=list)
    tool_choice: str | Json = "auto"
    parallel_tool_calls: bool = True
    sampling: Sampling = field(default_factory=Sampling)
    text: Json = field(default_factory=dict)
    reasoning: Json = field(default_factory=dict)
    passthrough: Json = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What a call took besides text: tokens of sound and pictures, which are part of `Usage`'s, and what is no token."""

    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0
    seconds: float = 0.0
    """Of sound that was heard."""
    characters: int = 0
    """That were read aloud."""
    searches: int = 0
    """Queries that documents were ranked by."""

    def __add__(self, other: "Media") -> "Media":
        return Media(
            audio_input=self.audio_input + other.audio_input,
            audio_output=self.audio_output + other.audio_output,
            image_input=self.image_input + other.image_input,
            image_output=self.image_output + other.image_output,
            seconds=self.seconds + other.seconds,
            characters=self.characters + other.characters,
            searches=self.searches + other.searches,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one model call. `cached` and `cache_write` are part of `input`, `reasoning` of `output`."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    media: Media = Media()

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            cache_write=self.cache_write + other.cache_write,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            media=self.media + other.media,
        )


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the current message. `logprobs` are in the Responses shape, one object per token."""

    text: str
    logprobs: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More text of a refusal in the current message."""

    text: str


@dataclass(frozen=True, slots=True)
class AnnotationAdded:
    """A citation for the current message's text, in the Responses shape (`url_citation`, …)."""

    annotation: Json


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's raw reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningSummaryDelta:
    """More of a summary of the model's reasoning; `index` tells the summary's parts apart."""

    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class ReasoningDone:
    """The current reasoning item is complete. `opaque` is what the provider wants back next turn, verbatim, or None.

    An adapter makes `opaque` (`opaque.seal`) and reads it again (`opaque.unseal`) from a reasoning item's `encrypted_content`.
    """

    opaque: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """The model began to call a tool. `key` identifies the call within this turn (a provider's index or id)."""

    key: str
    call_id: str
    name: str
    kind: Literal["function", "custom"] = "function"
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of the JSON arguments (or, for a custom tool, of the input) of the call `key`."""

    key: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallDone:
    """The arguments of the call `key` are complete."""

    key: str


@dataclass(frozen=True, slots=True)
class ItemDone:
    """A finished item that the provider made and that passes through as it is, such as a hosted tool's call."""

    item: Item


FinishReason: TypeAlias = Literal["stop", "max_output_tokens", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The turn is over. Always the last event; a stream that ends without it was cut short."""

    reason: FinishReason
    usage: Usage | None
    service_tier: str | None = None


ModelEvent: TypeAlias = (
    TextDelta
    | RefusalDelta
    | AnnotationAdded
    | ReasoningDelta
    | ReasoningSummaryDelta
    | ReasoningDone
    | ToolCallStarted
    | ToolCallDelta
    | ToolCallDone
    | ItemDone
    | Finished
)


class Model(Protocol):
    """A provider that can take a turn."""

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Take one turn, always as a stream, ending with `Finished`. Raises `ModelError`.

        Closing the iterator closes the provider's connection at once.
        """
        ...


ErrorCode: TypeAlias = Literal[
    "rate_limit_exceeded",
    "insufficient_quota",
    "context_length_exceeded",
    "invalid_prompt",
    "model_not_found",
    "provider_authentication",
    "provider_unavailable",
    "provider_timeout",
    "provider_protocol",
]

RETRYABLE: Final[frozenset[str]] = frozenset(
    {"rate_limit_exceeded", "provider_unavailable", "provider_timeout", "provider_protocol"}
)


class ModelError(Exception):
    """A provider refused the turn, failed, or broke off."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        provider_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`provider_status` is the provider's HTTP status; `retry_after` is in seconds, as the provider asked."""
        self.code: ErrorCode = code
        self.message = message
        self.provider_status = provider_status
        self.retry_after = retry_after
        super().__init__(message)

    @property
    def retryable(self) -> bool:
        """Whether the same turn may succeed later."""
        return self.code in RETRYABLE
