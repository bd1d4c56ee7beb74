"""An agent's manifest: what was written, checked and completed, which is also what is read."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from agents import templates
from agents.models.providers import Providers
from agents.templates import TemplateError
from api.agents import model, settings, tools, variables
from api.create import check
from api.create.check import Check
from api.definitions import sealing, writing
from api.definitions.sealing import Seals
from shared.errors import InvalidRequest
from shared.items import Json

ENGINES: Final = ("text", "jinja", "mustache")
MAX_INSTRUCTIONS: Final = 256 * 1024
MAX_TEAM: Final = 64

_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*([._-][A-Za-z0-9]+)*")
key = partial(check.string, least=1, most=255, pattern=_KEY)

DEFAULTS: Final[Json] = {
    "display_name": None,
    "role": "",
    "description": "",
    "instructions": "",
    "system_prompt": None,
    "path": "Default",
    "model": None,
    "fallback_models": [],
    "settings": settings.DEFAULTS,
    "team_of_agents": [],
    "variables": {},
    "engine": "text",
}
"""Every member of a manifest as it is if nobody gives it; a model must be given."""

_text = partial(check.string, most=65_536)
_instructions = partial(check.string, most=MAX_INSTRUCTIONS)
_PLAIN: Final[Mapping[str, Check]] = {
    "display_name": partial(check.string, most=255),
    "role": _text,
    "description": _text,
    "instructions": _instructions,
    "system_prompt": _instructions,
    "path": partial(check.string, least=1, most=1024),
    "engine": partial(check.choice, allowed=ENGINES),
}
_REFUSED: Final[Mapping[str, Check]] = {
    "memory_stores": partial(check.unsupported, why="Memory stores are not supported."),
    "knowledge_bases": partial(check.unsupported, why="Knowledge bases are not supported."),
    "skills": partial(check.unsupported, why="Skills are not supported. Write what they say into 'instructions'."),
    "evaluators": partial(check.unsupported, why="Evaluators are not supported, and must not be skipped silently."),
    "guardrails": partial(check.unsupported, why="Guardrails are not supported, and must not be skipped silently."),
    "chat_exposed": partial(check.unsupported, why="There is no chat to offer the agent in."),
}
_EMPTY: Final[Json] = {"memory_stores": [], "knowledge_bases": [], "skills": []}
MEMBERS: Final = ("key", *DEFAULTS, *_REFUSED)
"""What a body may hold."""

_TEAM: Final[Mapping[str, Check]] = {"key": key, "role": _text}


def normalise(members: Json, *, old: Json | None, seals: Seals, providers: Providers) -> Json:
    """Return the manifest that a body asks for: its members in place of the `old` ones, and defaults where it says null.

    Raises InvalidRequest. What it refers to may still turn out not to exist.
    """
    checks: dict[str, Check] = {
        **_REFUSED,
        **_PLAIN,
        "model": partial(model.parse, providers=providers),
        "fallback_models": partial(model.fallbacks, providers=providers),
        "settings": partial(settings.parse, seals=seals, providers=providers),
        "team_of_agents": _team,
        "variables": partial(variables.parse, seals=seals),
    }
    given = {name: one for name, one in writing.checked(members, checks, ()).items() if name in DEFAULTS}
    cleared = {name: DEFAULTS[name] for name, one in members.items() if one is None and name in DEFAULTS}
    manifest = {**(old or DEFAULTS), **cleared, **given}
    if manifest["model"] is None:
        raise check.missing("model")
    _check_templates(manifest)
    return writing.bounded(manifest)


def secrets_of(manifest: Json) -> dict[str, str]:
    """List the ids of a manifest's secrets by their places."""
    return {**sealing.within(manifest["variables"], variables.PLACE), **tools.secrets_of(manifest["settings"]["tools"])}


def shown(manifest: Json) -> Json:
    """Render a manifest for clients: no secret, and the members that are always empty here."""
    return {
        **sealing.shown(manifest),
        **_EMPTY,
        "settings": {**sealing.shown(manifest["settings"]), **settings.EMPTY},
        "variables": sealing.shown(manifest["variables"], mark="secret"),
    }


def _team(value: Any, path: str) -> list[Json]:
    """Take other agents, each once."""
    given = check.array(value, path, of=partial(check.record, members=_TEAM, required=("key",)), most=MAX_TEAM)
    for index, member in enumerate(given):
        if any(member["key"] == earlier["key"] for earlier in given[:index]):
            raise InvalidRequest(
                f"Invalid '{path}[{index}].key': '{check.shown(member['key'])}' is in the team already.",
                param=f"{path}[{index}].key",
                code="invalid_value",
            )
    return given


def _check_templates(manifest: Json) -> None:
    """Refuse templates that could never be rendered."""
    for name in ("instructions", "system_prompt"):
        require_template(manifest[name] or "", name, engines=(manifest["engine"],))


def require_template(template: str, path: str, *, engines: tuple[Any, ...] = ENGINES) -> None:
    """Refuse a template that none of the engines can read. Raises InvalidRequest."""
    faults = [fault for engine in engines if (fault := _fault(template, path, engine)) is not None]
    if len(faults) == len(engines):
        raise InvalidRequest(faults[0], param=path, code="invalid_template")


def _fault(template: str, path: str, engine: Any) -> str | None:
    try:
        templates.names(template, engine=engine, where=path)
    except TemplateError as error:
        return str(error)
    return None
