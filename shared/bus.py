"""Redis pub/sub: the doorbell that carries the mail. Everything on it is already in Postgres, so losing it loses time only."""

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.frames import Page

CONTROL: Final = "rondo:control"
"""Where workers hear `cancel <response id>`."""

QUIET: Final = b"-"
END: Final = b"e"
"""Nothing more will come."""
NOTHING: Final = Page(0, -1, b"")
"""A page without frames, to send a flag with."""


def connect(redis_url: str) -> Redis:
    """Make a client that fails fast: what it says is repeated from Postgres anyway."""
    return Redis.from_url(
        redis_url,
        socket_timeout=5,
        socket_connect_timeout=2,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 1),
    )


def channel(response_id: str) -> str:
    """Name the channel of one response's events."""
    return f"rondo:events:{response_id}"


def pack(page: Page, flag: bytes = QUIET) -> bytes:
    """Make a message: one header line, then the page's frames as they are."""
    return b"%d %d %b\n%b" % (page.first, page.last, flag, page.frames)


def unpack(message: bytes) -> tuple[Page, bytes]:
    """Read a message back."""
    header, _, frames = message.partition(b"\n")
    first, last, flag = header.split(b" ")
    return Page(int(first), int(last), frames), flag


def cancelled(response_ids: list[str]) -> list[tuple[str, bytes]]:
    """Make the messages that stop what runs of responses that were cancelled, and tell their readers."""
    nothing = pack(NOTHING, END)
    orders = [(CONTROL, f"cancel {response_id}".encode()) for response_id in response_ids]
    return orders + [(channel(response_id), nothing) for response_id in response_ids]


async def publish(redis: Redis, messages: list[tuple[str, bytes]]) -> bool:
    """Send `(channel, message)` pairs in one round trip; False if Redis is away, which readers survive."""
    words: list[str | bytes] = [word for message in messages for word in message]
    try:
        await redis.eval(_PUBLISH_ALL, 0, *words)
    except (RedisError, OSError):
        return False
    return True


_PUBLISH_ALL: Final = "for i = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[i], ARGV[i + 1]) end"
"""One command with one answer: in a pipeline each message costs this process several times as much."""
