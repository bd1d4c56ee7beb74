"""Answers that may be given again, in Redis. Without Redis there are none, and nothing is kept."""

from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

MOST: Final = 4 * 1024 * 1024
"""Bytes of an answer that is kept."""
_PREFIX: Final = "rondo:answers:"


class Answers:
    """Whole answers by the key of their call."""

    def __init__(self, redis: Redis) -> None:
        """`redis` gives bytes."""
        self._redis = redis

    async def get(self, key: str) -> bytes | None:
        """Look an answer up."""
        try:
            found = await self._redis.get(_PREFIX + key)
        except (RedisError, OSError) as error:
            log.warning("answers_unreachable", error=type(error).__name__)
            return None
        return found.encode() if isinstance(found, str) else found

    async def put(self, key: str, value: bytes, ttl: int) -> None:
        """Keep an answer for `ttl` seconds, unless it is too large."""
        if len(value) > MOST:
            return
        try:
            await self._redis.set(_PREFIX + key, value, ex=ttl)
        except (RedisError, OSError) as error:
            log.warning("answers_unreachable", error=type(error).__name__)
