"""What a router call's body holds for Rondo, taken off; what is left is the provider's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers

from agents import templates
from agents.models.upstream import Endpoint
from agents.policy import Policy
from agents.templates import MissingVariable, TemplateError
from api.create import check, routing
from api.create.check import Check
from api.create.fields import FIELDS
from shared.errors import InvalidRequest
from shared.items import Json

_POLICY: Final = ("retry", "fallbacks", "timeout", "load_balancer", "cache")
_SHARED: Final = (
    *("identity", "thread", "metadata", "name", "tags", "variables", "template_engine"),
    *("guardrails", "plugins", "security", "integration_id", "memory"),
)
OWN: Final[Mapping[str, Check]] = {name: FIELDS[name].check for name in _SHARED} | {
    name: routing.CHECKS[name] for name in _POLICY
}
"""Rondo's own members, checked as those of a response are. They may also stand in `orq`."""

_TEXTS: Final = ("prompt", "input", "query", "instructions")
"""Members besides `messages` that are templates."""
_HEADER: Final = "x-orq-metadata-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One router call, taken apart."""

    model: str
    policy: Policy
    named: tuple[tuple[str, str], ...]
    """Every model that may be asked, though another be drawn, after where it stands: `fallbacks[0].model`."""
    body: Json
    """The provider's part, its templates rendered; without `model`."""
    identity: Json | None
    thread: Json | None
    metadata: Json
    name: str | None
    tags: list[str]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with its usage."""
        return bool((self.body.get("stream_options") or {}).get("include_usage"))


def read(body: Json, *, endpoint: Endpoint, headers: Headers, identity_id: str | None) -> Envelope:
    """Check and take off Rondo's members. `identity_id` is whom the call is attributed to if its body names nobody.

    Raises InvalidRequest.
    """
    model = check.string(_required(body, "model"), "model", least=1, most=256)
    own = _own(body)
    left = {name: value for name, value in body.items() if name not in OWN and name not in {"orq", "model"}}
    metadata = {**_from_headers(headers), **own.get("metadata", {})}
    if metadata and left.get("store"):
        left["metadata"] = metadata  # OpenAI takes them with stored completions only
    if "variables" in own or "template_engine" in own:
        left = _rendered(left, own)
    if endpoint == "chat/completions":
        check.array(_required(body, "messages"), "messages", of=_anything, most=10_000)
    _check_stream(left)
    return Envelope(
        model=model,
        policy=routing.policy_of(own, model),
        named=(("model", model), *routing.named(own)),
        body=left,
        identity=own.get("identity") or ({"id": identity_id} if identity_id else None),
        thread=own.get("thread"),
        metadata=metadata,
        name=own.get("name"),
        tags=own.get("tags") or [],
    )


def _required(body: Json, name: str) -> Any:
    if body.get(name) is None:
        raise check.missing(name)
    return body[name]


def _anything(value: Any, _path: str) -> Any:
    return value


def _own(body: Json) -> Json:
    """Check Rondo's members, those in `orq` too."""
    own = {name: OWN[name](body[name], name) for name in body if name in OWN and body[name] is not None}
    nested = body.get("orq")
    if nested is None:
        return own
    for name, value in check.mapping(nested, "orq").items():
        if name not in OWN:
            raise check.unknown(f"orq.{check.shown(name)}", OWN)
        if name in own:
            raise InvalidRequest(
                f"Mutually exclusive parameters: ''. Ensure you are only providing one of: '{name}' or 'orq.{name}'.",
                code="mutually_exclusive_parameters",
            )
        if value is not None:
            own[name] = OWN[name](value, f"orq.{name}")
    return own


def _from_headers(headers: Headers) -> dict[str, str]:
    """Collect `X-ORQ-METADATA-<key>`; as headers have no case, the keys are in lower case."""
    pairs = {name[len(_HEADER) :]: value for name, value in headers.items() if name.startswith(_HEADER)}
    return FIELDS["metadata"].check(pairs, "metadata") if pairs else {}


def _check_stream(body: Json) -> None:
    if body.get("stream") is not None:
        check.boolean(body["stream"], "stream")
    if body.get("stream_options") is not None:
        check.mapping(body["stream_options"], "stream_options")


def _rendered(body: Json, own: Json) -> Json:
    """Render the texts that are a template here. A secret's placeholder stays: no model sees its value."""
    given: dict[str, Json] = own.get("variables", {})
    words = _Words(
        {name: one["value"] for name, one in given.items()},
        frozenset(name for name, one in given.items() if one["secret"]),
        own.get("template_engine") or "text",
    )
    made: Json = {name: words.texts(body[name], name) for name in _TEXTS if name in body}
    if isinstance(messages := body.get("messages"), list):
        made["messages"] = [words.message(message, f"messages[{index}]") for index, message in enumerate(messages)]
    return {**body, **made}


@dataclass(frozen=True, slots=True)
class _Words:
    """What templates are rendered with."""

    variables: Mapping[str, Any]
    secret: frozenset[str]
    engine: Any

    def message(self, message: Any, path: str) -> Any:
        """Render a message, unless a program or the model said it."""
        if not isinstance(message, dict) or message.get("role") not in {"system", "developer", "user"}:
            return message
        return {**message, "content": self.texts(message.get("content"), f"{path}.content")}

    def texts(self, value: Any, path: str) -> Any:
        """Render a text, a list of texts, or the texts of a list of parts."""
        match value:
            case str():
                return self._render(value, path)
            case {"type": "text", "text": str(text)}:
                return {**value, "text": self._render(text, f"{path}.text")}
            case list():
                return [self.texts(one, f"{path}[{index}]") for index, one in enumerate(value)]
            case _:
                return value

    def _render(self, text: str, path: str) -> str:
        try:
            return templates.render(text, self.variables, engine=self.engine, where=path, secret=self.secret)
        except TemplateError as error:
            code = "missing_variable" if isinstance(error, MissingVariable) else "invalid_template"
            raise InvalidRequest(str(error), param=path, code=code) from None
