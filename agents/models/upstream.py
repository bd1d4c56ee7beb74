"""What the router says to a provider and hears from it: OpenAI's endpoints, whatever the provider itself calls them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal, Protocol, TypeAlias, get_args

from agents.models.base import Timeouts
from shared.items import Json

Endpoint: TypeAlias = Literal[
    "chat/completions",
    "completions",
    "embeddings",
    "images/generations",
    "images/edits",
    "images/variations",
    "audio/transcriptions",
    "audio/translations",
    "audio/speech",
    "moderations",
    "rerank",
]
ENDPOINTS: Final[tuple[Endpoint, ...]] = get_args(Endpoint)

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file of a multipart form. It lies on disk if it is large, and can be read again for another attempt."""

    field: str
    filename: str
    media_type: str
    content: BinaryIO
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call of one endpoint, in OpenAI's shapes.

    `model` is the provider's own name. `body` holds everything else that the client gave and a provider may see, with templates
    rendered; of a form, its text fields (a list for a field that was given more than once).
    """

    endpoint: Endpoint
    model: str
    body: Json
    files: tuple[Upload, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed as events."""
        return bool(self.body.get("stream"))


async def _nothing() -> None:
    """Close nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success, as it begins: `chunks` give the body in OpenAI's shape, as it arrives.

    Of a stream (`media_type` is `EVENTS`), every chunk holds whole events, `data: …` with the empty line after it. The last one
    of chats and completions is `data: [DONE]`; other streams may end with the event whose type says so. A stream that breaks
    raises ModelError; so it does where a provider reports an error within it.
    `close` must be awaited in the end: it drops the provider's connection at once, unless the body was read to its end.
    """

    media_type: str
    chunks: AsyncIterator[bytes]
    whole: Json | None = None
    """The body as an object, where it was read and checked already."""
    close: Callable[[], Awaitable[None]] = _nothing


class Upstream(Protocol):
    """A provider as the router sees it."""

    @property
    def endpoints(self) -> frozenset[Endpoint]:
        """The endpoints that it has."""
        ...

    async def send(self, ask: Ask) -> Answer:
        """Send one call, and return once its answer has begun. Raises ModelError.

        Every stream asks the provider for its usage, and passes on the chunk that holds it (`"choices":[]` and `usage`).
        """
        ...


class Both:
    """Chats of one upstream, everything else of another."""

    def __init__(self, chats: Upstream, others: Upstream) -> None:
        """`others` has no chats."""
        self.endpoints = chats.endpoints | others.endpoints
        self._chats = chats
        self._others = others

    async def send(self, ask: Ask) -> Answer:
        """Send one call. Raises ModelError."""
        return await (self._chats if ask.endpoint == "chat/completions" else self._others).send(ask)
