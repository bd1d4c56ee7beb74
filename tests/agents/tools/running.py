"""Runs a tool as workers do, with strangers on an address that is open to it."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from agents.plan import Engine
from agents.tools import registry
from agents.tools.base import Call
from agents.tools.box import Toolbox
from shared.items import Json
from shared.settings import Settings
from tests.agents.net import hostile
from tests.agents.tooling import NOW

OPENED = Settings(allow_networks=(f"{hostile.OUTSIDE}/32",))


def run(
    spec: Json,
    arguments: Json,
    serve: hostile.Serve,
    *,
    settings: Settings = OPENED,
    variables: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    engine: Engine = "text",
) -> Any:
    """Run a tool beside one server. `{server}` in the spec, the arguments, the variables and the settings is its origin."""

    async def go() -> Any:
        async with hostile.serving(serve) as port:
            origin = f"http://{hostile.OUTSIDE}:{port}"
            here = replace(settings, search_url=settings.search_url.replace("{server}", origin))
            async with aclosing(Toolbox(here)) as box:
                call = Call(
                    name="f",
                    now=NOW,
                    idempotency_key="the-key",
                    attempt=1,
                    timeout=5.0,
                    engine=engine,
                    variables=_placed(dict(variables or {}), origin),
                    secrets=secrets or {},
                    box=box,
                )
                return await registry.run(_placed(spec, origin), orjson.dumps(_placed(arguments, origin)).decode(), call)

    return asyncio.run(go())


def _placed(value: Any, origin: str) -> Any:
    return orjson.loads(orjson.dumps(value).replace(b"{server}", origin.encode()))
