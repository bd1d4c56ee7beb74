"""The straight line of a router call: admitted, looked up, sent to one model after another, answered, recorded."""

import asyncio
import random
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

import orjson
from fastapi import Request, Response

from agents.attempts import first_answer
from agents.models.base import ModelError, Timeouts
from agents.models.metering import usage_of, usage_of_speech
from agents.models.providers import UnknownModel
from agents.models.upstream import EVENTS, JSON, Answer, Ask, Endpoint, Upload
from api.desk import Desk
from api.keys import Holder, identity_of
from api.replies import raw_reply
from api.router import envelope, remembered
from api.router.call import CLIENT_GONE, Call
from api.router.envelope import Envelope
from api.router.failures import UpstreamFailed
from api.router.remembered import Remembered
from api.router.streamed import Streamed
from api.stream import gone
from shared.errors import InvalidRequest, NotFound, RondoError
from shared.items import Json

T = TypeVar("T")


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def serve(request: Request, endpoint: Endpoint, body: Json, files: tuple[Upload, ...] = ()) -> Response:
    """Answer one call of an endpoint. Raises InvalidRequest, NotFound, RateLimited and UpstreamFailed."""
    desk: Desk = request.state.desk
    holder: Holder = request.state.holder
    wanted = envelope.read(body, endpoint=endpoint, headers=request.headers, identity_id=identity_of(request))
    _check_models(desk, wanted, endpoint)
    admission = await desk.limits.admit(holder, wanted.identity["id"] if wanted.identity else None)
    call = Call(desk, holder, endpoint, wanted, admission)
    key = remembered.key_of(holder.project_id, endpoint, wanted, files)
    try:
        with _recorded(call):
            if key is not None and (kept := await remembered.find(desk, key)) is not None:
                return _again(call, kept)
            call.cache = None if key is None else "miss"
            model, answer = await _unless_gone(request, _ask(desk, endpoint, wanted, files, call))
            call.answered(model)
            return await _reply(desk, call, endpoint, answer, key=key)
    except ClientGone:
        return Response(status_code=CLIENT_GONE)


def _check_models(desk: Desk, wanted: Envelope, endpoint: Endpoint) -> None:
    """Refuse models that nobody has, and an endpoint that a provider lacks, before anything is sent."""
    for param, model in wanted.named:
        try:
            endpoints = desk.providers.endpoints_of(model)
        except UnknownModel as error:
            raise NotFound(str(error), param=param, code="model_not_found") from None
        if endpoint not in endpoints:
            others = ", ".join(desk.providers.providers_with(endpoint)) or "none that is configured"
            raise InvalidRequest(
                f"The provider of '{model}' has no '{endpoint}' endpoint. Providers that have it: {others}.",
                param=param,
                code="unsupported_endpoint",
            )


async def _ask(desk: Desk, endpoint: Endpoint, wanted: Envelope, files: tuple[Upload, ...], call: Call) -> tuple[str, Answer]:
    """Ask one model after another. Raises the last one's ModelError."""
    settings = desk.settings
    timeouts = Timeouts(
        connect=settings.connect_timeout,
        first_token=settings.first_token_timeout,
        between_tokens=settings.between_tokens_timeout,
    )
    ask = Ask(endpoint=endpoint, model="", body=wanted.body, files=files, timeouts=timeouts)

    async def one(model: str) -> tuple[str, Answer]:
        upstream, name = desk.providers.upstream(model)
        return model, await upstream.send(replace(ask, model=name))

    return await first_answer(
        wanted.policy, one, note=call.note, sleep=asyncio.sleep, random=random.random, clock=time.monotonic
    )


@contextmanager
def _recorded(call: Call) -> Iterator[None]:
    """End the call as whatever stops it, unless its answer has begun. Raises UpstreamFailed in place of ModelError."""
    try:
        yield
    except ModelError as error:
        failed = UpstreamFailed(error, headers=call.headers)
        call.fail(failed)
        raise failed from error
    except RondoError as error:
        call.fail(error)
        raise
    except (ClientGone, asyncio.CancelledError):
        call.end("cancelled", CLIENT_GONE)
        raise
    except Exception:
        call.end("failed", 500, {"code": "server_error", "message": "Something went wrong on our side."})
        raise


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Await `work`; drop it as soon as the client has gone. Raises ClientGone."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(gone(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _reply(desk: Desk, call: Call, endpoint: Endpoint, answer: Answer, *, key: str | None) -> Response:
    """Pass an answer on: JSON as a whole, everything else as it comes."""
    if endpoint == "audio/speech" and answer.media_type != EVENTS:
        call.count(usage_of_speech(call.envelope.body))
    if answer.media_type != JSON:
        keep = partial(_keep, desk, call, key, answer.media_type) if key is not None else None
        return Streamed(answer, call, endpoint, on_whole=keep)
    body = b"".join([chunk async for chunk in answer.chunks])
    call.count(usage_of(endpoint, orjson.loads(body) if answer.whole is None else answer.whole))
    call.end("completed", 200)
    if key is not None:
        _keep(desk, call, key, JSON, body)
    return raw_reply(body, headers=call.headers)


def _again(call: Call, kept: Remembered) -> Response:
    """Answer from memory; a stream as a stream."""
    call.cache = "hit"
    call.answered(kept.model)
    call.end("completed", 200)
    headers = call.headers | ({"cache-control": "no-cache", "x-accel-buffering": "no"} if kept.media_type == EVENTS else {})
    return Response(kept.body, media_type=kept.media_type, headers=headers)


def _keep(desk: Desk, call: Call, key: str, media_type: str, body: bytes) -> None:
    """Keep a complete answer once it is sent."""
    ttl = call.envelope.policy.cache_ttl or 0
    desk.errand(remembered.keep(desk, key, Remembered(media_type, call.model, body), ttl=ttl))
